# Every target sets up what it needs: a virtual environment in .venv with the locked versions.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: demo dashboard test test-all lint docs bench clean

demo: $(VENV)/.run
	$(BIN)/anomalo demo

dashboard: $(VENV)/.dashboard
	$(BIN)/anomalo dashboard

test test-all: export PYTHONDONTWRITEBYTECODE =  # tests start many processes: compile once

# What a change is tried with: every module, and each model in part. With COVERAGE=1 branch coverage is demanded.
test: $(VENV)/.dev
	$(PYTEST) -m "not matrix and not slow" $(if $(COVERAGE),--cov --cov-report term --cov-fail-under 92)

# And every check of every model, browsers and kills, with the slowest tests.
test-all: test
	$(PYTEST) -m "matrix or slow" --durations 20
	$(BIN)/python -m pytest -c pyproject.toml --rootdir . examples/anomalo-zscore/tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/speed.py

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.dashboard: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable ".[dashboard]"
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml constraints.txt examples/anomalo-zscore/pyproject.toml | $(VENV)/bin/python
	$(PIP) --editable ".[dev]" --editable examples/anomalo-zscore
	@touch $@ $(VENV)/.run $(VENV)/.dashboard

$(VENV)/.bench: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable ".[bench]"
	@touch $@

clean:
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
