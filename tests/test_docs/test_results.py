"""Published numbers are those of the runs that are kept beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmpatch.comparison.report import cells
from mmpatch.comparison.runs import Run

ROOT = Path(__file__).parents[2]
KEPT = ROOT / 'docs/results/runs'
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs/results').glob('*.md'))]
#: A comment above a table: the file of its runs, and the names of its rows in their order.
MARK = re.compile(r'<!-- runs of (\S+):\s+(.*?) -->\n\n(\|.*?\n)(?!\|)', re.DOTALL)
#: Columns that are called otherwise than in the reports of comparisons.
COLUMNS = {
    **{'0-32 px': 'AP_0-32', '32-64': 'AP_32-64', '64-256': 'AP_64-256'},
    **{'256-512': 'AP_256-512', '512+': 'AP_512+'},
    **{'F1': 'image/F1', 'IoU': 'image/IoU', 'recall at IoU 0.5': 'recall50'},
    **{name: f'{name}_AP50' for name in ('region', 'inside', 'outside')},
    **{'mean IoU': 'pixel/IoU', 'sea IoU': 'pixel/sea_IoU', 'lake IoU': 'pixel/lake_IoU'},
    **{'lakes 0-16 px': 'recall_lake_0-16', '16-64': 'recall_lake_16-64', '64+': 'recall_lake_64+'},
    'accuracy': 'top1',
    **{'memory [GiB]': 'peak [GiB]', 'peak memory [GiB]': 'peak [GiB]', '0-32': 'AP_0-32'},
}
#: Metrics of the model index, and by how much it multiplies them.
INDEX = {
    **{'box AP': ('AP', 100), 'box AP50': ('AP50', 100)},
    **{'F1': ('image/F1', 1), 'IoU': ('image/IoU', 1), 'mIoU': ('pixel/IoU', 1)},
    'Top 1 Accuracy': ('top1', 1),
}
#: Measured before runs were kept.
NOT_KEPT = {'patch_mobilenetv2_digits', 'mobilenetv2_digits'}

#: Column -> what a report says there.
Row = dict[str, str]


def reported(suite: str) -> dict[str, Row]:
    """What a report says of each row of a suite."""
    kept = json.loads((KEPT / f'{suite}.json').read_text())
    runs = [Run(**run) for run in kept['runs']]
    metrics = list(dict.fromkeys(name for run in runs for name in run.metrics))
    head, *rows = cells(runs, metrics)
    names = [*(name.split('/', 1)[-1] for name in metrics), *head[1 + len(metrics) :]]
    return {row[0]: dict(zip(names, row[1:])) for row in rows}


def number(cell: str) -> float:
    """The mean that a cell gives."""
    return float(cell.split('±')[0])


def agree(published: str, cell: str) -> bool:
    """Say whether a published cell rounds what a report says; it may leave the spread out."""
    means = [text.split('±') for text in (published.strip(' *'), cell)]
    if len(means[0]) > len(means[1]):
        return False
    for ours, theirs in zip(*means):
        short, long = (len(text.strip().partition('.')[2]) for text in (ours, theirs))
        slack = 0.5 * (10.0**-short + 10.0**-long) if short < long else 0.0
        if abs(float(ours) - float(theirs)) > slack + 1e-9:
            return False
    return True


TABLES = [
    (page.name, *match.groups()) for page in PAGES for match in MARK.finditer(page.read_text())
]


@pytest.mark.parametrize(('page', 'suite', 'names', 'table'), TABLES)
def test_tables(page: str, suite: str, names: str, table: str) -> None:
    runs = reported(suite)
    head, _, *rows = [
        [cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()
    ]
    assert len(rows) == len(names.split())
    for name, row in zip(names.split(), rows):
        for column, published in list(zip(head, row))[1:]:
            cell = runs[name][COLUMNS.get(column, column)]
            assert agree(published, cell), f'{page}, {name}, {column}: {published}, not {cell}'


def test_runs_that_are_kept_are_published() -> None:
    kept = {path.stem for path in KEPT.glob('*.json')}
    assert kept == {suite for _, suite, *_ in TABLES}
    assert 'README.md' in {page for page, *_ in TABLES}


def test_model_index() -> None:
    models: list[dict[str, Any]] = yaml.safe_load((ROOT / 'configs/metafile.yml').read_text())[
        'Models'
    ]
    main = [path.stem for path in KEPT.glob('*.json') if '-' not in path.stem]
    suites = [reported(suite) for suite in main]
    for model in models:
        found = [runs[model['Name']] for runs in suites if model['Name'] in runs]
        assert len(found) == (model['Name'] not in NOT_KEPT), model['Name']
        for run in found:
            assert agree(str(model['Metadata']['Training Memory (GB)']), run['peak [GiB]'])
            for name, value in model['Results'][0]['Metrics'].items():
                column, factor = INDEX[name]
                assert value == pytest.approx(factor * number(run[column])), model['Name']


@pytest.mark.parametrize(
    ('published', 'cell', 'agrees'),
    [
        ('0.524', '0.524 ± 0.004', True),
        ('**0.524 ± 0.004**', '0.524 ± 0.004', True),
        ('0.524 ± 0.003', '0.524 ± 0.004', False),
        ('0.525', '0.524', False),
        ('4.1', '4.06', True),
        ('4.2', '4.06', False),
        ('0.524 ± 0.004', '0.524', False),
    ],
)
def test_what_agrees(published: str, cell: str, agrees: bool) -> None:
    assert agree(published, cell) == agrees
