"""Which files a command line means, and what their results are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmpatch.apis import list_scenes


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_folders_patterns_lists_and_names_of_gdal(tmp_path: Path) -> None:
    make(tmp_path, 'a.tif', 'b/c.png', 'b/d.TIF', 'b/notes.md', 'b/e.labels.tif', 'f/g.jp2')
    (tmp_path / 'list.txt').write_text('# scenes\nb\n\na.tif\n/vsizip/x.zip/h.tif\n')
    found = list_scenes([str(tmp_path / 'list.txt'), str(tmp_path / '*/*.jp2'), 's3://x/i.tif'])
    assert found == {
        'c': str(tmp_path / 'b/c.png'),
        'd': str(tmp_path / 'b/d.TIF'),
        'a': str(tmp_path / 'a.tif'),
        'h': '/vsizip/x.zip/h.tif',
        'g': str(tmp_path / 'f/g.jp2'),
        'i': 's3://x/i.tif',
    }


def test_scenes_of_one_name_are_told_apart(tmp_path: Path) -> None:
    make(tmp_path, 'x/1/a.tif', 'x/2/a.tif', 'x/2/b.tif')
    found = list_scenes([str(tmp_path / '**/*.tif')])
    assert list(found) == ['1_a', '2_a', 'b']
    make(tmp_path, 'x/2/b.png')
    found = list_scenes([str(tmp_path / 'x/2')])
    assert list(found) == ['a', 'b_png', 'b_tif']


def test_what_is_named_twice_comes_once_and_what_is_missing_is_kept(tmp_path: Path) -> None:
    make(tmp_path, 'a.tif')
    paths = [str(tmp_path / 'a.tif'), str(tmp_path / 'gone.tif')]
    assert list(list_scenes([*paths, *paths])) == ['a', 'gone']


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='holds no file with one of the endings'):
        list_scenes([str(tmp_path)])
    with pytest.raises(ValueError, match='no file matches the pattern'):
        list_scenes([str(tmp_path / '*.tif')])
    with pytest.raises(FileNotFoundError):
        list_scenes([str(tmp_path / 'none.txt')])
