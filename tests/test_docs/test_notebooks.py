"""The notebooks run from the first cell to the last."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / 'docs' / 'notebooks'


def source(notebook: Path) -> str:
    """The code of a notebook as Python; lines of the shell call ``shell``."""
    cells = json.loads(notebook.read_text())['cells']
    code = [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']
    return re.sub(r'^!(.*)$', r'shell(f"\1")', '\n\n'.join(code), flags=re.M)


def shell(line: str) -> None:
    """Run a line of the shell; unlike a notebook, stop where it fails."""
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    logs = [Path(word).read_text() for word in line.split() if word.endswith('.log')]
    assert done.returncode == 0, '\n'.join([line, done.stdout, done.stderr, *logs])


@pytest.mark.slow
@pytest.mark.parametrize('name', ['detection', 'scene'])
def test_notebook_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ('configs', 'tools'):
        Path(folder).symlink_to(ROOT / folder)
    monkeypatch.setenv('MINUTES', '0.02')
    monkeypatch.setenv('SIDE', '300')
    monkeypatch.setattr(plt, 'show', lambda: plt.close('all'))
    exec(compile(source(NOTEBOOKS / f'{name}.ipynb'), name, 'exec'), {'shell': shell})
    kinds = {path.suffix for path in Path(f'work_dirs/notebook_{name}').rglob('*')}
    assert '.png' in kinds
    assert '.pth' in kinds


def test_links_lead_somewhere() -> None:
    for notebook in NOTEBOOKS.glob('*.ipynb'):
        cells = json.loads(notebook.read_text())['cells']
        text = ''.join(''.join(cell['source']) for cell in cells if cell['cell_type'] == 'markdown')
        links = re.findall(r'\]\(([^)#\s]*)', text)
        assert len(links) >= 3
        assert all((NOTEBOOKS / link).exists() for link in links)


def test_all_notebooks_are_run_and_small() -> None:
    assert sorted(path.stem for path in NOTEBOOKS.glob('*.ipynb')) == ['detection', 'scene']
    assert all(path.stat().st_size < 400_000 for path in NOTEBOOKS.glob('*.ipynb'))
