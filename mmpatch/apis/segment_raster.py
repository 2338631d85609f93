"""Segmentation of images that do not fit into memory, from file to file."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.shutil import copy
from rasterio.windows import Window

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.models.segmentors import PatchSegmentor
from mmpatch.utils.files import write_atomic
from mmpatch.visualization.mask_page import draw_mask_page, visible, visible_range

Labels = npt.NDArray[np.uint8]


def segment_raster(
    model: PatchSegmentor,
    image: RasterImage,
    out: Path,
    palette: Sequence[Sequence[int]] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Segment an image row of patches by row of patches, and write a tiled GeoTIFF or PNG of labels.

    Rows are kept in a folder beside the output until all are there; an interrupted run goes on
    with the first row that is missing, and ends with the same file. Coordinate system and
    transform of the image are kept.

    Args:
        model: In evaluation mode, on its device.
        image: What to segment.
        out: File to write; as PNG with the suffix ``.png``, else as GeoTIFF.
        palette: Colours of the classes, stored in the file.
        say: Takes lines on the progress.

    Raises:
        ValueError: If rows are there that another model or image gave.
        OSError: If the disk is full; finished rows stay.
    """
    image.advise_tiling()
    folder = out.with_name(out.name + '.parts')
    batch = model.cut_images([image])
    grid = batch.grids[0]
    _claim(folder, _identity(model, image), out)
    done = 0
    while (folder / f'{done}.npz').is_file():
        done += 1
    if done:
        say(f'{done} of {grid.rows} rows of patches are there already')
    first, start = done + 1, time.monotonic()
    try:
        for labels in _rows(model, batch, done):
            _save(folder / f'{done}.npz', labels)
            done += 1
            if done == first:  # it took the start as well: the next ones say how long a row takes
                start = time.monotonic()
                say(f'row {done} of {grid.rows}')
                continue
            left = (time.monotonic() - start) / (done - first) * (grid.rows - done)
            say(f'row {done} of {grid.rows}, {_duration(left)} left')
        strips = (np.load(folder / f'{row}.npz')['labels'] for row in range(grid.rows))
        _write(out, strips, image.profile, palette)
    except OSError as error:
        if error.errno != errno.ENOSPC and 'space' not in str(error):
            raise
        raise OSError(
            errno.ENOSPC,
            f'the disk is full: {done} of {grid.rows} rows are kept in {folder}; make room and '
            'run the same command again',
        ) from error
    shutil.rmtree(folder)


def draw_overlay(
    image: RasterImage, labels: Path, out: Path, meta: Mapping[str, Any], side: int = 1000
) -> None:
    """Draw an image and its labels side by side, reduced, and in details where classes meet.

    Args:
        image: What was segmented.
        labels: What :func:`segment_raster` wrote.
        out: PNG to write.
        meta: ``classes`` and ``palette``, if they are known.
        side: Longer side of a panel at most [px].
    """
    mask = RasterImage(labels, fill=None)
    height, width = image.shape[1:]
    shrink = max(1.0, max(height, width) / side)
    overview = image.view((0, 0, width, height), (round(height / shrink), round(width / shrink)))
    span = visible_range(overview)
    page = draw_mask_page(
        Path(image.path).name,
        (height, width),
        lambda region, size: visible(image.view(region, size), span),
        {'prediction': lambda region, size: mask.view(region, size, nearest=True)[..., 0]},
        meta,
        side,
    )
    mmcv.imwrite(page[..., ::-1], str(out))


def _rows(model: PatchSegmentor, batch: Any, first: int) -> Iterator[Labels]:
    """Labels (P or less, W) of each row of patches from row ``first`` on."""
    grid, side = batch.grids[0], batch.patch_size
    if first == grid.rows:
        return
    cols = grid.cols
    rows: dict[int, Labels] = {}
    missing: dict[int, int] = {}
    following = first
    for indices, logits in model.sweep_logits(batch, first * cols):
        for index, labels in zip(indices.tolist(), model.classify(logits).cpu().numpy()):
            row, col = divmod(index, cols)
            if row < first:
                continue
            if row not in rows:
                height = min(side, grid.height - row * side)
                rows[row] = np.empty((height, grid.width), dtype=np.uint8)
                missing[row] = cols
            place = rows[row][:, col * side : (col + 1) * side]
            place[:] = labels[: place.shape[0], : place.shape[1]]
            missing[row] -= 1
        while missing.get(following) == 0:
            yield rows.pop(following)
            following += 1


def _claim(folder: Path, identity: dict[str, Any], out: Path) -> None:
    """Make the folder for rows, or check that what is in it comes from the same model and image."""
    note = folder / 'made_from.json'
    if note.is_file():
        found = json.loads(note.read_text())
        different = [key for key in identity if found.get(key) != identity[key]]
        if different:
            raise ValueError(
                f'{folder} holds rows of an interrupted run with another {" and ".join(different)}'
                f': remove the folder to start anew, or write to another file than {out}'
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(note, json.dumps(identity).encode())


def _identity(model: PatchSegmentor, image: RasterImage) -> dict[str, Any]:
    digest = hashlib.sha256(repr((model.patch_size, model.halo, image.bands)).encode())
    for name, value in model.state_dict().items():
        digest.update(
            name.encode() + value.cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes()
        )
    status = os.stat(image.path)
    file = [os.path.abspath(image.path), status.st_size, status.st_mtime_ns]
    return {'model': digest.hexdigest(), 'image': file}


def _save(path: Path, labels: Labels) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, labels=labels)
    write_atomic(path, buffer.getvalue())


def _write(
    out: Path,
    strips: Iterator[Labels],
    profile: dict[str, Any],
    palette: Sequence[Sequence[int]] | None,
) -> None:
    part = out.with_name(f'.{out.name}.part')
    png = part.with_suffix('.png')
    settings = dict(
        driver='GTiff',
        dtype='uint8',
        count=1,
        width=profile['width'],
        height=profile['height'],
        crs=profile.get('crs'),
        transform=profile.get('transform'),
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress='deflate',
        bigtiff='if_safer',
    )
    try:
        with rasterio.open(part, 'w', **settings) as target:
            if palette is not None:
                target.write_colormap(1, {i: (*map(int, c), 255) for i, c in enumerate(palette)})
            top = 0
            for labels in strips:
                target.write(labels, 1, window=Window(0, top, labels.shape[1], labels.shape[0]))
                top += labels.shape[0]
        if out.suffix.lower() == '.png':  # its rows can only be written from first to last
            copy(part, png, driver='PNG', worldfile='NO')
            os.replace(png, part)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
        png.unlink(missing_ok=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {seconds} s'
