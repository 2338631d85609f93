# MobileNetV2 patch by patch: a vector of 1280 numbers a patch, the global patch's added, a small CNN over the grid.
_base_ = ['mobilenetv2_cls.py']

model = dict(
    type='mmpatch.PatchClassifier',
    patch_size=128,
    chunk_size=8,
    global_patch=True,
    fusion='add',
    aggregator=dict(type='mmpatch.LatentCNN', in_channels=1280, channels=256, num_layers=2),
    data_preprocessor=dict(type='mmpatch.PatchClsDataPreprocessor'),
    head=dict(in_channels=256),
)
