"""What post-processing chooses from, gathered patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .fcos_loss import Maps


def split_maps(maps: Maps, sizes: Sequence[int]) -> list[Maps]:
    """Split predictions at S patches into groups of so many patches each."""
    kinds = [list(zip(*(level.split(sizes) for level in kind))) for kind in maps]
    return [(list(scores), list(boxes), list(centers)) for scores, boxes, centers in zip(*kinds)]


class Candidates:
    """The best points of each feature level of an image.

    They are those that mmdet takes from the maps of a whole image: above ``score_thr`` and, of each
    level, the ``nms_pre`` of the highest class scores. The best of an image are among the best of
    its parts. So no more than these are kept, however large the image is.

    Args:
        head: An anchor-free head with ``test_cfg`` and a box coder.
        size: Height and width of the image [px]; boxes are clipped to it.
    """

    def __init__(self, head: Any, size: tuple[int, int]) -> None:
        self.head = head
        self.size = size
        self.limit = head.test_cfg.get('nms_pre', -1)
        self.levels: list[InstanceData] = []

    def add(self, maps: Maps, origins: Tensor) -> None:
        """Add S patches.

        Args:
            maps: Class scores (S, classes, h_l, w_l) before the sigmoid, boxes (S, 4, h_l, w_l) and
                centernesses (S, 1, h_l, w_l) of each level.
            origins: (S, 2) upper left corners of the patches in the image, (y, x) [px].
        """
        scores, boxes, centers = maps
        points = self.head.prior_generator.grid_priors(
            [level.shape[-2:] for level in scores], scores[0].dtype, scores[0].device
        )
        corners = origins.flip(1).to(points[0])[:, None]
        places = [(level + corners).flatten(0, 1) for level in points]
        found = list(map(self._of_level, scores, boxes, centers, places))
        if self.levels:
            found = [
                self._best(both.scores, both)
                for both in map(InstanceData.cat, zip(self.levels, found))
            ]
        self.levels = found

    def all(self) -> InstanceData:
        """``bboxes`` (N, 4) [px], ``scores``, ``labels`` and ``score_factors`` (N,), the finest level first."""
        return InstanceData.cat(self.levels)

    def _of_level(
        self, scores: Tensor, boxes: Tensor, centers: Tensor, points: Tensor
    ) -> InstanceData:
        """The best of some patches on one level; points (S * h_l * w_l, 2) of the image [px]."""
        scores, boxes, centers = (x.movedim(1, -1).flatten(0, 2) for x in (scores, boxes, centers))
        scores = scores.sigmoid() if self.head.use_sigmoid_cls else scores.softmax(-1)[:, :-1]
        chosen = (scores > self.head.test_cfg.get('score_thr', 0)).nonzero()
        kept, labels = self._best(scores[tuple(chosen.T)], chosen).T
        found = InstanceData(scores=scores[kept, labels], labels=labels)
        found.bboxes = self.head.bbox_coder.decode(points[kept], boxes[kept], max_shape=self.size)
        found.score_factors = centers[kept, 0].sigmoid()
        return found

    def _best(self, scores: Tensor, found: Any) -> Any:
        """As many of ``found`` as are kept of one level; the first ones of those with one score."""
        order = torch.sort(scores, descending=True, stable=True).indices
        return found[order[: self.limit] if self.limit > 0 else order]
