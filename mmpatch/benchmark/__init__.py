"""Memory and time of training steps, method by method."""

from .cell import METHODS, Cell, Result, run_cell
from .report import plot, table, to_csv

__all__ = ['METHODS', 'Cell', 'Result', 'plot', 'run_cell', 'table', 'to_csv']
