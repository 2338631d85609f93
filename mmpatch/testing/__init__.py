"""Help for tests: generated data, command line tools as modules."""

from .fake_data import make_coco_tree, make_mask_tree, make_soda_d_tree, make_tju_dhd_tree
from .tools import load_tool, run_forked

__all__ = [
    'load_tool',
    'make_coco_tree',
    'make_mask_tree',
    'make_soda_d_tree',
    'make_tju_dhd_tree',
    'run_forked',
]
