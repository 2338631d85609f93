"""A classifier that is trained patch by patch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.models.classifiers import ImageClassifier
from torch import Tensor

from mmpatch.models.norms import training_norms
from mmpatch.models.patch_model import PatchModelMixin
from mmpatch.models.protocol import LossScope, Sums
from mmpatch.patching import Features, Latent, PatchBatch, Pixels
from mmpatch.registry import MODELS

from .background import Background
from .grid_network import pooled, smallest_grid

#: The data samples of a batch's images.
Samples = Sequence[Any]


@MODELS.register_module()
class PatchClassifier(PatchModelMixin, ImageClassifier):
    """theta1: backbone and neck, pooled to a vector a patch. theta2: a network over these, and the head.

    Z has an entry (D) a patch, and the shape of the grid, (D, m, n). The global patch's vector is
    added to every entry, or concatenated. Grids may have any shape, and another one in every image.

    Source: Resource Efficient Perception for Vision Systems, section III-A; Patch Gradient Descent
    (Gupta et al. 2023, arXiv:2301.13817).

    Args:
        backbone: Of mmpretrain.
        neck: Of mmpretrain, or a list of necks; what it leaves of places is averaged. With
            ``LinearNeck`` the latent has fewer channels than the backbone's features.
        head: Of mmpretrain, such as ``LinearClsHead``; its ``in_channels`` are those of theta2.
        aggregator: The network of theta2, with ``in_channels`` D, or 2 D with ``'concat'``:
            :class:`mmpatch.LatentCNN`, or a whole backbone. Places are averaged after it. None: the
            average over Z, as a stock classifier's over its features.
        fusion: How the global patch's vector joins the local ones: ``'add'`` or ``'concat'``.
        background: Leave out patches that are nothing but background, in training and prediction:
            settings of :class:`mmpatch.models.classifiers.background.Background`. Their entries of
            Z are zero. None: encode all.
        patch_size, halo, test_halo, stride, chunk_size, global_patch: See :class:`PatchModelMixin`.
        frozen, norm_eval, channels_last, compile, small_images: See :class:`PatchModelMixin`.
        pretrained, train_cfg, data_preprocessor, init_cfg: As in mmpretrain's ``ImageClassifier``.

    Attributes:
        explain: Give the relevance of patches with each prediction.

    Raises:
        ValueError: If settings do not fit together, or theta2 fits no grid.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        *args: Any,
        aggregator: dict[str, Any] | None = None,
        fusion: str = 'add',
        background: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if fusion not in ('add', 'concat'):
            raise ValueError(f"fusion must be 'add' or 'concat', got {fusion!r}")
        super().__init__(backbone, *args, **kwargs)
        self.fusion = fusion
        self.explain = False
        self.background = None if background is None else Background(**background)
        self.aggregator = None if aggregator is None else MODELS.build(aggregator)
        last = next((p for p in (self.head, self.aggregator) if hasattr(p, 'num_classes')), None)
        if last is None:
            raise ValueError(
                'PatchClassifier needs a head with classes, such as LinearClsHead, or a theta2 that '
                f'ends in classes; got {type(self.head).__name__} and {type(self.aggregator).__name__}'
            )
        self.num_classes: int = last.num_classes
        self.aggregator_channels = (aggregator or {}).get('in_channels')
        self.smallest_grid = smallest_grid(self.aggregator, self.aggregator_channels)

    # --- theta1 -----------------------------------------------------------------------------

    def extract_patches(self, patches: Tensor) -> Features:
        """The backbone, (K, C, side, side) -> maps (K, D_l, h_l, w_l), or vectors (K, D)."""
        patches = patches.contiguous(memory_format=self.memory_format)
        features = self.backbone(patches)
        return (features,) if isinstance(features, Tensor) else tuple(features)

    def local_features(
        self, batch: PatchBatch[object], indices: Tensor, features: Features
    ) -> Features:
        """The average over the cells of each patch, (K, D, 1, 1).

        Cells beyond the image count as zeros. Where the backbone gives vectors itself, such as class
        tokens, they describe the whole window.
        """
        if all(feature.ndim == 4 for feature in features):
            features = batch.crop(indices, features)
        return self._vectors(features)

    def global_features(self, features: Features) -> Features:
        """The average over the global patches, (B, D, 1, 1)."""
        return self._vectors(features)

    def _vectors(self, features: Features) -> Features:
        """The neck on features of the backbone, and the average over places; (K, D, 1, 1)."""
        return (pooled(self.neck(features) if self.with_neck else features)[:, :, None, None],)

    def existing_patches(self, images: Sequence[Pixels]) -> Sequence[Tensor] | None:
        """Patches that are not blank, (N_b,) bool an image; None: all."""
        if self.background is None:
            return None
        return [self.background.foreground(image, self.patch_size) for image in images]

    # --- theta2 and the loss ----------------------------------------------------------------

    loss_region = 'full'

    @property
    def loss_scope(self) -> LossScope:
        """The class of an image depends on all its patches."""
        return 'image'

    def cut(self, inputs: Sequence[Tensor], data_samples: Samples) -> PatchBatch[Samples]:
        """Cut the images (C, H, W) of a training batch.

        Raises:
            ValueError: If a label is no class.
        """
        batch = self.cut_images(inputs)
        classes = self.num_classes
        for sample in data_samples:
            label = sample.get('gt_label')
            if label is not None and bool(((label < 0) | (label >= classes)).any()):
                raise ValueError(
                    f'{sample.get("img_path", "an image")} has the label {label.tolist()}, but the '
                    f'{classes} classes are 0 to {classes - 1}: check the annotations and '
                    'num_classes'
                )
        return batch.with_targets(data_samples)

    def aggregate(
        self,
        batch: PatchBatch[object],
        latent: Latent,
        global_features: Features | None,
        images: Sequence[int],
    ) -> Tensor:
        """theta2 up to the head: Z of S images -> (S, F)."""
        found: dict[int, Tensor] = {}
        shapes = [(batch.grids[i].rows, batch.grids[i].cols) for i in images]
        if len(set(shapes)) > 1 and self.aggregator is not None and training_norms(self.aggregator):
            raise ValueError(
                f'the images of a batch have the grids {sorted(set(shapes))}, which go through '
                'theta2 one after the other, but its BatchNorm takes statistics over the batch: '
                'use images of one size, batch_size=1, GroupNorm in the aggregator, or '
                'norm_eval=True'
            )
        for shape in dict.fromkeys(shapes):
            alike = [i for i, other in zip(images, shapes) if other == shape]
            maps = torch.stack([self._latent_map(batch, latent, image) for image in alike])
            entries = None if global_features is None else global_features[0][alike]
            found.update(zip(alike, self._theta2(maps, entries)))
        return torch.stack([found[image] for image in images])

    def patch_losses(
        self,
        batch: PatchBatch[Samples],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
        sums: Sums | None = None,
    ) -> dict[str, Tensor]:
        """Losses of the head for the images that S patches belong to."""
        images = batch.images_of(patches).tolist()
        vectors = self.aggregate(batch, latent, global_features, images)
        losses: dict[str, Tensor] = self.head.loss(
            (vectors,), [batch.targets[image] for image in images]
        )
        return losses

    # --- prediction -------------------------------------------------------------------------

    def predict(
        self, inputs: Sequence[Tensor], data_samples: Sequence[Any] | None = None, **kwargs: Any
    ) -> Any:
        """Classify images (C, H, W) of any size.

        Patches of all images go through theta1 together, ``chunk_size`` at a time.

        Args:
            inputs: B images as they come from the pipeline.
            data_samples: Their B data samples, or None.
            **kwargs: Of the head's ``predict``.

        Returns:
            Data samples with ``pred_label`` and ``pred_score``, as stock classifiers give them; with
            :attr:`explain` also ``patch_relevance`` and ``patch_side``, see :meth:`relevance`.
        """
        results = []
        for i, (maps, global_entry) in enumerate(self._entries(inputs)):
            samples = None if data_samples is None else [data_samples[i]]
            results += self.classify(maps, global_entry, samples, **kwargs)
        return results

    def classify(
        self,
        maps: Tensor,
        global_entry: Tensor | None,
        samples: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Classify an image whose patches are encoded.

        Args:
            maps: Z of the image, (1, D, m, n).
            global_entry: Its global entry, (1, D, 1, 1), or None.
            samples: Its data sample, in a list, or None.
            **kwargs: Of the head's ``predict``.

        Returns:
            Its data sample in a list, see :meth:`predict`.
        """
        with torch.no_grad():
            vectors = self._theta2(maps, global_entry)
        found = self.head.predict((vectors,), samples, **kwargs)
        if self.explain:
            relevance = self.relevance(maps, global_entry, int(found[0].pred_label))
            found[0].set_field(relevance, 'patch_relevance', dtype=Tensor)
            found[0].set_field(self.patch_size, 'patch_side', dtype=int)
        return found

    def relevance(self, maps: Tensor, global_entry: Tensor | None, label: int) -> Tensor:
        """How much each patch speaks for a class: its entry of Z times the gradient of the logit.

        Args:
            maps: Z of an image, (1, D, m, n).
            global_entry: Its global entry, (1, D, 1, 1), or None.
            label: The class.

        Returns:
            (m, n), negative where a patch speaks against it.

        Source: gradient times input, Shrikumar et al. (ICML 2017).
        """
        with torch.enable_grad():
            leaf = maps.detach().requires_grad_()
            logit = self.head((self._theta2(leaf, global_entry),))[0, label]
            (grad,) = torch.autograd.grad(logit, leaf)
        return (leaf.detach() * grad).sum(dim=1)[0]

    def forward(
        self, inputs: Sequence[Tensor], data_samples: Any = None, mode: str = 'tensor'
    ) -> Any:
        """As the stock classifier, for lists of images; ``'tensor'`` gives logits (B, classes)."""
        if mode == 'tensor':
            with torch.no_grad():
                vectors = [self._theta2(*entries) for entries in self._entries(inputs)]
                return self.head((torch.cat(vectors),))
        return super().forward(inputs, data_samples, mode)

    def _entries(self, inputs: Sequence[Pixels]) -> list[tuple[Tensor, Tensor | None]]:
        """Z of each image, (1, D, m, n), and its global entry, (1, D, 1, 1) or None."""
        batch = self.cut_images(inputs)
        ((latent, global_features, _),) = self.sweep(batch)
        return [
            (
                self._latent_map(batch, latent, image)[None],
                None if global_features is None else global_features[0][image : image + 1],
            )
            for image in range(batch.num_images)
        ]

    # --- parts ------------------------------------------------------------------------------

    def _latent_map(self, batch: PatchBatch[object], latent: Latent, image: int) -> Tensor:
        """Z of an image, (D, m, n)."""
        grid, own = batch.grids[image], batch.of_image(image)
        entries = latent.windows(0, own)[:, :, 0, 0]
        if len(own) < grid.num_patches:
            blank = entries.new_zeros(grid.num_patches, entries.shape[1])
            entries = blank.index_copy(0, batch.places[own].to(entries.device), entries)
        return entries.T.unflatten(1, (grid.rows, grid.cols))

    def _fused(self, maps: Tensor, global_entry: Tensor) -> Tensor:
        """Local entries (S, D, m, n) and the global ones (S, D, 1, 1) of their images."""
        global_entry = global_entry.to(maps.dtype)
        if self.fusion == 'add':
            return maps + global_entry
        return torch.cat((maps, global_entry.expand(-1, -1, *maps.shape[2:])), dim=1)

    def _theta2(self, maps: Tensor, global_entry: Tensor | None) -> Tensor:
        """theta2 on Z (S, D, m, n) of images of one grid, and their global entries; (S, F)."""
        if global_entry is not None:
            maps = self._fused(maps, global_entry)
        if min(maps.shape[2:]) < self.smallest_grid:
            raise ValueError(
                f'an image gives a grid of {maps.shape[2]} x {maps.shape[3]} patches, but '
                f'{type(self.aggregator).__name__} needs at least {self.smallest_grid} x '
                f'{self.smallest_grid}: use larger images or a smaller patch_size'
            )
        if self.aggregator is None:
            return pooled(maps)
        if self.aggregator_channels not in (None, maps.shape[1]):
            raise ValueError(
                f'theta2 has in_channels={self.aggregator_channels}, but Z with fusion='
                f'{self.fusion!r} has {maps.shape[1]} channels: set aggregator.in_channels='
                f'{maps.shape[1]}'
            )
        return pooled(self.aggregator(maps))
