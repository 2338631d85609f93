"""What tests of several tools share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def awkward_images(tmp_path: Path) -> list[Path]:
    """PNG files that readers differ about: 16 bits in grey and in colour, transparent, grey, plain."""
    rng = np.random.default_rng(0)
    folder = tmp_path / 'awkward'
    folder.mkdir()
    deep = rng.integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    cv2.imwrite(str(folder / 'colour-16.png'), deep)
    cv2.imwrite(str(folder / 'grey-16.png'), deep[..., 0])
    shallow = rng.integers(0, 256, (40, 50, 4), dtype=np.uint8)
    for mode, channels in (('RGBA', slice(4)), ('LA', slice(2)), ('L', 0), ('RGB', slice(3))):
        pixels = np.ascontiguousarray(shallow[..., channels])
        Image.fromarray(pixels, mode).save(folder / f'{mode}.png')
    return sorted(folder.iterdir())
