# COCO, 36 images of their own size in a mosaic of 4096 x 4096 px. Make it from the downloaded COCO, for train and val:
#   python tools/dataset_converters/coco_mosaic.py data/coco/annotations/instances_val2017.json data/coco/val2017 --split val
data_root = 'data/coco-mosaic/'
backend_args = None

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage', backend_args=backend_args),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    # mmdet's DetInferencer looks for this name. Pillow reports truncated files.
    dict(type='LoadImageFromFile', imdecode_backend='pillow', backend_args=backend_args),
    # After Resize: the boxes stay in original coordinates, as the predictions are.
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
dataset = dict(
    type='mmpatch.PatchCocoDataset',
    data_root=data_root,
    backend_args=backend_args,
    how_to_get='Download COCO 2017 and run tools/dataset_converters/coco_mosaic.py on it',
)
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        invalid_boxes='drop',  # COCO's training boxes of no area
        ann_file='annotations/train.json',
        data_prefix=dict(img='train/'),
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
        ann_file='annotations/val.json',
        data_prefix=dict(img='val/'),
        test_mode=True,
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='mmpatch.PatchCocoMetric',
    ann_file=data_root + 'annotations/val.json',
    backend_args=backend_args,
)
test_evaluator = val_evaluator
