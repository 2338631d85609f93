"""Training runs beside each other."""

from .report import table, to_csv
from .runs import Run, history, run_tool, train_and_test

__all__ = ['Run', 'history', 'run_tool', 'table', 'to_csv', 'train_and_test']
