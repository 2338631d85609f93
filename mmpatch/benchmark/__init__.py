"""Memory and time of training steps, method by method."""

from .cell import METHODS, Cell, Result, run_cell
from .report import plot, table, to_csv
from .scaling import scaling_table

__all__ = ['METHODS', 'Cell', 'Result', 'plot', 'run_cell', 'scaling_table', 'table', 'to_csv']
