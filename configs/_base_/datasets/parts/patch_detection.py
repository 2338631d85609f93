# How a patch-wise detector reads large images: stretched to 4096 x 4096 px, as in the paper. Predictions are
# mapped back to the original size (rescale) before they are evaluated. The files come with the data set.
# Multiples of the patch size need no padding.
resize = dict(type='Resize', scale=(4096, 4096), keep_ratio=False)
train_pipeline = [
    dict(type='mmpatch.LoadPatchImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    resize,
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    # The reader of training, under the name that mmdet's DetInferencer looks for.
    dict(type='LoadImageFromFile', _scope_='mmpatch'),
    resize,
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
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
del resize
