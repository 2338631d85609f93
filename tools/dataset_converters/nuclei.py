"""Make the bundled segmentation set: cell nuclei in one fluorescence image, as PNG files.

The wheel ``stardist==0.9.2`` (PyPI, BSD-3) carries one real image of 512 x 512 px, 16 bits, one channel, with an
instance mask. Its upper 320 rows are for training, its lower 192 rows for testing; they share no pixel.

Usage:
    python tools/dataset_converters/nuclei.py                     # pip fetches the wheel (3 MB)
    python tools/dataset_converters/nuclei.py --wheel FILE.whl    # takes one that is here
"""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from mmpatch.datasets.wheel_files import read_wheel_files, run_converter
from mmpatch.utils.files import write_atomic

REQUIREMENT = 'stardist==0.9.2'
IMAGE = 'stardist/data/images/img2d.tif'
MASK = 'stardist/data/images/mask2d.tif'
LICENCE = 'stardist-0.9.2.dist-info/licenses/LICENSE.txt'
MEMBERS = {
    IMAGE: 'f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750',
    MASK: '59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f',
    LICENCE: 'c279e190706f46dd920854b64d0d823a33be1981c187f581eb432b273f797492',
}
#: Rows of the image for training; the others are for testing.
TRAIN_ROWS = 320
SPLITS = {'train': slice(0, TRAIN_ROWS), 'test': slice(TRAIN_ROWS, None)}
README = """Cell nuclei in a fluorescence image of 512 x 512 px (one channel, 16 bits).

train/images/nuclei.png  train/masks/nuclei.png  rows 0 to 319
test/images/nuclei.png   test/masks/nuclei.png   rows 320 to 511

Masks: 0 background, 1 nucleus. Taken from the Python package stardist 0.9.2 (BSD-3 licence, below) by
tools/dataset_converters/nuclei.py: values of the image are unchanged, instances of the mask became
one class.

If you use them, cite:
  Schmidt, Weigert, Broaddus, Myers: Cell Detection with Star-Convex Polygons. MICCAI 2018.

----------------------------------------------------------------------------------------------------------------
"""


def is_complete(out_dir: Path) -> bool:
    """Say whether ``out_dir`` holds all images and masks."""
    for split, rows in SPLITS.items():
        for kind in ('images', 'masks'):
            try:
                with Image.open(out_dir / split / kind / 'nuclei.png') as image:
                    image.load()
                    size = image.size
            except OSError:
                return False
            if size != (512, len(range(512)[rows])):
                return False
    return True


def convert(out_dir: Path, wheel: Path) -> None:
    """Write images, masks and README from the wheel to ``out_dir``.

    Args:
        out_dir: Folder to write to; made if missing.
        wheel: The wheel of stardist 0.9.2.

    Raises:
        FileNotFoundError: If there is no such wheel.
        ValueError: If it is another package or version.
    """
    contents = read_wheel_files(wheel, MEMBERS)
    write_atomic(out_dir / 'README.txt', README.encode() + contents[LICENCE])
    image, mask = (np.array(Image.open(io.BytesIO(contents[name]))) for name in (IMAGE, MASK))
    mask = (mask > 0).astype(np.uint8)
    for split, rows in SPLITS.items():
        for kind, array in (('images', image), ('masks', mask)):
            buffer = io.BytesIO()
            Image.fromarray(array[rows]).save(buffer, format='PNG')
            write_atomic(out_dir / split / kind / 'nuclei.png', buffer.getvalue())


def main(argv: list[str] | None = None) -> None:
    """Make the set unless it is there."""
    print(run_converter(REQUIREMENT, 'data/nuclei', is_complete, convert, argv))


if __name__ == '__main__':
    main()
