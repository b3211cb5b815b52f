# Needs python3 >= 3.10 with venv, and make; everything else comes from PyPI into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SEARCH := $(VENV)/.search
# Two workers fit two cores; override with: make test JOBS=8
JOBS   ?= 2

# Folder of .tflite files, with NAME.golden.npz beside a model where outputs were recorded.
MODELS ?= ../shared/models

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check golden bench clean

help: ## print this list
	@echo "make targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-10s %s\n", $$1, $$2}'

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "tinyforge needs python3 >= 3.10: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "python3 has no venv module; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

# TensorFlow is large, and not there for every Python: without it the search and its tests are left out.
$(SEARCH): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[search]' || echo "TensorFlow or Optuna cannot be installed here: no search"
	@touch $@

setup: $(SEARCH) ## make .venv with tinyforge, its test tools and what the search needs

demo: $(SEARCH) ## search a digit classifier, compile it, flash the emulated board, check every output
	$(BIN)/python examples/digits/demo.py

docs/demo.svg: $(SEARCH) examples/digits/demo.py
	$(BIN)/python examples/digits/demo.py --svg $@

test: check $(SEARCH) ## lint, types and tests (what continuous integration runs)
	$(BIN)/python -m pytest -n $(JOBS)

test-all: check $(SEARCH) ## the long tests too: every operator on every core, every board, every flashing tool (an hour or more)
	$(BIN)/python -m pytest -n $(JOBS) -m ""

check: $(READY) ## lint and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

golden: $(READY) ## rewrite the expected texts in tests/ after an intended change
	TINYFORGE_UPDATE_GOLDENS=1 $(BIN)/python -m pytest -q -n $(JOBS) tests/golden tests/cli/test_help.py

bench: $(READY) ## measure all models of MODELS (a folder) and rewrite docs/benchmarks.md
	$(BIN)/tinyforge bench --models $(MODELS) --out docs/benchmarks.json --page docs/benchmarks.md

clean: ## remove .venv and everything generated
	rm -rf $(VENV) out build .pytest_cache .mypy_cache .ruff_cache
