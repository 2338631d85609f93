"""The best of an image, gathered patch by patch, are those that mmdet takes from whole maps."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mmpatch.testing.tiny_detector import build_detector, image


def rows(boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Candidates by score: whatever their order was."""
    table = torch.cat([boxes, scores[:, None], labels[:, None]], dim=1)
    return table[torch.argsort(scores)]


@pytest.mark.parametrize('threshold', [0.0, 0.5])
@pytest.mark.parametrize('limit', [7, 40, 100000])
def test_parts_give_the_candidates_of_the_whole(limit: int, threshold: float) -> None:
    model: Any = build_detector(patch_size=64, global_patch=False, double=False).eval()
    head, size = model.bbox_head, (150, 200)
    head.test_cfg.update(nms_pre=limit, score_thr=threshold)
    batch = model.cut_images([image(*size)])
    grid, count = batch.grids[0], batch.num_patches
    torch.manual_seed(0)
    kinds = [
        [torch.randn(count, channels, 64 // s, 64 // s) for s in head.strides]
        for channels in (head.num_classes, 4, 1)
    ]
    kinds[1] = [boxes.exp() * 20 for boxes in kinds[1]]
    whole = [[grid.merge(level, crop=False)[None] for level in kind] for kind in kinds]
    (expected,) = head.predict_by_feat(
        *whole, batch_img_metas=[dict(img_shape=size)], rescale=False, with_nms=False
    )
    parts = head.candidates(size)
    for patches in torch.randperm(count).split(5):
        parts.add([[level[patches] for level in kind] for kind in kinds], batch.origins[patches])
    found = parts.all()
    assert 0 < len(found) == len(expected) <= limit * len(head.strides)
    scores = found.scores * found.score_factors  # mmdet has multiplied its own
    torch.testing.assert_close(
        rows(found.bboxes, scores, found.labels),
        rows(expected.bboxes, expected.scores, expected.labels),
        rtol=1e-6,
        atol=1e-6,
    )
