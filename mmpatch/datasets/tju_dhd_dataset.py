"""TJU-DHD: traffic in high resolution, all objects or pedestrians alone."""

from mmpatch.datasets.patch_coco_dataset import PatchCocoDataset
from mmpatch.registry import DATASETS

_LAYOUT = (
    'TJU-DHD is to be downloaded by hand from https://github.com/tjubiit/TJU-DHD and unpacked so '
    'that data/TJU-DHD/ holds dhd_traffic/images/{{train,val}}/ and {annotations}; the test set has '
    'no public annotations. docs/datasets.md shows the layout'
)


@DATASETS.register_module()
class TJUDHDTrafficDataset(PatchCocoDataset):
    """TJU-DHD-traffic: five classes, 45,266 training and 5,000 validation images.

    Two of the training images cannot be decoded: ``dict(type='mmpatch.LoadPatchImage',
    on_error='skip')`` in the pipeline leaves them out.

    Source: Pang et al., TJU-DHD: A Diverse High-Resolution Dataset for Object Detection, TIP 2020,
    https://github.com/tjubiit/TJU-DHD
    """

    METAINFO = {
        'classes': ('Pedestrian', 'Cyclist', 'Car', 'Truck', 'Van'),
        'palette': [(220, 20, 60), (255, 127, 80), (0, 0, 190), (0, 150, 230), (0, 170, 120)],
    }
    HOW_TO_GET = _LAYOUT.format(annotations='dhd_traffic/annotations/dhd_traffic_{train,val}.json')


@DATASETS.register_module()
class TJUDHDPedestrianDataset(PatchCocoDataset):
    """TJU-Ped-traffic: pedestrians alone, 13,858 training and 2,136 validation images of the above.

    Annotations have ``vis_ratio`` and ``height``, which :class:`mmpatch.MissRateMetric` reads, and
    ``ignore`` for what training ignores.

    Source: as of :class:`TJUDHDTrafficDataset`.
    """

    METAINFO = {'classes': ('Pedestrian',), 'palette': [(220, 20, 60)]}
    HOW_TO_GET = _LAYOUT.format(
        annotations=(
            'dhd_pedestrian/ped_traffic/annotations/dhd_pedestrian_traffic_{train,val}.json'
        )
    )
