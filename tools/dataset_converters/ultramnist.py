"""UltraMNIST of any size: digits of very different scale on a black canvas; the class is their sum.

Usage:
    python tools/dataset_converters/ultramnist.py                                   # 512 px, sums 0 to 9
    python tools/dataset_converters/ultramnist.py --side 4096 --classes 28 --out data/ultramnist
    python tools/dataset_converters/ultramnist.py --mnist FOLDER                    # digits of MNIST's IDX files
    python tools/dataset_converters/ultramnist.py --digits 1 3 --side 128 --out data/digits-128   # small images
    python tools/dataset_converters/ultramnist.py --kaggle FOLDER --out data/ultramnist           # Kaggle's images

Three to five digits (``--digits``) lie on a canvas and do not overlap. Sums are uniform over the classes, then the
number of digits, then their combinations with that sum; sizes are uniform in their logarithm. Without MNIST, digits are
the 1797 real ones (8 x 8 px) that the PyPI wheel of scikit-learn carries. Digits of the test images occur in no
training image.

Writes ``OUT/{train,val,test}.csv`` (id, digit_sum) and ``OUT/{train,val,test}/ID.png``. ``val`` is for choosing
settings; its digits are those of training. The same seed gives the same files, however many workers draw them; images
that are there are not drawn again. ``OUT/made_with.json`` notes the settings; a later call with other ones is refused,
but for the numbers of images.

With ``--kaggle``, FOLDER holds Kaggle's ``train.csv`` and ``train``. Eight of ten images are for training, one for
choosing settings and one for testing. The paper does not say which ones it took; here a seed draws them. The folders
in OUT are links then.
"""

import argparse
import functools
import gzip
import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.utils import track_parallel_progress
from numpy.typing import NDArray
from PIL import Image

from mmpatch.datasets.conversion import claim_output
from mmpatch.datasets.digit_scenes import digits_with_sum
from mmpatch.datasets.wheel_files import fetched_wheel, read_wheel_files
from mmpatch.utils.files import write_atomic

REQUIREMENT = 'scikit-learn==1.5.2'
MEMBER = 'sklearn/datasets/data/digits.csv.gz'
MEMBERS = {MEMBER: '09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22'}
#: A digit out of this many goes to the test images.
TEST_SHARE = 5
#: Places tried for a digit before all sizes are drawn anew.
TRIES = 200
SPLITS = ('train', 'test', 'val')

#: Grey digits (N, h, w) uint8 and what they are (N,).
Digits = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read_sklearn(wheel: Path | None) -> Digits:
    """The digits of scikit-learn's wheel, which pip fetches if it is not given."""
    with fetched_wheel(REQUIREMENT, wheel) as path:
        packed = read_wheel_files(path, MEMBERS)[MEMBER]
    table = np.loadtxt(io.BytesIO(gzip.decompress(packed)), delimiter=',')
    pixels = (table[:, :64] / 16 * 255).round().astype(np.uint8).reshape(-1, 8, 8)
    return pixels, table[:, 64].astype(np.int64)


def read_mnist(folder: Path) -> Digits:
    """The digits of MNIST's IDX files (train and t10k), packed or not.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If one is no IDX file.
    """
    images, labels = [], []
    for part in ('train', 't10k'):
        images.append(_read_idx(folder, f'{part}-images-idx3-ubyte', 3))
        labels.append(_read_idx(folder, f'{part}-labels-idx1-ubyte', 1))
    return np.concatenate(images), np.concatenate(labels).astype(np.int64)


def _read_idx(folder: Path, name: str, axes: int) -> NDArray[np.uint8]:
    for path in (folder / name, folder / f'{name}.gz'):
        if path.is_file():
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == '.gz' else data
            start = 4 + 4 * axes
            shape = np.frombuffer(data[4:start], dtype='>i4')
            if data[:4] != bytes([0, 0, 8, axes]) or len(data) != start + shape.prod():
                raise ValueError(f'{path} is no IDX file of {axes} axes, or truncated')
            return np.frombuffer(data[start:], dtype=np.uint8).reshape(shape)
    raise FileNotFoundError(f'no {name} (or {name}.gz) in {folder.resolve()}')


def draw(
    digits: Digits,
    total: int,
    counts: tuple[int, int],
    side: int,
    sizes: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """One image.

    Args:
        digits: To choose from.
        total: Sum of the digits that are drawn.
        counts: Fewest and most digits.
        side: Side of the canvas [px].
        sizes: Smallest and largest side of a digit [px].
        rng: Source of all randomness.

    Returns:
        (side, side) uint8.
    """
    values = digits_with_sum(total, counts, rng)
    while True:
        lengths = np.exp(rng.uniform(*np.log(sizes), len(values))).round().astype(int)
        boxes: list[tuple[int, int, int]] = []
        for length in sorted(lengths.tolist(), reverse=True):
            for y, x in rng.integers(0, side - length + 1, (TRIES, 2)).tolist():
                if all(
                    y + length <= v or v + s <= y or x + length <= u or u + s <= x
                    for v, u, s in boxes
                ):
                    boxes.append((y, x, length))
                    break
        if len(boxes) == len(values):
            break
    canvas = np.zeros((side, side), dtype=np.uint8)
    pixels, labels = digits
    for value, (y, x, length) in zip(rng.permutation(values), boxes):
        chosen = pixels[rng.choice(np.flatnonzero(labels == value))]
        how = cv2.INTER_AREA if length < len(chosen) else cv2.INTER_CUBIC
        canvas[y : y + length, x : x + length] = cv2.resize(
            chosen, (length, length), interpolation=how
        )
    return canvas


def draw_to(
    place: tuple[str, int], digits: dict[str, Digits], args: argparse.Namespace
) -> tuple[str, int]:
    """Draw one image to its file, unless it is there; returns its name and its class."""
    split, number = place
    rng = np.random.default_rng([args.seed, SPLITS.index(split), number])
    total = int(rng.integers(args.classes))
    path = args.out / split / f'{number:06d}.png'
    if not path.is_file():
        sizes = (args.smallest, args.largest)
        image = draw(digits[split], total, tuple(args.digits), args.side, sizes, rng)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, format='PNG')
        write_atomic(path, buffer.getvalue())
    return path.stem, total


