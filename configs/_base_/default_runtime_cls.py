# What classification configs share beyond default_runtime.py: mmpretrain's scope and visualizer, our hook that draws.
_base_ = ['default_runtime.py']
default_scope = 'mmpretrain'
default_hooks = dict(visualization=dict(_delete_=True, type='mmpatch.PatchClsVisualizationHook'))
custom_hooks = [
    dict(type='mmpatch.DataCheckHook'),
    dict(type='mmpatch.CheckpointGuardHook'),
    dict(type='mmpatch.MemoryHook'),
]
visualizer = dict(
    _delete_=True,
    type='mmpretrain.UniversalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
