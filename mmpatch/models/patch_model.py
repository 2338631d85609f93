"""What patch-wise models of all tasks share: cutting, filling, the global patch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mmpatch.patching import Features, Latent, PatchBatch, Pixels
from mmpatch.patching.sweep import blended_sweep, sweep

from .compiled import Compiled
from .norms import fix_norms, freeze
from .protocol import LossRegion, LossScope, NormaliseBy, Sums


class PatchModelMixin:
    """Cuts batches into patches and encodes them with theta1.

    Put it before the host's model class; that class gives ``data_preprocessor`` and the task's
    ``extract_patches``.

    Args:
        patch_size: Side P of a patch [px], a multiple of the largest stride of theta1.
        halo: Context read around every patch [px], a multiple of the largest stride; its features
            are cropped off again.
        test_halo: The halo in prediction [px]; None: as in training.
        stride: Largest stride inside theta1 [px]; 32 suits most backbones. Windows that would reach
            over the border of the image are moved inwards by multiples of gcd(stride, patch_size,
            halo, test_halo). :class:`mmpatch.PatchDetector` takes the largest stride of its head instead.
        blend: In prediction, blend the features of windows where they overlap by their halo, instead
            of cropping the halo off. Smoother at borders of patches, and a little slower.
        chunk_size: Patches encoded at once where no gradient is needed. Changes speed and memory,
            never the result.
        global_patch: Give every patch the features of the whole image, resized to one patch.
        frozen: Names of submodules whose parameters are not trained, such as ``'backbone.layer1'``;
            no gradient is computed for what lies before the first trained one.
        norm_eval: Keep all BatchNorm layers in evaluation mode during training, so that the fill
            and the gradient pass use the same statistics whatever patches they see.
        channels_last: Keep weights and patches in channels-last order, which depthwise and small
            convolutions prefer on CPUs and half precision on GPUs. Never changes the result by
            more than rounding.
        compile: Run theta1 through ``torch.compile``; a dict sets its options, such as
            ``dict(mode='reduce-overhead')``. A model that cannot be compiled goes on without, and says so.
        small_images: What to do in training with an image smaller than one patch: ``'error'`` or
            ``'pad'``. Prediction always pads.
    """

    data_preprocessor: Any
    training: bool
    loss_region: LossRegion = 'sampled'
    normalise_by: NormaliseBy = 'batch'
    #: Every task has its own of these two; see :class:`mmpatch.models.protocol.PatchModel`.
    cut: Callable[..., PatchBatch[Any]]
    patch_losses: Callable[..., dict[str, Tensor]]

    def __init__(
        self,
        *args: Any,
        patch_size: int,
        halo: int = 0,
        test_halo: int | None = None,
        stride: int = 32,
        blend: bool = False,
        chunk_size: int = 4,
        global_patch: bool = True,
        frozen: Sequence[str] = (),
        norm_eval: bool = False,
        channels_last: bool = False,
        compile: bool | dict[str, Any] = False,
        small_images: str = 'error',
        **kwargs: Any,
    ) -> None:
        if chunk_size < 1:
            raise ValueError(f'chunk_size must be at least 1 patch, got {chunk_size}')
        if small_images not in ('error', 'pad'):
            raise ValueError(f"small_images must be 'error' or 'pad', got {small_images!r}")
        test_halo = halo if test_halo is None else test_halo
        if blend and test_halo == 0:
            raise ValueError('blend=True blends where windows overlap: set a halo [px]')
        if stride < 1:
            raise ValueError(f'stride must be at least 1 px, got {stride}')
        super().__init__(*args, **kwargs)
        if not hasattr(self.data_preprocessor, 'to_input'):
            raise TypeError(
                f'{type(self).__name__} needs a data preprocessor that keeps images on the host, '
                "such as 'mmpatch.PatchDetDataPreprocessor'; got "
                f'{type(self.data_preprocessor).__name__}'
            )
        self.patch_size = patch_size
        self.halo = halo
        self.test_halo = test_halo
        self.stride = math.gcd(stride, patch_size, halo, test_halo)
        self.blend = blend
        self.chunk_size = chunk_size
        self.global_patch = global_patch
        self.norm_eval = norm_eval
        freeze(self, frozen)  # type: ignore[arg-type]
        self.small_images = small_images
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self._compiled: Compiled | None = None
        if compile is not False:
            options = {} if compile is True else compile
            # of the class, so that copies of the model do not run the weights of this one
            self._compiled = Compiled(type(self).extract_patches, **options)
        if channels_last:
            self.to(memory_format=torch.channels_last)  # type: ignore[attr-defined]

    def train(self, mode: bool = True) -> Any:
        """Training mode, but for BatchNorm layers if ``norm_eval`` is set."""
        super().train(mode)  # type: ignore[misc]
        if mode and self.norm_eval:
            fix_norms(self)  # type: ignore[arg-type]
        return self

    def extract_patches(self, patches: Tensor) -> Features:
        """theta1 of the task on windows of any side, (K, C, side, side) -> a map a level."""
        raise NotImplementedError

    def theta1(self, patches: Tensor) -> Features:
        """:meth:`extract_patches`, compiled if that is set."""
        if self._compiled is None:
            return self.extract_patches(patches)
        features: Features = self._compiled(self, patches)
        return features

    def encode(self, batch: PatchBatch[object], indices: Tensor) -> Features:
        """theta1 on the windows of patches, cut to the patches' own cells.

        Args:
            batch: The batch.
            indices: (K,) flat numbers of its patches.

        Returns:
            (K, D_l, h_l, w_l) a level, without the halo's cells; zeros beyond the image.
        """
        return self.local_features(batch, indices, self._encode_windows(batch, indices))

    def encode_with_global(
        self, batch: PatchBatch[object], indices: Tensor
    ) -> tuple[Features, Features | None]:
        """theta1 on patches and on the global patches, in one call where both have one size.

        Args:
            batch: The batch.
            indices: (K,) flat numbers of its patches.

        Returns:
            What :meth:`encode` and :meth:`encode_global` return.
        """
        if not self.global_patch or self.halo:
            return self.encode(batch, indices), self.encode_global(batch)
        together = self.theta1(torch.cat([batch.read(indices), batch.read_global()]))
        count = len(indices)
        local = self.local_features(batch, indices, tuple(level[:count] for level in together))
        return local, self.global_features(tuple(level[count:] for level in together))

    def encode_global(self, batch: PatchBatch[object]) -> Features | None:
        """theta1 on the global patches -> (B, D_l, g_l, g_l) a level; None without them."""
        if not self.global_patch:
            return None
        return self.global_features(self.theta1(batch.read_global()))

    def local_features(
        self, batch: PatchBatch[object], indices: Tensor, features: Features
    ) -> Features:
        """What is remembered of K patches, from the features of their windows."""
        return batch.crop(indices, features)

    def global_features(self, features: Features) -> Features:
        """What is used of the global patches, from their features."""
        return features

    @property
    def reads_global(self) -> bool:
        """Whether theta2 reads the global patch at every patch."""
        return self.global_patch

    @property
    def loss_scope(self) -> LossScope:
        """How much of Z the loss of a patch reads."""
        return 'neighbours'

    @property
    def needs_sums(self) -> bool:
        """Whether the loss of a patch depends on sums over all patches."""
        return False

    def for_iteration(
        self, batch: PatchBatch[Any], patches: Tensor, weight: float, global_weight: float
    ) -> PatchBatch[Any]:
        """The batch as an inner iteration that scores S patches sees it: as it is."""
        return batch

    def patch_sums(
        self,
        batch: PatchBatch[Any],
        latent: Latent,
        global_features: Features | None,
        patches: Tensor,
    ) -> Sums:
        """What S patches add to the sums that the loss of every patch depends on; nothing."""
        return ()

    def batch_sums(self, batch: PatchBatch[Any], parts: Sequence[Sums]) -> Sums:
        """The sums over all patches; none."""
        return ()

    def global_losses(self, batch: PatchBatch[Any], global_features: Features) -> dict[str, Tensor]:
        """Losses of the global patches themselves; none."""
        return {}

    def loss(self, inputs: Sequence[Tensor], data_samples: Any) -> dict[str, Tensor]:
        """Losses of a batch with the graphs of all patches in memory at once.

        Stock loops train by it. It is also the reference which the patch-wise gradients are
        compared with.

        Args:
            inputs: B images (C, H, W).
            data_samples: Their B data samples.
        """
        batch = self.cut(inputs, data_samples)
        patches = batch.all_patches
        latent = Latent.of_live(batch, self.encode(batch, patches))
        global_features = self.encode_global(batch)
        losses = self.patch_losses(batch, latent, global_features, patches)
        if global_features is not None:
            losses |= self.global_losses(batch, global_features)
        return losses

    @torch.no_grad()
    def sweep(
        self, batch: PatchBatch[object], first: int = 0
    ) -> Iterator[tuple[Latent, Features | None, Tensor]]:
        """Encode a batch without gradient and stop wherever theta2 can read what is remembered.

        Args:
            batch: The batch.
            first: Flat number of the first patch that is wanted. Patches that no wanted one needs
                are not encoded.

        Yields:
            The latent, the global patches' features, and flat numbers (S,) of patches that are
            encoded together with all that theta2 reads around them. Every wanted patch comes
            once. Z is remembered for no longer than it is needed.
        """
        global_features = self.encode_global(batch)
        if self.loss_scope == 'image':
            latent = Latent.fill(batch, self.encode, self.chunk_size)
            yield latent, global_features, batch.all_patches
            return
        if self.blend:
            windows = partial(self._encode_windows, batch)
            steps = blended_sweep(batch, windows, self.chunk_size, first)
        else:
            steps = sweep(batch, partial(self.encode, batch), self.chunk_size, first)
        for latent, patches in steps:
            yield latent, global_features, patches

    def _encode_windows(self, batch: PatchBatch[object], indices: Tensor) -> Features:
        """theta1 on patches with their halo, which is not cut off."""
        return self.theta1(batch.read(indices))

    def existing_patches(self, images: Sequence[Pixels]) -> Sequence[Tensor] | None:
        """Which patches of each image are encoded at all, (N_b,) bool each; None: all."""
        return None

    def cut_images(self, images: Sequence[Pixels]) -> PatchBatch[object]:
        """Cut images (C, H, W) into patches; in training one smaller than a patch may be refused."""
        batch: PatchBatch[object] = PatchBatch(
            images,
            self.patch_size,
            self.halo if self.training else self.test_halo,
            self.data_preprocessor.to_input,
            self.existing_patches(images),
            self.stride,
            self.data_preprocessor.device,
        )
        if self.training and self.small_images == 'error':
            for grid in batch.grids:
                if max(grid.height, grid.width) < self.patch_size:
                    raise ValueError(
                        f'a training image of {grid.height} x {grid.width} px is smaller than one '
                        f'patch of {self.patch_size} px, so nothing is gained by patches: choose '
                        "a smaller patch_size, or set small_images='pad' in the model"
                    )
        return batch


def check_strides(patch_size: int, halo: int, test_halo: int, strides: Sequence[int]) -> None:
    """Check at build time that patches fall on whole cells of every feature level.

    Args:
        patch_size: Side P of a patch [px].
        halo: Context around a patch in training [px].
        test_halo: The same in prediction [px].
        strides: Strides of the feature levels [px].

    Raises:
        ValueError: If one is not a multiple of the largest stride.
    """
    stride = max(strides)
    for name, value in dict(patch_size=patch_size, halo=halo, test_halo=test_halo).items():
        if value % stride:
            fits = [value // stride * stride, (value // stride + 1) * stride]
            if name == 'patch_size' and fits[0] == 0:
                del fits[0]
            raise ValueError(
                f'{name}={value} px is no multiple of the largest stride, {stride} px (strides '
                f'{tuple(strides)}): choose {" or ".join(map(str, fits))}'
            )
