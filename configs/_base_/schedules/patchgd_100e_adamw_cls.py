# The paper's schedule for classification: AdamW 1e-3, 100 epochs, warmup and linear decay, an optimizer step every
# 3 inner iterations.
max_epochs = 100

train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=5,
    gradient=dict(type='sampled'),
    sampling_rate=0.25,
    inner_iterations=3,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3), accumulative_counts=3
)
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
