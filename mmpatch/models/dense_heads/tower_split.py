"""A seam between the towers of a dense head (theta1) and its last layers (theta2)."""

from __future__ import annotations

from mmdet.models.dense_heads.anchor_free_head import AnchorFreeHead
from torch import Tensor

from mmpatch.patching import Features


class TowerSplit(AnchorFreeHead):
    """Runs the towers and the last layers of an anchor-free head apart.

    A mixin that goes behind the head it splits: in ``class PatchFCOSHead(FCOSHead, TowerSplit)``
    the host's ``super().forward_single`` lands here, so that all that FCOS does around the last
    layers is inherited and not copied.
    """

    def towers(self, feats: tuple[Tensor, ...]) -> Features:
        """The part of the head that belongs to theta1.

        Args:
            feats: L feature maps of the neck, (K, D, h_l, w_l).

        Returns:
            2L maps (K, F, h_l, w_l): those of the class tower, then those of the box tower.
        """
        out = []
        for tower in (self.cls_convs, self.reg_convs):
            for x in feats:
                for layer in tower:
                    x = layer(x)
                out.append(x)
        return tuple(out)

    def forward_single(self, x: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
        """The last layers on the features of one level.

        Args:
            x: Features of the class tower and of the box tower, (S, F, h, w) each.

        Returns:
            Class scores (S, classes, h, w), boxes (S, 4, h, w), and the two inputs.
        """
        cls_feat, reg_feat = x
        return self.conv_cls(cls_feat), self.conv_reg(reg_feat), cls_feat, reg_feat
