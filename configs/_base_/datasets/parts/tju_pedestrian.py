# Files and metrics of TJU-Ped-traffic, for any detector. Its test set has no public annotations:
# validation serves. Get the data: docs/datasets.md.
root = 'data/TJU-DHD/'
files = dict(type='mmpatch.TJUDHDPedestrianDataset', data_root=root)
train_set = dict(
    ann_file='dhd_pedestrian/ped_traffic/annotations/dhd_pedestrian_traffic_train.json',
    data_prefix=dict(img='dhd_traffic/images/train/'),
    **files,
)
val_set = dict(
    ann_file='dhd_pedestrian/ped_traffic/annotations/dhd_pedestrian_traffic_val.json',
    data_prefix=dict(img='dhd_traffic/images/val/'),
    test_mode=True,
    **files,
)
test_set = val_set
val_metric = dict(type='mmpatch.MissRateMetric', ann_file=root + val_set['ann_file'])
test_metric = val_metric
del root, files
