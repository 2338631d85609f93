# mmpatch: each target does all that a fresh machine needs. `make` lists them.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
COMPARISON ?=
TREES := $(or $(COMPARISON),--minutes 8 --seeds 0 1 --jobs 2)
SCALES := $(or $(COMPARISON),--minutes 12 --seeds 0 1 2 --jobs 2)

RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help env demo compare docs test gpu-check lint types clean distclean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20
	@echo
	@echo "Settings: PYTHON=python3.11   the Python to start from (3.10, 3.11 or 3.12)"
	@echo "          ARGS='-m \"not slow\"' more arguments for pytest, the demo or the comparison"
	@echo "          COMPARISON=--quick   a look at the comparisons, in 15 minutes each"
	@echo "          MMPATCH_WHEEL_DIR=... where compiled wheels are kept"
	@echo "          FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST=9.0   CUDA operators where no GPU is visible (containers)"

env:  ## Make the environment (.venv); compiles mmcv's operators the first time on a machine
	@$(PYTHON) scripts/setup_env.py --venv "$(VENV)"

demo: env  ## Train and show the demo
	$(RUN) tools/demo.py $(ARGS)

compare: env  ## Compare all methods on trees and on digits of all sizes (about six hours)
	$(RUN) tools/dataset_converters/yellowstone.py
	$(RUN) tools/dataset_converters/scales.py
	$(RUN) tools/model_converters/efficientnet_lite0.py
	$(RUN) tools/compare.py --suite yellowstone $(TREES) $(ARGS)
	$(RUN) tools/compare.py --suite scales $(SCALES) $(ARGS)

docs: env  ## Write the documentation as a site into site/
	$(RUN) -m sphinx -W --keep-going -q docs site
	@echo "open site/index.html"

test: env  ## Run the tests
	$(RUN) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

gpu-check: env  ## On a GPU: check gradients, precisions and memory, then measure memory and time
	$(RUN) -m pytest -m gpu
	$(RUN) tools/analysis_tools/benchmark.py --models fcos-r18 fcos-r50 --sides 1024 2048 4096 --device cuda $(ARGS)

lint: env  ## Check style and format (ruff)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: env  ## Check types (mypy)
	$(RUN) -m mypy

clean:  ## Remove caches and what was built; keeps the environment and data
	rm -rf build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find mmpatch tests tools scripts configs -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## Remove the environment too; compiled wheels stay
	rm -rf "$(VENV)" "$(VENV).lock" mmpatch/.mim
