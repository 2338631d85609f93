"""The model index: what it names exists, and holds what OpenMMLab's tools read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TASKS = {'Object Detection', 'Semantic Segmentation', 'Image Classification'}


@pytest.fixture(scope='module')
def metafile() -> dict[str, Any]:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert index['Import'] == ['configs/metafile.yml']
    found: dict[str, Any] = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())
    return found


def test_models(metafile: dict[str, Any]) -> None:
    collections = {collection['Name'] for collection in metafile['Collections']}
    for collection in metafile['Collections']:
        assert (ROOT / collection['README']).is_file()
    names = [model['Name'] for model in metafile['Models']]
    assert len(set(names)) == len(names)
    for model in metafile['Models']:
        config = ROOT / model['Config']
        assert config.is_file() and config.stem == model['Name']
        assert model['In Collection'] in collections
        assert (model['In Collection'] == 'PatchGD') == model['Name'].startswith('patch_')
        assert 0.5 < model['Metadata']['Training Memory (GB)'] < 100
        for result in model['Results']:
            assert result['Task'] in TASKS
            assert result['Metrics'] and all(0 <= x <= 100 for x in result['Metrics'].values())


def test_mim_lists_the_models(metafile: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As `mim search mmpatch` does."""
    elsewhere = [path for path in sys.path if Path(path).resolve() != ROOT]  # not *.egg-info here
    monkeypatch.setattr(sys, 'path', elsewhere)
    search = pytest.importorskip('mim.commands.search')  # not in upstream's environment
    found = search.get_model_info('mmpatch', local=True, to_dict=True)
    assert set(found) == {Path(model['Config']).stem for model in metafile['Models']}
