# ../patch_mobilenetv2_digits.py with the exact gradient: one step a batch.
#   python tools/train.py configs/baselines/patch_mobilenetv2_digits_exact.py
_base_ = ['../patch_mobilenetv2_digits.py']
train_cfg = dict(gradient=dict(_delete_=True, type='exact', chunk_size=8))
