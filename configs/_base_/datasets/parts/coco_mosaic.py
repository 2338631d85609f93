# COCO, 36 images of their own size in a mosaic of 4096 x 4096 px, for any detector. Make it from the
# downloaded COCO, for train and val:
#   python tools/dataset_converters/coco_mosaic.py data/coco/annotations/instances_val2017.json data/coco/val2017 --split val
root = 'data/coco-mosaic/'
files = dict(
    type='mmpatch.PatchCocoDataset',
    data_root=root,
    how_to_get='Download COCO 2017 and run tools/dataset_converters/coco_mosaic.py on it',
)
train_set = dict(
    ann_file='annotations/train.json',
    data_prefix=dict(img='train/'),
    invalid_boxes='drop',  # COCO's training boxes of no area
    **files,
)
val_set = dict(
    ann_file='annotations/val.json', data_prefix=dict(img='val/'), test_mode=True, **files
)
test_set = val_set
val_metric = dict(type='mmpatch.PatchCocoMetric', ann_file=root + val_set['ann_file'])
test_metric = val_metric
del root, files
