"""Training runs beside each other: one config -> a run -> tables and a page."""

from .checks import check_comparable
from .page import page, plot_memory
from .processes import RunError, run_tool
from .report import table, to_csv, to_latex
from .runs import Run, history, train_and_test
from .suites import SUITES, suite_configs

__all__ = [
    'SUITES',
    'Run',
    'RunError',
    'check_comparable',
    'history',
    'page',
    'plot_memory',
    'run_tool',
    'suite_configs',
    'table',
    'to_csv',
    'to_latex',
    'train_and_test',
]
