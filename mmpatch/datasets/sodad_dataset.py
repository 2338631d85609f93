"""SODA-D: small objects in driving scenes, on the original images."""

from mmpatch.datasets.patch_coco_dataset import PatchCocoDataset
from mmpatch.registry import DATASETS

#: Category id of the regions to ignore, whether or not the file names it among its categories.
IGNORE_ID = 10


@DATASETS.register_module()
class SODADDataset(PatchCocoDataset):
    """SODA-D with its raw layout ``rawData/{Images,Annotations/{train,val,test}.json}``.

    The raw annotations mark regions to ignore with a tenth category, ``ignore``; their boxes reach
    the detector as ``ignored_instances``. For evaluation the official protocol removes them
    (``tools/dataset_converters/soda_d.py`` writes ``*_wo_ignore.json``).

    Source: Cheng et al., Towards Large-Scale Small Object Detection: Survey and Benchmarks, TPAMI
    2023, https://shaunyuan22.github.io/SODA/
    """

    METAINFO = {
        'classes': (
            'people',
            'rider',
            'bicycle',
            'motor',
            'vehicle',
            'traffic-sign',
            'traffic-light',
            'traffic-camera',
            'warning-cone',
        ),
        'palette': [
            (220, 20, 60),
            (255, 127, 80),
            (119, 11, 172),
            (0, 150, 230),
            (0, 0, 190),
            (230, 200, 0),
            (250, 120, 30),
            (0, 170, 120),
            (255, 80, 0),
        ],
    }
    HOW_TO_GET = (
        'SODA-D is to be downloaded by hand from https://shaunyuan22.github.io/SODA/ and unpacked '
        'so that '
        'data/SODA-D/rawData/ holds Images/ and Annotations/{train,val,test}.json; then run '
        '`python tools/dataset_converters/soda_d.py data/SODA-D`. docs/datasets.md shows the layout'
    )
    IGNORE_CATEGORIES = ('ignore',)
    IGNORE_IDS = frozenset({IGNORE_ID})
