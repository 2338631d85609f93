"""What tests of gradients need of a task: a model, images and labels. One entry per task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmpatch.engine.gradients import Passes
from mmpatch.engine.monitor import Monitor
from mmpatch.engine.stepper import Accumulation, Stepper

from . import tiny_classifier, tiny_detector, tiny_segmentor


def _two_images() -> list[Tensor]:
    return [tiny_detector.image(130, 100), tiny_detector.image(64, 90, seed=1)]


@dataclass(frozen=True)
class Task:
    """A task as gradient tests see it.

    Attributes:
        name: Of the task.
        build: A seeded model in float64 for patches of 64 px, in training mode; takes the settings
            of :class:`mmpatch.models.PatchModelMixin`.
        samples: Labels of :attr:`images`, a copy per call.
        variants: Settings of the model under which the equalities have to hold as well.
        images: Images (3, H, W), uint8; by default two of sizes that patches do not divide.
    """

    name: str
    build: Callable[..., nn.Module]
    samples: Callable[[], list[Any]]
    variants: Sequence[dict[str, Any]] = ()

    images: Callable[[], list[Tensor]] = _two_images

    def __str__(self) -> str:
        return self.name


def _build_detector(**settings: Any) -> nn.Module:
    return tiny_detector.build_detector(patch_size=64, **settings).train()


def _detection_samples() -> list[Any]:
    return [tiny_detector.sample(130, 100, 5), tiny_detector.sample(64, 90, 1, seed=1)]


def passes_of(
    task: Task,
    model: Any,
    every: int = 1,
    images: Sequence[int] | None = None,
    wrapper: OptimWrapper | None = None,
) -> Passes:
    """A batch of a task's images, and an optimizer whose steps change nothing.

    Args:
        task: The task.
        model: A model that it built.
        every: Inner iterations per step; gradients are scaled by its inverse.
        images: Numbers of the task's images; None: all.
        wrapper: Another optimizer, whose precision the model gets.
    """
    wrapper = wrapper or OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    pictures, samples = task.images(), task.samples()
    chosen = range(len(pictures)) if images is None else images
    batch = model.cut([pictures[i] for i in chosen], [samples[i] for i in chosen])
    stepper = Stepper(wrapper, Accumulation(every))
    return Passes(model, batch, stepper, Monitor(stepper.parameters), list('ab'))


def _build_segmentor(**settings: Any) -> nn.Module:
    return tiny_segmentor.build_segmentor(**settings).train()


def _segmentation_samples() -> list[Any]:
    return [tiny_segmentor.sample(130, 100), tiny_segmentor.sample(64, 90, seed=1)]


def _build_classifier(**settings: Any) -> nn.Module:
    return tiny_classifier.build_classifier(**settings).train()


def _classification_samples() -> list[Any]:
    return [tiny_classifier.sample(3), tiny_classifier.sample(1)]


#: All tasks whose gradients are tested.
TASKS = (
    Task(
        'detection',
        _build_detector,
        _detection_samples,
        variants=(
            dict(),
            dict(global_patch=False),
            dict(fuse=True),
            dict(fuse=True, global_frame=False),
            dict(halo=32, fuse=True),
            dict(head=dict(loss_region='full')),
            dict(fuse=True, head=dict(aggregator=dict(kernel_size=1))),
        ),
    ),
    Task(
        'segmentation',
        _build_segmentor,
        _segmentation_samples,
        variants=(
            dict(),
            dict(global_patch=False),
            dict(aggregator=dict(fusion='add')),
            dict(halo=16),
            dict(latent_stride=1),
            dict(latent_stride=1, loss_region='sampled', halo=16),
            dict(latent_stride=4),
            dict(latent_stride=4, global_loss=0.5, aggregator=dict(fusion='add')),
            dict(latent_stride=1, global_loss=2.0),
            dict(loss_region='sampled'),
            dict(base=tiny_segmentor.DEEPLABV3, classes=2),
        ),
    ),
    Task(
        'classification',
        _build_classifier,
        _classification_samples,
        variants=(
            dict(),
            dict(global_patch=False),
            dict(fusion='concat'),
            dict(theta2=tiny_classifier.BACKBONE),
            dict(theta2=tiny_classifier.BACKBONE, fusion='concat'),
            dict(theta2=None),
            dict(halo=32),
        ),
    ),
)

#: Sizes (H, W) [px] next to multiples of the patches' 64 px: a fine cell of 8 px more and less, a
#: pixel more, and a coarse cell of 32 px.
BORDER_SIZES = ((136, 120), (65, 96))
_SAMPLES: dict[str, Callable[[int, int, int], Any]] = {
    'detection': lambda height, width, i: tiny_detector.sample(height, width, 3, seed=i),
    'segmentation': lambda height, width, i: tiny_segmentor.sample(height, width, seed=i),
    'classification': lambda height, width, i: tiny_classifier.sample(i),
}


def with_sizes(task: Task, sizes: Sequence[tuple[int, int]] = BORDER_SIZES) -> Task:
    """One of :data:`TASKS` with one image of each size (H, W) [px]."""
    sample = _SAMPLES[task.name]
    return replace(
        task,
        images=lambda: [tiny_detector.image(*size, seed=i) for i, size in enumerate(sizes)],
        samples=lambda: [sample(*size, i) for i, size in enumerate(sizes)],
    )
