# The paper's schedule for detection: AdamW 1e-3, warm-up and linear decay, 300 epochs, an optimizer
# step every 10 inner iterations.
max_epochs = 300

train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=10,
    gradient=dict(type='sampled'),
    sampling_rate=0.1,
    inner_iterations=10,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    accumulative_counts=10,
)
param_scheduler = [
    # 2 / (1 - beta2) steps, which needs no tuning (Ma and Yarats, AAAI 2021).
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
auto_scale_lr = dict(enable=False, base_batch_size=4)
