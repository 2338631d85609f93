# Stock U-Net on random tiles of the full-resolution image; prediction slides over it and merges what overlaps.
#   python tools/train.py configs/baselines/unet_lakes-tiles.py
_base_ = ['./unet_lakes.py']
tile_size = 256  # as many pixels a step as the sampled patches of ../patch_unet_lakes.py

model = dict(
    test_cfg=dict(_delete_=True, mode='slide', crop_size=(tile_size, tile_size), stride=(192, 192)),
)
tile = dict(type='RandomCrop', crop_size=(tile_size, tile_size))
train_pipeline = [*_base_.train_pipeline[:2], tile, *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
