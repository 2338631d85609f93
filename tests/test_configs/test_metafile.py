"""The model index: what it names exists, and holds what OpenMMLab's tools read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
#: What the tables of docs/results call the models of the index.
LABELS = {
    'unet_nuclei': 'stock U-Net, full image',
    'unet_nuclei-64': 'stock U-Net, downsampled to 64 px (1/8)',
    'patch_unet_nuclei': 'ours, `sampled`, 4 of 40 patches',
    'patch_unet_nuclei_exact': 'ours, `exact`',
    'patch_mobilenetv2_digits': 'ours, `sampled`, a quarter of the patches',
    'mobilenetv2_digits': 'stock, whole image',
    'yolox_lite0_yellowstone': 'stock YOLOX, 640 px',
    'centernet_lite0_yellowstone': 'stock CenterNet, 511 px',
    'fcos_lite0_yellowstone-tiles': 'stock FCOS on random tiles of 512 px, slices merged (SAHI)',
    'fcos_lite0_yellowstone-full': 'stock FCOS, whole image',
    'patch_fcos_yellowstone': 'ours, `sampled`',
    'patch_fcos_yellowstone_exact': 'ours, `exact`',
    'patch_retinanet_yellowstone': 'ours, `exact`, RetinaNet',
    'patch_yolox_yellowstone': 'ours, `exact`, YOLOX',
    'patch_centernet_yellowstone': 'ours, `exact`, CenterNet',
    'fcos_lite0_scales-tiles': 'stock FCOS on tiles of 512 px, slices merged (SAHI)',
    'fcos_lite0_scales-two-scale': (
        'stock FCOS on tiles and on the downsampled image, both predicted and merged'
    ),
    'patch_fcos_scales': 'ours, frames',
}
#: Column of these tables: its name there, and by how much the index multiplies it.
COLUMNS = {
    'F1': ('F1', 1),
    'IoU': ('IoU', 1),
    'Top 1 Accuracy': ('accuracy', 1),
    'Quadratic Weighted Kappa': ('kappa', 1),
    'box AP': ('AP', 100),
    'box AP50': ('AP50', 100),
}
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


def test_numbers_are_those_of_the_tables(metafile: dict[str, Any]) -> None:
    pages = sorted((ROOT / 'docs/results').glob('*.md'))
    rows = tables('\n\n'.join(page.read_text() for page in pages))
    assert {model['Name'] for model in metafile['Models']} == set(LABELS)
    for model in metafile['Models']:
        (result,) = model['Results']
        columns = {COLUMNS[name][0] for name in result['Metrics']}
        (row,) = [r for r in rows if r.get('method') == LABELS[model['Name']] and columns <= set(r)]
        assert model['Metadata']['Training Memory (GB)'] == float(row['peak [GiB]'])
        for name, value in result['Metrics'].items():
            column, factor = COLUMNS[name]
            assert value == pytest.approx(factor * float(row[column].split()[0])), model['Name']


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
