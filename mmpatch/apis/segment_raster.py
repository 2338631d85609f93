"""Segmentation of images that do not fit into memory, from file to file."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.shutil import copy
from rasterio.windows import Window
from rich.progress import track
from torch import nn

from mmpatch.datasets.raster_image import RasterImage
from mmpatch.models.segmentors import PatchSegmentor
from mmpatch.utils.files import write_atomic
from mmpatch.visualization.mask_page import draw_mask_page, visible, visible_range

Labels = npt.NDArray[np.uint8]
#: Label of pixels without data.
IGNORED = 255
#: Attributes of models that change speed and memory, never the result.
WITHOUT_EFFECT = ('chunk_size', 'training')
#: Differences that a message lists.
SHOWN = 5


def segment_raster(
    model: PatchSegmentor,
    image: RasterImage,
    out: Path,
    palette: Sequence[Sequence[int]] | None = None,
    show_progress: bool = True,
) -> None:
    """Segment an image row of patches by row of patches, and write a tiled GeoTIFF or PNG of labels.

    Rows are kept in a folder beside the output until all are there. An interrupted run goes on with
    the first row that is missing, and ends with the same file. Coordinate system and transform of the
    image are kept. Pixels that have no data in any band of the image get the label 255, which the file
    declares as its nodata value.

    Args:
        model: In evaluation mode, on its device.
        image: What to segment.
        out: File to write; as PNG with the suffix ``.png``, else as GeoTIFF.
        palette: Colours of the classes, stored in the file.
        show_progress: Show a progress bar.

    Raises:
        ValueError: If rows are there that another model, image, or setting gave.
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
    rows = track(
        _rows(model, image, batch, done),
        f'Segmenting {Path(image.path).name}',
        total=grid.rows,
        completed=done,
        disable=not show_progress,
    )
    try:
        for labels in rows:
            _save(folder / f'{done}.npz', labels)
            done += 1
        strips = (np.load(folder / f'{row}.npz')['labels'] for row in range(grid.rows))
        _write(out, strips, image, palette)
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


def _rows(model: PatchSegmentor, image: RasterImage, batch: Any, first: int) -> Iterator[Labels]:
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
            if image.may_lack_data:
                left, top = col * side, row * side
                region = (left, top, left + place.shape[1], top + place.shape[0])
                place[image.lacks_data(region)] = IGNORED
            missing[row] -= 1
        while missing.get(following) == 0:
            yield rows.pop(following)
            following += 1


def _claim(folder: Path, identity: dict[str, Any], out: Path) -> None:
    """Make the folder for rows, or check that its rows come from the same model, settings and image."""
    note = folder / 'made_from.json'
    if note.is_file():
        found = json.loads(note.read_text())
        different = [key for key in ('model', 'image') if found.get(key) != identity[key]]
        before, now = found.get('settings', {}), identity['settings']
        different += [
            f'{name} ({before.get(name)!r}, now {now.get(name)!r})'
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
        if different:
            raise ValueError(
                f'{folder} holds rows of an interrupted run with another '
                f'{", ".join(different[:SHOWN])}: remove the folder to start anew, or write to '
                f'another file than {out}'
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(note, json.dumps(identity).encode())


def _identity(model: PatchSegmentor, image: RasterImage) -> dict[str, Any]:
    """All that labels depend on, as JSON holds it: weights, image, and settings of both."""
    digest = hashlib.sha256()
    buffers = model.named_buffers()  # those that are not saved as well: means, standard deviations
    for name, value in (*model.named_parameters(), *buffers):
        raw = value.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes()
        digest.update(name.encode() + raw)
    status = os.stat(image.path)
    file = [os.path.abspath(image.path), status.st_size, status.st_mtime_ns]
    settings = _settings(model) | {'bands': image.bands, 'fill': image.fill}
    identity = {'model': digest.hexdigest(), 'image': file, 'settings': settings}
    found: dict[str, Any] = json.loads(json.dumps(identity))
    return found


def _settings(model: nn.Module) -> dict[str, Any]:
    """Plain attributes of all modules by their dotted names: ``blend``, ``aggregator.fusion`` and more.

    What the constructor of a module keeps is what its result depends on beside weights. A list of
    names here would miss the next setting that somebody adds.
    """
    return {
        f'{prefix}.{name}'.lstrip('.'): value
        for prefix, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, (bool, int, float, str, type(None))) and name not in WITHOUT_EFFECT
    }


def _save(path: Path, labels: Labels) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, labels=labels)
    write_atomic(path, buffer.getvalue())


def _write(
    out: Path,
    strips: Iterator[Labels],
    image: RasterImage,
    palette: Sequence[Sequence[int]] | None,
) -> None:
    part = out.with_name(f'.{out.name}.part')
    png = part.with_suffix('.png')
    settings = dict(
        driver='GTiff',
        dtype='uint8',
        count=1,
        width=image.shape[2],
        height=image.shape[1],
        crs=image.profile.get('crs'),
        transform=image.profile.get('transform'),
        nodata=IGNORED if image.may_lack_data else None,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress='deflate',
        bigtiff='if_safer',
    )
    try:
        with rasterio.open(part, 'w', **settings) as target:
            if palette is not None:
                colours = {i: (*map(int, c), 255) for i, c in enumerate(palette)}
                target.write_colormap(1, {**colours, IGNORED: (0, 0, 0, 0)})
            top = 0
            for labels in strips:
                target.write(labels, 1, window=Window(0, top, labels.shape[1], labels.shape[0]))
                top += labels.shape[0]
        if out.suffix.lower() == '.png':  # its rows can only be written from first to last
            # PNG has no place for coordinates; GDAL would leave them in a file beside it.
            with rasterio.Env(GDAL_PAM_ENABLED='NO'):
                copy(part, png, driver='PNG', worldfile='NO')
            os.replace(png, part)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
        png.unlink(missing_ok=True)
