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
# What stands on a database or carries runs out, with PostgreSQL and Temporal under it instead of SQLite and this machine alone.
# Twice as many as there are on two cores, for these tests mostly wait.
SCALE := ROTA_TEST_UNDER=scale $(PYTEST) --numprocesses 4
SCALED := $(addprefix tests/,engine ops http executors tools modules blobs runners surfaces docs e2e)
# Of these, the main parts of the engine, and each surface from end to end.
SHORT := $(wildcard tests/surfaces/*/test_*_walkthrough.py) $(addprefix tests/,\
  engine/test_dispatcher.py engine/test_scheduler.py engine/test_settler.py engine/test_supervisor.py engine/test_rescuer.py \
  surfaces/mcp/test_mcp_work.py surfaces/ordinaut/test_ordinaut_engine.py) \
  $(addprefix tests/e2e/test_,\
  command_line_for_real.py::test_run_with_wait_shows_the_output_and_passes_the_exit_code_on \
  fylr_for_real.py::test_a_cancel_is_not_forgotten_when_the_server_is_killed_behind_it \
  nla_for_real.py::test_an_agent_is_run_in_the_terminal ordinaut_for_real.py \
  outside_workers_for_real.py::test_a_worker_that_died_with_the_server_loses_its_run \
  runwisp_for_real.py::test_line_6_a_session_and_the_queue_outlive_kill_9_and_what_ran_has_crashed \
  services_for_real.py::test_a_killed_service_comes_back)

.PHONY: help run test test-fast test-scale test-scale-short check format bench lock docs clean
.DEFAULT_GOAL := help

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(RUN)  ## Install what is needed and serve examples/quickstart
	$(BIN)/rota serve --config examples/quickstart/rota.toml

# The short part comes first, so that the last line speaks of all tests; whether it passes or not, they are run.
test: $(DEV)  ## Install what tests need and run them all, and some of them with PostgreSQL and Temporal under them
	@failed=0; $(MAKE) --no-print-directory test-scale-short || failed=1; $(PYTEST) || failed=1; exit $$failed

test-fast: $(DEV)  ## The tests without the end-to-end ones
	$(PYTEST) -m 'not e2e'

test-scale: $(DEV)  ## The tests with PostgreSQL and Temporal under them
	$(SCALE) $(SCALED)

test-scale-short: $(DEV)  ## The part of those that `make test` has, too
	$(SCALE) $(SHORT)

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
