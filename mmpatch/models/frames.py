"""Which objects the patches learn, and which the global patch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmpatch.patching import PatchBatch, PatchGrid

#: The data samples of a batch's images.
Samples = Sequence[Any]


#: Shortest detection of a global patch, as a share of the shortest object that it learns.
SHORTEST_FOUND = 0.7


class FrameSplit:
    """Gives every object to the frame that sees it best: a patch, or the global patch.

    An object is measured by the longer side of its box. The global patch learns it if it covers
    enough cells of the finest feature level there. Patches learn it if it is a good deal shorter
    than a patch. An object that is too long for a patch and too small in the global patch stays with
    the patches, so none is lost. An object between the two limits belongs to both frames.

    What a frame does not learn is left out there, in training and in prediction: neither object nor
    background, as in SNIP (Singh and Davis, 2018). Learnt as background in one frame, an object would
    be harder to find in the other, which shares the weights. In training, heads of mmdet know nothing
    of it and take these objects for background.

    Args:
        patch_size: Side P of a patch [px].
        stride: Finest stride of the feature levels [px].
        min_cells: Cells of the finest level that the shortest object of the global patch covers.
        max_share: Longest object of the patches, as a share of P.

    Raises:
        ValueError: If one of them is not positive.
    """

    def __init__(
        self, patch_size: int, stride: int, min_cells: float = 2.0, max_share: float = 0.5
    ) -> None:
        if min(patch_size, stride, min_cells, max_share) <= 0:
            raise ValueError(
                'global_frame needs a positive stride, min_cells and max_share, got '
                f'{stride}, {min_cells} and {max_share}: min_cells counts cells of the finest '
                'feature level, max_share is a share of the patch size'
            )
        self.patch_size = patch_size
        self.stride = stride
        self.min_cells = min_cells
        self.max_share = max_share

    def check_levels(self, regress_ranges: Sequence[tuple[float, float]]) -> None:
        """Check that the feature levels reach as far as the frames need.

        Args:
            regress_ranges: Distances from a point to the sides of its box that each level learns
                [px]. A level learns boxes of up to twice that length.

        Raises:
            ValueError: If objects of some sizes would belong to no frame.
        """
        longest = 2 * max(end for _, end in regress_ranges)
        if longest < self.patch_size:
            raise ValueError(
                f'regress_ranges end at {longest / 2:g} px, so no level learns boxes longer than '
                f'{longest:g} px, but boxes in the global patch are up to {self.patch_size} px long '
                '(patch_size). Objects of these sizes would belong to no frame: let the last range '
                'end at 1e8'
            )

    def limits(self, grid: PatchGrid) -> tuple[float, float]:
        """Shortest object of the global patch and longest of the patches, in an image's pixels.

        Args:
            grid: The image's grid.
        """
        shortest = self.min_cells * self.stride / min(grid.global_scale)
        return shortest, max(self.max_share * self.patch_size, shortest)

    def __call__(self, batch: PatchBatch[object], samples: Samples) -> tuple[Samples, Samples]:
        """Share the objects of a batch out.

        Args:
            batch: The images.
            samples: Their data samples.

        Returns:
            Data samples of the images with what their patches learn, and data samples of the global
            patches, in their coordinates, with what these learn. ``left_out`` of each are the objects
            of the other frame alone.
        """
        local, large = [], []
        for grid, sample in zip(batch.grids, samples):
            shortest, longest = self.limits(grid)
            sides = _longer_sides(sample.gt_instances)
            local.append(_learns(sample, sides <= longest))
            large.append(_learns(sample, sides >= shortest, grid.global_scale))
        return local, large

    def together(self, grid: PatchGrid, local: InstanceData, large: InstanceData) -> InstanceData:
        """What patches and the global patch found, each in its own coordinates; in those of the image."""
        return InstanceData.cat(
            [self.from_patches(grid, local), self.from_global_patch(grid, large)]
        )

    def from_patches(self, grid: PatchGrid, found: InstanceData) -> InstanceData:
        """Detections in patches without those that are longer than any object that patches learn.

        These are parts of large objects, which the global patch finds whole.

        Args:
            grid: The image's grid.
            found: The detections, in coordinates of the image.
        """
        return found[_longer_sides(found) <= self.limits(grid)[1]]

    def from_global_patch(self, grid: PatchGrid, found: InstanceData) -> InstanceData:
        """Detections in a global patch, in coordinates of the image and clipped to it.

        Detections that are much smaller than any object of the global patch are left out: it learnt
        nothing about objects of their size.

        Args:
            grid: The image's grid.
            found: The detections, in coordinates of the global patch.
        """
        height, width = grid.global_scale
        found = _scaled(found, (1 / height, 1 / width))
        found = found[_longer_sides(found) >= SHORTEST_FOUND * self.limits(grid)[0]]
        found.bboxes[:, 0::2].clamp_(0, grid.width)
        found.bboxes[:, 1::2].clamp_(0, grid.height)
        return found


#: How far the scale of a global patch in prediction may lie beyond those of the training.
SCALE_TOLERANCE = 1.5


class SeenScales(nn.Module):
    """Remembers how much training shrank images to their global patches; saved in checkpoints.

    Attributes:
        range: Smallest and largest scale so far, (2,).
    """

    range: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer('range', torch.tensor([float('inf'), 0.0]))
        self._warned = False

    def note(self, grids: Sequence[PatchGrid]) -> None:
        """Remember the scales of training images, of all ranks; each has to call this equally often."""
        scales = self.range.new_tensor([max(grid.global_scale) for grid in grids])
        ends = torch.stack([-scales.min(), scales.max()])
        all_reduce(ends, 'max')
        self.range[0] = torch.minimum(self.range[0], -ends[0])
        self.range[1] = torch.maximum(self.range[1], ends[1])

    def check(self, grid: PatchGrid) -> None:
        """Warn, once, of an image whose objects have other sizes in the global patch than ever seen."""
        scale, (low, high) = max(grid.global_scale), self.range.tolist()
        if self._warned or high == 0 or low / SCALE_TOLERANCE <= scale <= high * SCALE_TOLERANCE:
            return
        self._warned = True
        print_log(
            f'an image of {grid.height} x {grid.width} px is scaled by {scale:.3g} to its global '
            f'patch, but training scaled by {low:.3g} to {high:.3g}: objects have other sizes there '
            'than those learnt. Train on crops of about the size of the images that you predict '
            "(RandomCrop with crop_type='absolute_range'), or predict images of the size of the crops",
            logger='current',
            level=logging.WARNING,
        )


def _longer_sides(instances: InstanceData) -> Tensor:
    boxes: Tensor = instances.bboxes
    return (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)


def _scaled(instances: InstanceData, scale: tuple[float, float]) -> InstanceData:
    """Instances with boxes times a scale (y, x)."""
    scaled = instances[:]
    scaled.bboxes = scaled.bboxes * scaled.bboxes.new_tensor(scale).flip(0).repeat(2)
    return scaled


def _learns(sample: Any, chosen: Tensor, scale: tuple[float, float] = (1.0, 1.0)) -> Any:
    """A copy of a data sample in which some objects stay and the others are left out.

    Args:
        sample: It.
        chosen: Which objects stay, (N,) bool.
        scale: Of all boxes (y, x).
    """
    objects, other = _scaled(sample.gt_instances, scale), sample.clone()
    other.gt_instances, other.left_out = objects[chosen], objects[~chosen]
    if 'ignored_instances' in sample:
        other.ignored_instances = _scaled(sample.ignored_instances, scale)
    return other
