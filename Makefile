# Everything is done from here; `make` alone says what there is.
PYTHON ?= python3
# Otherwise each process of the tests would compile again what others have compiled.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run-installed
DEV := $(VENV)/.dev-installed
# One worker a core; who is idle takes over from who is not.
PYTEST := $(BIN)/pytest --numprocesses logical --dist worksteal

.PHONY: help run test test-fast check format bench lock docs clean
.DEFAULT_GOAL := help

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(RUN)  ## Install what is needed and serve examples/quickstart
	$(BIN)/rota serve --config examples/quickstart/rota.toml

test: $(DEV)  ## Install what tests need and run them all
	$(PYTEST)

test-fast: $(DEV)  ## The tests without the end-to-end ones
	$(PYTEST) -m 'not e2e'

check: $(DEV)  ## Everything a reviewer would ask: format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)  ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV)  ## Measure, each figure beside its reference in the same run
	$(BIN)/python -m bench

docs: $(DEV)  ## Write the generated pages of docs/reference
	$(BIN)/python docs/generate.py

lock: $(DEV)  ## Pin the dependencies anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  pyproject.toml --extra postgres --extra fast --output-file requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
	  pyproject.toml --extra postgres --extra fast --group dev --output-file requirements/dev.txt

clean:  ## Remove what the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Rota needs Python 3.11 or newer: make PYTHON=/path/to/python'; exit 1; }
	$(PYTHON) -m venv $(VENV)

# --require-hashes: what is installed is what was locked, byte for byte.
$(RUN): $(BIN)/python requirements/run.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
