"""Settings of Sphinx: `make docs` writes the documentation as a site into ``site/``."""

from __future__ import annotations

import mmpatch

project = 'mmpatch'
author = 'the developers of mmpatch'
release = mmpatch.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
source_suffix = {'.md': 'markdown'}
myst_heading_anchors = 3

# Signatures with types are long; the docstrings tell types and shapes.
autodoc_default_options = {'members': True, 'member-order': 'bysource'}
autodoc_typehints = 'none'
napoleon_use_ivar = True

html_theme = 'furo'
html_title = 'mmpatch'
