# The bundled example: trees in an aerial image, trained patch by patch on a CPU. Each epoch takes
# another part of the training image, as large as the test image, so that the global patch has the
# same scale in both.
#   python tools/train.py configs/patch_fcos_yellowstone.py
# `make demo` fetches the data and the backbone's weights (docs/datasets.md) and trains this.
_base_ = [
    '_base_/models/patch_fcos_lite0_fpn.py',
    '_base_/datasets/yellowstone.py',
    '_base_/default_runtime.py',
    '_base_/schedules/patchgd_adamw_lite0.py',
]
model = dict(test_halo=32)  # in prediction patches see what lies around them; chosen on `scales`
crop = dict(type='RandomCrop', crop_size=(1280, 1280))
train_pipeline = [*_base_.train_pipeline[:2], crop, *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
max_epochs = 32
train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=max_epochs,
    sampling_rate=0.16,
    inner_iterations=13,
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs),
]
default_hooks = dict(
    logger=dict(interval=1),
    checkpoint=dict(interval=5),
    visualization=dict(score_thr=0.15),  # scores are low after so short a training
)
