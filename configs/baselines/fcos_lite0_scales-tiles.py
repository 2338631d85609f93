# Stock FCOS on random tiles of the full-resolution image, and sliced prediction merged by SAHI: what
# people do with large images today.
#   python tools/train.py configs/baselines/fcos_lite0_scales-tiles.py
_base_ = ['./fcos_lite0_scales-full.py']
tile_size = 512  # as many pixels a step as the sampled patches of ../patch_fcos_scales.py

model = dict(type='mmpatch.SlicedDetector', slice_size=tile_size, overlap_ratio=0.2)
tile = dict(type='RandomCrop', crop_size=(tile_size, tile_size), allow_negative_crop=True)
train_pipeline = [*_base_.train_pipeline[:2], tile, *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
