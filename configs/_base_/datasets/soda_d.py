# SODA-D on its original images, stretched to 4096 x 4096 as in the paper; predictions are mapped
# back to the original size (rescale) before they are evaluated. Get the data: docs/datasets.md.
dataset_type = 'mmpatch.SODADDataset'
data_root = 'data/SODA-D/rawData/'
# (width, height) [px]; multiples of the patch size need no padding.
image_scale = (4096, 4096)
backend_args = None

train_pipeline = [
    dict(type='mmpatch.LoadPatchImage', backend_args=backend_args),
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

train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    worker_init_fn=dict(type='mmpatch.seed_worker'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='Annotations/train.json',
        data_prefix=dict(img='Images/'),
        # Boxes outside their image: 'error' stops and lists them, 'clip' cuts them, 'drop' leaves
        # them out.
        invalid_boxes='error',
        pipeline=train_pipeline,
        backend_args=backend_args,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='Annotations/val.json',
        data_prefix=dict(img='Images/'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='Annotations/test.json',
        data_prefix=dict(img='Images/'),
        test_mode=True,
        pipeline=test_pipeline,
        backend_args=backend_args,
    ),
)

# The raw files serve: the metric leaves category 10 (ignore) out, the result is that of
# *_wo_ignore.json.
val_evaluator = dict(
    type='mmpatch.SODADMetric',
    ann_file=data_root + 'Annotations/val.json',
    classwise=True,
    backend_args=backend_args,
)
test_evaluator = dict(
    type='mmpatch.SODADMetric',
    ann_file=data_root + 'Annotations/test.json',
    classwise=True,
    backend_args=backend_args,
)
