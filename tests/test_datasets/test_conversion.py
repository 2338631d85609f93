"""Settings of a converted set, noted beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmpatch.datasets.conversion import NOTE, claim_output, digest


def test_the_same_settings_go_on(tmp_path: Path) -> None:
    for _ in range(2):
        claim_output(tmp_path / 'out', dict(seed=0, digits=(3, 5)))
    assert [path.name for path in (tmp_path / 'out').iterdir()] == [NOTE]


def test_other_settings_are_refused(tmp_path: Path) -> None:
    claim_output(tmp_path, dict(seed=0, side=512, old=None))
    with pytest.raises(ValueError, match=r'was made with seed=0, now asked for seed=1: remove '):
        claim_output(tmp_path, dict(seed=1, side=512))


def test_files_of_unknown_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / 'source').mkdir()
    (tmp_path / 'source' / 'a.png').touch()  # no folder that the converter writes to
    claim_output(tmp_path, dict(seed=0))
    (tmp_path / NOTE).unlink()
    (tmp_path / 'test' / 'images').mkdir(parents=True)
    (tmp_path / 'test' / 'images' / 'a.png').touch()
    with pytest.raises(ValueError, match=r'holds files, but no made_with.json says'):
        claim_output(tmp_path, dict(seed=0))


def test_digests_tell_lists_apart() -> None:
    assert digest(['a', 'bc']) != digest(['ab', 'c']) and digest('ab') == digest(['a', 'b'])
