"""The visualizer of masks in very large images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import master_only
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer
from numpy.typing import NDArray

from mmpatch.registry import VISUALIZERS

from .canvas import Canvas, Colour, Region
from .colours import class_colours
from .detail_regions import choose_regions
from .layout import GAP, TEXT_SIZE, below, beside, framed, legend, paragraph

WRONG: Colour = (255, 30, 60)
TINT = 0.35
#: Captions are at least this wide [px].
MIN_WIDTH = 480


@VISUALIZERS.register_module()
class PatchSegVisualizer(SegLocalVisualizer):
    """Draws image, labels and prediction side by side, whole and in details.

    Classes are tinted and outlined, so that what lies below stays visible. Where there are both
    labels and a prediction, the prediction's wrong pixels are marked red and the details lie where
    most of them are. Images of more than 8 bits are stretched to what the eye sees.

    Args:
        panel_side: Longer side of a panel at most [px]; small images are magnified.
        max_details: Details at most.

    All other arguments are those of :class:`mmseg.visualization.SegLocalVisualizer`; ``alpha`` has
    no effect.
    """

    def __init__(
        self,
        name: str = 'visualizer',  # mmengine's registry of instances wants it in the signature
        *args: Any,
        panel_side: int = 640,
        max_details: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, *args, **kwargs)
        self.panel_side = panel_side
        self.max_details = max_details

    @master_only
    def add_datasample(
        self,
        name: str,
        image: NDArray[Any],
        data_sample: SegDataSample | None = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        out_file: str | None = None,
        step: int = 0,
        with_labels: bool | None = True,
    ) -> None:
        """Draw an image with its masks; show it, save it, or give it to the backends.

        Args:
            name: Name of the picture.
            image: (H, W, 3) RGB; read again from the sample's file if that has more than 8 bits.
            data_sample: Holds ``gt_sem_seg`` and/or ``pred_sem_seg``.
            draw_gt: Draw the labels, if there are any.
            draw_pred: Draw the prediction, if there is one.
            show: Open a window.
            wait_time: Seconds that the window stays; 0: until a key is pressed.
            out_file: Save the picture to this file and not to the backends.
            step: Step that the backends note.
            with_labels: No effect; the legend names the classes.
        """
        sample = SegDataSample() if data_sample is None else data_sample.cpu()
        path = sample.metainfo.get('img_path')
        masks = {}
        if draw_gt and 'gt_sem_seg' in sample:
            masks['labels'] = sample.gt_sem_seg.data[0].numpy().astype(int)
        if draw_pred and 'pred_sem_seg' in sample:
            masks['prediction'] = sample.pred_sem_seg.data[0].numpy().astype(int)
        page = self._page(Path(path or name).name, _visible(image, path), masks)
        if show:
            self.show(page, win_name=name, wait_time=wait_time)
        if out_file is not None:
            mmcv.imwrite(page[..., ::-1], out_file)
        else:
            self.add_image(name, page, step)

    def _page(
        self, title: str, image: NDArray[Any], masks: dict[str, NDArray[Any]]
    ) -> NDArray[Any]:
        """The picture (h, w, 3)."""
        height, width = image.shape[:2]
        meta = self.dataset_meta or {}
        classes = tuple(meta.get('classes') or ())
        count = max([len(classes), *(int(m[m < 255].max(initial=0)) + 1 for m in masks.values())])
        palette = meta.get('palette') or [[0, 0, 0], *np.eye(3, dtype=int)[:2].tolist()]
        colours = class_colours([*palette, *palette * count][:count])
        wrong = np.zeros((height, width), dtype=bool)
        if len(masks) == 2:
            wrong = (masks['labels'] != masks['prediction']) & (masks['labels'] != 255)
        scale = min(self.panel_side / max(height, width), 4.0)
        scale = float(int(scale)) if scale >= 1 else scale
        rows = [self._panels(image, masks, wrong, colours, (0, 0, width, height), scale)]
        if scale < 1:
            points = np.argwhere(
                wrong if wrong.any() else _edges(next(iter(masks.values()), wrong))
            )
            points = points[:: max(1, len(points) // 20_000), ::-1]
            side = self.panel_side
            regions = choose_regions(points, (height, width), side, self.max_details)
            rows += [self._panels(image, masks, wrong, colours, x, 1.0) for x in regions]
        room = max(MIN_WIDTH, rows[0].shape[1])
        swatches = [
            (np.full((14, 22, 3), colours[i], dtype=np.uint8), name)
            for i, name in enumerate(classes)
            if i > 0 or len(classes) > 2
        ]
        if len(masks) == 2:
            text = f'wrong, {100 * wrong.mean():.2f} % of the pixels'
            swatches.append((np.full((14, 22, 3), WRONG, dtype=np.uint8), text))
        seen = f'reduced to {scale:.0%}, details in full size' if scale < 1 else f'x {scale:.0f}'
        caption = f'{title}, {width} x {height} px, {seen}: image' + ''.join(
            f', {name}' for name in masks
        )
        return framed(
            below([paragraph(caption, room), legend(swatches, room, TEXT_SIZE), *rows], GAP // 2)
        )

    @staticmethod
    def _panels(
        image: NDArray[Any],
        masks: dict[str, NDArray[Any]],
        wrong: NDArray[Any],
        colours: list[Colour],
        region: Region,
        scale: float,
    ) -> NDArray[Any]:
        """Image, labels and prediction of a region, side by side."""
        x0, y0, x1, y1 = region
        base = Canvas.view(image, region, scale).pixels
        panels = [base]
        for name, mask in masks.items():
            part = _resize(mask[y0:y1, x0:x1], (base.shape[0], base.shape[1]))
            mistakes = _resize(wrong[y0:y1, x0:x1], (base.shape[0], base.shape[1])) & (
                name == 'prediction'
            )
            panels.append(_tinted(base, part, colours, mistakes))
        return beside(panels)


def _tinted(
    image: NDArray[Any], mask: NDArray[Any], colours: list[Colour], mistakes: NDArray[Any]
) -> NDArray[Any]:
    """Classes in their colours over an image, outlined; background of a binary mask left as is."""
    out: NDArray[Any] = image.astype(np.float32)
    for label, colour in enumerate(colours):
        if label == 0 and len(colours) == 2:
            continue
        place = mask == label
        out[place] = out[place] * (1 - TINT) + np.array(colour) * TINT
        out[place & _edges(mask)] = colour
    out[mistakes] = out[mistakes] * 0.3 + np.array(WRONG) * 0.7
    return out.astype(np.uint8)


def _edges(mask: NDArray[Any]) -> NDArray[Any]:
    """Pixels whose left or upper neighbour is of another class, and those neighbours."""
    edges = np.zeros(mask.shape, dtype=bool)
    down, right = mask[1:] != mask[:-1], mask[:, 1:] != mask[:, :-1]
    edges[1:] |= down
    edges[:-1] |= down
    edges[:, 1:] |= right
    edges[:, :-1] |= right
    return edges


def _resize(mask: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    rows = (np.arange(size[0]) * mask.shape[0] / size[0]).astype(int)
    cols = (np.arange(size[1]) * mask.shape[1] / size[1]).astype(int)
    return mask[rows][:, cols]


def _visible(image: NDArray[Any], path: str | None) -> NDArray[Any]:
    """RGB uint8; files of more than 8 bits are read again and stretched."""
    if path is not None and Path(path).is_file():
        raw = mmcv.imread(path, flag='unchanged')
        if raw is not None and raw.dtype != np.uint8:
            raw = raw if raw.ndim == 3 else raw[..., None]
            image = raw[..., [2, 1, 0]] if raw.shape[2] >= 3 else raw[..., [0, 0, 0]]
    if image.dtype != np.uint8:
        low, high = np.percentile(image, [0.5, 99.8])
        image = (image.astype(np.float32) - low) / max(high - low, 1e-6)
        image = (np.sqrt(image.clip(0, 1)) * 255).astype(np.uint8)
    return image
