# Stock FCOS on the whole image at full resolution with activation checkpointing: only what enters a
# block of the backbone is kept, the rest is computed again in the backward pass.
#   python tools/train.py configs/baselines/fcos_lite0_yellowstone-full_checkpointing.py
_base_ = ['./fcos_lite0_yellowstone-full.py']
activation_checkpointing = [
    *[f'backbone.timm_model.blocks.{stage}' for stage in range(7)],
    'neck',
]
