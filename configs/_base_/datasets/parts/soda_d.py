# SODA-D's files and metrics, for any detector. Get the data: docs/datasets.md.
root = 'data/SODA-D/rawData/'
files = dict(type='mmpatch.SODADDataset', data_root=root, data_prefix=dict(img='Images/'))
# Boxes outside their image: 'error' stops and lists them, 'clip' cuts them, 'drop' leaves them out.
train_set = dict(ann_file='Annotations/train.json', invalid_boxes='error', **files)
val_set = dict(ann_file='Annotations/val.json', test_mode=True, **files)
test_set = dict(ann_file='Annotations/test.json', test_mode=True, **files)
# The raw files serve: the metric leaves category 10 (ignore) out, the result is that of
# *_wo_ignore.json.
metric = dict(type='mmpatch.SODADMetric', classwise=True)
val_metric = dict(ann_file=root + 'Annotations/val.json', **metric)
test_metric = dict(ann_file=root + 'Annotations/test.json', **metric)
del root, files, metric
