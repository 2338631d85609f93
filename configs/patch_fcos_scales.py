# Digits of 20 to 1400 px in images of 2048 px, trained patch by patch on a CPU. Crops of 1792 to 2048 px
# show the global patch at about the scale of the test, each at another one.
#   python tools/dataset_converters/scales.py && python tools/model_converters/efficientnet_lite0.py
#   python tools/train.py configs/patch_fcos_scales.py
_base_ = [
    '_base_/models/patch_fcos_lite0_fpn.py',
    '_base_/datasets/scales.py',
    '_base_/default_runtime.py',
    '_base_/schedules/patchgd_adamw_lite0.py',
]
# The global patch shows digits of all sizes but the smallest, and learns them; patches learn those of up
# to half of their side. In prediction a halo shows patches what lies around them.
model = dict(
    patch_size=512,
    chunk_size=1,  # four at once take 1.5 times as long on a CPU
    test_halo=64,
    global_frame=dict(min_cells=1.0, max_share=0.5),  # chosen on validation images
)
# Sides are drawn apart from each other. Of a digit that the crop cuts, the box around what is left stays.
crop = dict(
    type='RandomCrop', crop_type='absolute_range', crop_size=(1792, 2048), allow_negative_crop=True
)
train_pipeline = [*_base_.train_pipeline[:2], crop, *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
max_epochs = 12
train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=max_epochs,
    gradient=dict(type='sampled', fill=False),  # FCOS reads no more than margins of other patches
    # One step on the global patch, one on a patch: of 16 in every crop, another crop each time.
    global_iteration=True,
    sampled_patches=1,
    inner_iterations=1,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
