# Whole images with as many optimizer steps as patchgd_100e_adamw_seg.py makes: two an image and 100 epochs.
max_epochs = 200

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=20)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4))
param_scheduler = [
    # 2 / (1 - beta2) optimizer steps, one a batch, which needs no tuning (Ma and Yarats, AAAI 2021).
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=2000),
    dict(
        type='PolyLR',
        power=1.0,
        eta_min=0.0,
        by_epoch=True,
        begin=0,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
