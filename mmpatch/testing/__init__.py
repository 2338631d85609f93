"""Help for tests: generated data."""

from .fake_data import make_coco_tree, make_mask_tree, make_soda_d_tree

__all__ = ['make_coco_tree', 'make_mask_tree', 'make_soda_d_tree']
