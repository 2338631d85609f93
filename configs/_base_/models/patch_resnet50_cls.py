# ResNet50 patch by patch, and a second one over the grid of its vectors, as in the paper; the global patch's is added.
_base_ = ['resnet50_cls.py']

model = dict(
    type='mmpatch.PatchClassifier',
    patch_size=128,
    chunk_size=4,
    global_patch=True,
    fusion='add',
    aggregator=dict(
        type='mmpretrain.ResNet',
        in_channels=2048,
        depth=50,
        num_stages=4,
        out_indices=(3,),
        norm_cfg=dict(type='GN', num_groups=32, requires_grad=True),
    ),
    data_preprocessor=dict(type='mmpatch.PatchClsDataPreprocessor'),
)
