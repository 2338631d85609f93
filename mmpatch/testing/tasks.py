"""What tests of gradients need of a task: a model, images and labels. One entry a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from . import tiny_classifier, tiny_detector, tiny_segmentor


@dataclass(frozen=True)
class Task:
    """A task as gradient tests see it.

    Attributes:
        name: Of the task.
        build: A seeded model in float64 for patches of 64 px, in training mode; takes the settings
            of :class:`mmpatch.models.PatchModelMixin`.
        samples: Labels of :meth:`images`, a copy a call.
        variants: Settings of the model under which the equalities have to hold as well.
    """

    name: str
    build: Callable[..., nn.Module]
    samples: Callable[[], list[Any]]
    variants: Sequence[dict[str, Any]] = ()

    def images(self) -> list[Tensor]:
        """Two images (3, H, W) of different sizes that patches do not divide, uint8."""
        return [tiny_detector.image(130, 100), tiny_detector.image(64, 90, seed=1)]

    def __str__(self) -> str:
        return self.name


def _build_detector(**settings: Any) -> nn.Module:
    return tiny_detector.build_detector(patch_size=64, **settings).train()


def _detection_samples() -> list[Any]:
    return [tiny_detector.sample(130, 100, 5), tiny_detector.sample(64, 90, 1, seed=1)]


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
            dict(halo=32),
            dict(head=dict(loss_region='full')),
            dict(head=dict(aggregator=dict(kernel_size=1))),
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
        ),
    ),
)
