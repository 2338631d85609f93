# What segmentation configs share beyond default_runtime.py: mmseg's scope, its hook that draws.
_base_ = ['default_runtime.py']
default_scope = 'mmseg'
default_hooks = dict(visualization=dict(_delete_=True, type='mmpatch.PatchSegVisualizationHook'))
custom_hooks = [
    dict(type='mmpatch.DataCheckHook'),
    dict(type='mmpatch.CheckpointGuardHook'),
    dict(type='mmpatch.MemoryHook'),
]
visualizer = dict(
    _delete_=True,
    type='mmpatch.PatchSegVisualizer',
    vis_backends=[dict(type='LocalVisBackend')],
    name='visualizer',
)
