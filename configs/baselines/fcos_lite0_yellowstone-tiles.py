# Stock FCOS on random tiles of the full-resolution image, and sliced prediction merged by SAHI: what
# people do with large images today.
#   python tools/train.py configs/baselines/fcos_lite0_yellowstone-tiles.py
_base_ = ['./fcos_lite0_yellowstone-full.py']
tile_size = 512  # as many pixels a step as the sampled patches of ../patch_fcos_yellowstone.py

model = dict(type='mmpatch.SlicedDetector', slice_size=tile_size, overlap_ratio=0.2)
train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomCrop', crop_size=(tile_size, tile_size), allow_negative_crop=True),
    dict(
        type='RandomFlip', prob=[0.25, 0.25, 0.25], direction=['horizontal', 'vertical', 'diagonal']
    ),
    dict(type='mmpatch.ColorJitter', brightness=0.2, contrast=0.2),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=20,  # tiles an epoch
        dataset=dict(pipeline=train_pipeline, **_base_.train_set),
    ),
)