def split_kaggle(folder: Path, out: Path, seed: int) -> dict[str, int]:
    """Share Kaggle's images out: lists in ``out``, and links to the folder of images.

    Args:
        folder: Holds ``train.csv`` and ``train``.
        out: Folder to write to.
        seed: Of the order.

    Returns:
        Number of images in each split.

    Raises:
        FileNotFoundError: If the list or the images are missing.
        ValueError: If ``out`` was made otherwise, or is Kaggle's folder.
    """
    for path in (folder / 'train.csv', folder / 'train'):
        if not path.exists():
            raise FileNotFoundError(f'no {path.resolve()}: pass the folder of the archive')
    if out.resolve() == folder.resolve():
        raise ValueError(f'--out {out} is the folder of the archive: choose another one')
    head, *rows = (folder / 'train.csv').read_text().split()
    claim_output(out, dict(kaggle=len(rows), seed=seed))
    rows = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    tenth = len(rows) // 10
    shares = {'train': rows[2 * tenth :], 'val': rows[:tenth], 'test': rows[tenth : 2 * tenth]}
    for split, chosen in shares.items():
        write_atomic(out / f'{split}.csv', '\n'.join([head, *sorted(chosen), '']).encode())
        if not (out / split).is_symlink():
            (out / split).symlink_to((folder / 'train').resolve())
    return {split: len(chosen) for split, chosen in shares.items()}


def settings_of(
    args: argparse.Namespace, pixels: NDArray[np.uint8], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """All that an image depends on beside its split and number."""
    names = ('side', 'classes', 'digits', 'smallest', 'largest', 'seed')
    source = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()[:16]
    return {**{name: getattr(args, name) for name in names}, 'digit_images': source}


def main(argv: list[str] | None = None) -> None:
    """Draw all images that are missing, and write the lists."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('data/digits'))
    parser.add_argument('--side', type=int, default=512, help='of an image [px]')
    parser.add_argument(
        '--classes', type=int, default=10, help='sums 0 to CLASSES - 1; 28 in Kaggle'
    )
    parser.add_argument(
        '--digits',
        type=int,
        nargs=2,
        default=(3, 5),
        metavar=('FEWEST', 'MOST'),
        help='of an image',
    )
    parser.add_argument('--train', type=int, default=6400, help='number of images')
    parser.add_argument('--val', type=int, default=800, help='number of images')
    parser.add_argument('--test', type=int, default=800, help='number of images')
    parser.add_argument('--smallest', type=int, default=8, help='side of a digit [px]')
    parser.add_argument(
        '--largest',
        type=int,
        help='side of a digit [px]; 252, or a third of the side (all of it if there may be a single one)',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--mnist', type=Path, help="folder with MNIST's four IDX files")
    parser.add_argument('--wheel', type=Path, help=f'a wheel of {REQUIREMENT} that is already here')
    parser.add_argument('--kaggle', type=Path, help="folder of Kaggle's train.csv and train")
    args = parser.parse_args(argv)
    if args.kaggle:
        try:
            counts = split_kaggle(args.kaggle, args.out, args.seed)
        except (FileNotFoundError, ValueError) as error:
            sys.exit(f'error: {error}')
        shared = ', '.join(f'{count} for {split}' for split, count in counts.items())
        print(f'shared the images out in {args.out}: {shared}')
        return
    fewest, most = args.digits
    if not 1 <= fewest <= most <= 9:
        parser.error(f'--digits must be two rising numbers of 1 to 9, got {fewest} {most}')
    room = args.side if fewest == 1 else args.side // 3
    args.largest = args.largest or min(252, room)
    if not 1 <= args.smallest <= args.largest <= room or args.smallest * most > args.side:
        parser.error(
            f'{fewest} to {most} digits of {args.smallest} to {args.largest} px do not fit onto '
            f'{args.side} px: the largest may have {room} px, the smallest {args.side // most} px'
        )
    if not 1 <= args.classes <= 9 * most + 1:
        parser.error(f'--classes must be 1 to {9 * most + 1}, got {args.classes}')
    try:
        pixels, labels = read_mnist(args.mnist) if args.mnist else read_sklearn(args.wheel)
        claim_output(args.out, settings_of(args, pixels, labels))
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f'error: {error}')
    held_back = np.arange(len(labels)) % TEST_SHARE == 0
    digits = {
        'train': (pixels[~held_back], labels[~held_back]),
        'test': (pixels[held_back], labels[held_back]),
    }
    digits['val'] = digits['train']
    for split in SPLITS:
        (args.out / split).mkdir(parents=True, exist_ok=True)
        places = [(split, number) for number in range(getattr(args, split))]
        work = functools.partial(draw_to, digits=digits, args=args)
        rows = (
            track_parallel_progress(work, places, args.workers, keep_order=True) if places else []
        )
        lines = ['id,digit_sum', *(f'{name},{total}' for name, total in rows)]
        write_atomic(args.out / f'{split}.csv', ('\n'.join(lines) + '\n').encode())
    print(
        f'\nwrote {args.train} training, {args.val} validation and {args.test} test images to {args.out}'
    )


if __name__ == '__main__':
    main()
