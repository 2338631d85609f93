# DeepLabV3 patch by patch. Z is kept at stride 8, logits are interpolated from it.
_base_ = ['deeplabv3.py']

model = dict(
    type='mmpatch.PatchSegmentor',
    patch_size=128,
    halo=0,
    chunk_size=4,
    global_patch=True,
    latent_channels=8,
    aggregator=dict(fusion='concat'),
    loss_region='sampled',  # 'full' as in the paper; docs/results compares them
    data_preprocessor=dict(type='mmpatch.PatchSegDataPreprocessor'),
)
