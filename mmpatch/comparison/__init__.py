"""Trainings beside each other: rows of configs -> runs -> tables and a page."""

from .checks import check_comparable
from .claims import claim, discard, is_claimed
from .comparison import Comparison
from .page import page, plot_memory
from .places import workshop
from .processes import RunError, run_tool
from .report import columns, table, to_csv, to_json, to_latex
from .row import Row
from .runs import Run, history, train_and_test
from .suites import SUITES, find_row, list_rows, suite_rows

__all__ = [
    'SUITES',
    'Comparison',
    'Row',
    'Run',
    'RunError',
    'check_comparable',
    'claim',
    'columns',
    'discard',
    'find_row',
    'history',
    'is_claimed',
    'list_rows',
    'page',
    'plot_memory',
    'run_tool',
    'suite_rows',
    'table',
    'to_csv',
    'to_json',
    'to_latex',
    'train_and_test',
    'workshop',
]
