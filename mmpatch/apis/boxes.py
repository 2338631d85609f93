"""Detections as arrays, as they are kept in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Boxes:
    """Detections, or candidates for them, of one scene.

    Attributes:
        bboxes: (N, 4) left, top, right and bottom edge [px].
        scores: (N,).
        labels: (N,) int64.
    """

    bboxes: NDArray[Any]
    scores: NDArray[Any]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, found: Any) -> Boxes:
        """From a host library's ``InstanceData`` with the same names."""
        return cls(
            *(
                getattr(found, name).detach().cpu().numpy()
                for name in ('bboxes', 'scores', 'labels')
            )
        )

    @classmethod
    def cat(cls, parts: Sequence[Boxes]) -> Boxes:
        """Put at least one part after the other."""
        return cls(
            np.concatenate([part.bboxes for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.labels for part in parts]),
        )

    @classmethod
    def none(cls) -> Boxes:
        """No detections at all."""
        empty = np.zeros(0, dtype=np.float32)
        return cls(empty.reshape(0, 4), empty, np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        """Number N."""
        return len(self.scores)

    def __getitem__(self, chosen: NDArray[Any]) -> Boxes:
        """Some of them, by their numbers or a mask (N,)."""
        return Boxes(self.bboxes[chosen], self.scores[chosen], self.labels[chosen])

    @property
    def top(self) -> float:
        """The smallest top edge [px]; infinity without boxes."""
        return float(self.bboxes[:, 1].min()) if len(self) else float('inf')
