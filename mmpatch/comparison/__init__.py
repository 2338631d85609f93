"""Training runs beside each other."""

from .report import table, to_csv
from .runs import Run, run_tool, train_and_test, training_rows

__all__ = ['Run', 'run_tool', 'table', 'to_csv', 'train_and_test', 'training_rows']
