# U-Net patch by patch: a latent of 8 channels, the global patch's concatenated, one 1 x 1 convolution.
_base_ = ['unet.py']

model = dict(
    type='mmpatch.PatchSegmentor',
    patch_size=128,
    halo=0,
    chunk_size=4,
    global_patch=True,
    latent_channels=8,
    latent_stride=1,
    aggregator=dict(fusion='concat'),
    loss_region='sampled',  # 'full' as in the paper; docs/results compares them
    data_preprocessor=dict(type='mmpatch.PatchSegDataPreprocessor'),
)
