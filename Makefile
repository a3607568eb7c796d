# What people and CI type. Needs a POSIX shell and Python 3.11 or newer; everything else goes into .venv,
# pinned by version and hash in the lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint fmt bench starts faults drift crash stops shards mutants undo lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run-time ## both emulators on this machine, a plan, two runs, a night of changes, a report
	@$(BIN)/python -m etl demo

test: $(VENV)/.development ## the tests, on two cores, but for those that take minutes
	@$(BIN)/python -m pytest -n 3 --dist worksteal

lint: $(VENV)/.development ## style, types and the walls between the modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.development ## put the code into the one form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

SIZE ?= S M odd apply
ROUNDS ?= 3

bench: $(VENV)/.bench ## time and memory at 100,000 and a million enrollments (SIZE=L: ten), beside curl and other ways
	@PYTHONPATH=tests $(BIN)/python -m bench --rounds $(ROUNDS) $(SIZE)

# tests/long has targets of its own: crash, stops, starts, undo, shards.
faults: $(VENV)/.development ## every fault of the catalogue, 10,000 nights in simulation, 300 over sockets, a year
	@$(BIN)/python -m pytest -q -n 3 -m fault --ignore tests/long
	@PYTHONPATH=tests $(BIN)/python -m simulation --stories 10000
	@PYTHONPATH=tests $(BIN)/python -m simulation --stories 300 --first 1000000 --sockets
	@PYTHONPATH=tests $(BIN)/python -m simulation.year

drift: $(VENV)/.development ## 1,000 times 100,000 rows that move while they are read: none is wrongly deleted
	@PYTHONPATH=tests $(BIN)/python -m simulation.drift

crash: $(VENV)/.development ## a kill at every step, a lost answer or dead disk at every call: one more run mends it
	@KILL_POINTS=all $(BIN)/python -m pytest -q -m "long or not long" tests/long/test_crash.py \
	  tests/runs/test_lost_answers.py tests/runs/test_namespace_lost.py tests/runs/test_orphans.py \
	  tests/runs/test_state_disk.py tests/runs/test_state_faults.py

stops: $(VENV)/.development ## 200 SIGTERM and 50 SIGINT at random moments: a clean end in time, and one more run goes on
	@$(BIN)/python -m pytest -q -m long tests/long/test_stops.py

starts: $(VENV)/.development ## 200 times two to four runs started at once: one writes, nothing is written twice
	@$(BIN)/python -m pytest -q -m long tests/long/test_starts.py

undo: $(VENV)/.development ## 10,000 rows changed and deleted are put back field by field; so are runs killed at every request
	@$(BIN)/python -m pytest -q -m "long or not long" tests/long/test_undo.py tests/runs/test_undo*.py tests/core/test_undoing.py

shards: $(VENV)/.development ## four portals by pods of their own, killed as they write, then totals: the end of one run, every night
	@$(BIN)/python -m pytest -q -m "long or not long" tests/runs/test_shards.py tests/runs/test_pods.py tests/long/test_shards.py

mutants: $(VENV)/.development ## planted bugs, one after another: the tests find each of them
	@PYTHONPATH=tests $(BIN)/python -m mutants

# Wheels of every system and Python version are hashed, so one lock serves 3.11 and later. pip-compile reads no
# dependency groups; the tools, the build backend and what that needs for --editable come on standard input.
lock: $(VENV)/.development ## pin the newest versions that pyproject.toml allows
	CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --output-file requirements.lock pyproject.toml
	$(BIN)/python -c "$$LIST_TOOLS" | CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) --allow-unsafe \
	  --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml -
	$(BIN)/python -c "$$LIST_BENCH" | CUSTOM_COMPILE_COMMAND="make lock" $(COMPILE) \
	  --constraint requirements-dev.lock --output-file requirements-bench.lock -

clean: ## remove what make and the tools have made; run history in var/ stays
	rm -rf $(VENV) dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find etl tests -name __pycache__ -type d -prune -exec rm -rf {} +

COMPILE := $(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-strip-extras --resolver backtracking \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
define LIST_TOOLS
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))
print(*project["dependency-groups"]["dev"], *project["build-system"]["requires"], "editables", sep="\n")
endef
export LIST_TOOLS
define LIST_BENCH
import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["bench"], sep="\n")
endef
export LIST_BENCH

# An empty file beside the packages says which lock they came from; a newer lock installs again.
$(VENV)/.run-time: requirements.lock | $(BIN)/python
	@echo "Installing what the program needs into $(VENV) ..." >&2
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing the program and the tools of its developers into $(VENV) ..." >&2
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --no-index --editable .
	@touch $(VENV)/.run-time $@

# The peers and the plot: for `make bench` alone, so that the tests need none of it.
$(VENV)/.bench: requirements-bench.lock | $(VENV)/.run-time
	@echo "Installing what the benchmark's peers need into $(VENV) ..." >&2
	@$(PIP_INSTALL) --require-hashes -r requirements-bench.lock
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found: Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$($(PYTHON) --version) is too old: Python 3.11 or newer is needed; name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) has no venv module: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
