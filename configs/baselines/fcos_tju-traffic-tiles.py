# FCOS-R50 on random tiles of TJU-DHD-traffic at 4096 x 4096 px, and sliced prediction merged by SAHI: what
# people do with large images today.
#   python tools/train.py configs/baselines/fcos_tju-traffic-tiles.py
_base_ = './fcos_tju-traffic.py'
tile_size = 1024

model = dict(type='mmpatch.SlicedDetector', slice_size=tile_size, overlap_ratio=0.2)
resize = dict(type='Resize', scale=(4096, 4096), keep_ratio=False)
crop = dict(type='RandomCrop', crop_size=(tile_size, tile_size), allow_negative_crop=True)
train_pipeline = [*_base_.train_pipeline[:2], resize, crop, *_base_.train_pipeline[3:]]
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
