"""The tables on memory and time are made of the results that are kept beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mmpatch.benchmark import Result, table

DOCS = Path(__file__).parents[2] / 'docs'
KEPT = json.loads((DOCS / 'results/benchmark.json').read_text())


@pytest.mark.parametrize('name', KEPT)
def test_tables(name: str) -> None:
    text = (DOCS / 'benchmark.md').read_text()
    (published,) = re.findall(rf'<!-- results of the benchmark: {name} -->\n\n((?:\|.*\n)+)', text)
    assert published.strip() == table([Result.from_json(result) for result in KEPT[name]])
