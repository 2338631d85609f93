# Registration of mmpatch: for configs that inherit one of mmdet.
custom_imports = dict(
    imports=[
        'mmpatch.datasets',
        'mmpatch.engine',
        'mmpatch.evaluation',
        'mmpatch.models',
        'mmpatch.visualization',
        'mmpretrain.models',
    ],
    allow_failed_imports=False,
)
