# The paper's schedule for segmentation: AdamW 1e-4, 100 epochs, an optimizer step every 2 inner iterations.
# The paper does not say how many patches carry gradient: K = 4 of 16 and J = 4 are ours.
max_epochs = 100

train_cfg = dict(
    type='mmpatch.PatchGDTrainLoop',
    max_epochs=max_epochs,
    val_interval=10,
    gradient=dict(type='sampled'),
    sampling_rate=0.25,
    inner_iterations=4,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4), accumulative_counts=2
)
param_scheduler = [
    # 2 / (1 - beta2) optimizer steps, two a batch, which needs no tuning (Ma and Yarats, AAAI 2021).
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=1000),
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
