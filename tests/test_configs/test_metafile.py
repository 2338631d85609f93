"""The model index: what it names exists, and holds what OpenMMLab's tools read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
#: Models whose runs were not kept, and what the table of docs/results calls them; tests/test_docs/test_results.py
#: compares the others with their runs.
LABELS = {
    'patch_mobilenetv2_digits': 'ours, `sampled`, a quarter of the patches',
    'mobilenetv2_digits': 'stock, whole image',
}
#: Column of that table.
COLUMNS = {'Top 1 Accuracy': 'accuracy', 'Quadratic Weighted Kappa': 'kappa'}
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
        assert all(result['Task'] in TASKS for result in model['Results'])


def test_numbers_are_those_of_the_table(metafile: dict[str, Any]) -> None:
    rows = tables((ROOT / 'docs/results/classification.md').read_text())
    models = [model for model in metafile['Models'] if model['Name'] in LABELS]
    assert len(models) == len(LABELS)
    for model in models:
        (row,) = [r for r in rows if r.get('method') == LABELS[model['Name']]]
        assert model['Metadata']['Training Memory (GB)'] == float(row['peak [GiB]'])
        for name, value in model['Results'][0]['Metrics'].items():
            assert value == pytest.approx(float(row[COLUMNS[name]].split()[0])), model['Name']


def tables(text: str) -> list[dict[str, str]]:
    """The rows of all Markdown tables, by the names of their columns."""
    rows: list[dict[str, str]] = []
    names: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip(' *') for cell in line.strip('|').split('|')]
        if not line.startswith('|'):
            names = []
        elif not names:
            names = cells
        elif not set(line) <= set('|-'):
            rows.append(dict(zip(names, cells)))
    return rows


def test_mim_lists_the_models(metafile: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As `mim search mmpatch` does."""
    elsewhere = [path for path in sys.path if Path(path).resolve() != ROOT]  # not *.egg-info here
    monkeypatch.setattr(sys, 'path', elsewhere)
    search = pytest.importorskip('mim.commands.search')  # not in upstream's environment
    found = search.get_model_info('mmpatch', local=True, to_dict=True)
    assert set(found) == {Path(model['Config']).stem for model in metafile['Models']}
