# Stock MobileNetV2 on the surroundings of all digits, side by side: what a classifier reaches that need not search.
#   python tools/train.py configs/baselines/mobilenetv2_sums-oracle.py
_base_ = ['./mobilenetv2_sums.py']
oracle = dict(data_prefix='images_oracle', pipeline=_base_.sums.pipeline)
train_dataloader = dict(batch_size=16, dataset=oracle)
val_dataloader = dict(dataset=oracle)
test_dataloader = dict(dataset=oracle)
