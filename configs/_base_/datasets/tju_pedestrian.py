# TJU-Ped-traffic, pedestrians stretched to 4096 x 4096; predictions are mapped back to the original size (rescale) before
# they are evaluated. Its test set has no public annotations: validation serves. Get the data: docs/datasets.md.
data_root = 'data/TJU-DHD/'
# (width, height) [px]; multiples of the patch size need no padding.
image_scale = (4096, 4096)
backend_args = None

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage', on_error='skip', backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=image_scale, keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    # mmdet's DetInferencer looks for this name. Pillow reports truncated files.
    dict(type='LoadImageFromFile', imdecode_backend='pillow', backend_args=backend_args),
    dict(type='Resize', scale=image_scale, keep_ratio=False),
    # After Resize: the boxes stay in original coordinates, as the predictions are.
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
dataset = dict(
    type='mmpatch.TJUDHDPedestrianDataset', data_root=data_root, backend_args=backend_args
)
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        ann_file='dhd_pedestrian/ped_traffic/annotations/dhd_pedestrian_traffic_train.json',
        data_prefix=dict(img='dhd_traffic/images/train/'),
        pipeline=train_pipeline,
        **dataset,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        ann_file='dhd_pedestrian/ped_traffic/annotations/dhd_pedestrian_traffic_val.json',
        data_prefix=dict(img='dhd_traffic/images/val/'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='mmpatch.MissRateMetric',
    ann_file=data_root + 'dhd_pedestrian/ped_traffic/annotations/dhd_pedestrian_traffic_val.json',
    backend_args=backend_args,
)
test_evaluator = val_evaluator
