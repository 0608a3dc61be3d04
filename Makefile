# Two commands do everything: `make demo` shows it, `make test` proves it. Both make the environment they need.

PYTHON := $(shell for each in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
# Where it is set, each process that is started would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

STARTED := $(shell date +%s)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes
RUNTIME := .venv/.runtime-installed
TOOLS := .venv/.tools-installed
SDKS := .venv/sdks/installed
DASHBOARD := services/dashboard/dist/index.html
DASHBOARD_SOURCES := $(shell find services/dashboard \( -name node_modules -o -name dist \) -prune -o -type f -print)
BUILD_DASHBOARD := services/dashboard/build $(CURDIR)/$(BIN)/python $(CURDIR)/.venv/node

.PHONY: help demo up installed dashboard dashboard-if-possible dashboard-types screenshots test slow long servers sdks units unit coverage check style types imports dashboard-check lock bench-proxy bench-worker bench-query bench-export bench-embedded bench-cache bench-dashboard kill-test clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo   start Farebox with a simulated provider, send traffic through it, show what it cost'
	@echo 'make up     start Farebox alone, with everything it keeps in ./data'
	@echo 'make dashboard  build the web page that make demo and make up show; needs npm packages'
	@echo 'make test   install what the tests need, check the code, run every test'
	@echo 'make long   the laws with many more examples each: for a night'
	@echo 'make sdks   install the published SDKs that some of the tests call'
	@echo 'make unit   the tests that need no server, in seconds, and which share of the code they run'
	@echo 'make coverage  every test, and which lines of the code none of them runs'
	@echo 'make check  formatting, lint, types and import rules only'
	@echo 'make bench-proxy | bench-worker | bench-query | bench-export | bench-embedded | bench-cache | bench-dashboard   print the figures of the README'
	@echo 'make kill-test  kill Farebox under load, starve it, and compare what clients got with its rows'
	@echo 'make dashboard-types | screenshots   its types of the API, and the pictures of the README, made anew'
	@echo 'make lock   pin the newest dependencies that pyproject.toml allows'
	@echo 'make clean  remove the environment and ./data'

demo: installed
	@$(BIN)/farebox demo --started-at $(STARTED) $(DEMO)

up: installed
	@$(BIN)/farebox up $(UP)

# Python's packages and the dashboard wait for different things, so they are made beside each other.
installed: $(BIN)/farebox
	@$(MAKE) --no-print-directory --silent -j2 $(RUNTIME) dashboard-if-possible

dashboard: $(DASHBOARD)

dashboard-if-possible: | $(BIN)/farebox
	@$(MAKE) --no-print-directory dashboard > .venv/dashboard.log 2>&1 \
	|| echo 'The dashboard could not be built; all else works without it, and make dashboard says why.'

$(DASHBOARD): $(DASHBOARD_SOURCES) | $(BIN)/farebox
	@$(BUILD_DASHBOARD)
	@touch $@

dashboard-types: $(TOOLS) dashboard
	$(BIN)/python -m tests.dashboard.types

screenshots: $(TOOLS) dashboard
	$(BIN)/python -m tests.dashboard.screenshots

# A disk that syncs is most of what tests wait for, so they write to memory where there are 8 GB of it.
SCRATCH := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000000 {print "/dev/shm"}')
# The slow tests wait more than they compute: four processes share them, each with servers of its own, and the files
# with the longest tests go first.
SLOW := -n 4 --dist loadfile --no-loadscope-reorder tests/journeys tests/dashboard tests/contracts tests/laws tests/test_*.py
# Four processes on few cores starve each other at times. What failed among them runs once more, alone, and is listed by
# name: the first that fails again ends the run.
AGAIN := --last-failed --last-failed-no-failures=none -x tests/journeys tests/dashboard tests/contracts tests/laws tests/test_*.py

# What uses one core each goes first, side by side. Types take longest, and no test needs them.
test: | $(BIN)/farebox
	@$(MAKE) --no-print-directory --output-sync -j3 style imports dashboard-check units servers sdks
	@$(MAKE) --no-print-directory -j2 slow types

slow: $(TOOLS)
	@folder=$$(mktemp -d -p "$(SCRATCH)") && chmod 711 "$$folder" && trap 'rm -rf "$$folder"' EXIT && export TMPDIR=$$folder && set -x \
	&& { $(BIN)/pytest -q $(SLOW) $(PYTEST) || { test $$? = 1 && $(BIN)/pytest -q -rA --tb=short $(AGAIN); }; }

# Each run draws other examples, so what few of them miss for days, many of them find in a night.
long: $(TOOLS) servers
	HYPOTHESIS_PROFILE=long $(BIN)/pytest -q -n 2 --dist loadfile --timeout 7200 tests/laws tests/contracts/test_query_cursors.py $(PYTEST)

# Published SDKs, in an environment of their own.
sdks: $(SDKS)

$(SDKS): tests/journeys/sdks/requirements.lock tests/journeys/sdks/traces.lock tests/journeys/sdks/package-lock.json | $(BIN)/farebox dashboard
	tests/journeys/sdks/install $(CURDIR)/$(BIN)/python $(CURDIR)/.venv

servers: $(TOOLS)
	$(BIN)/python -m tests.servers

# Noting which lines run takes longer than to run them, and proves nothing more.
units: $(TOOLS)
	$(BIN)/pytest -q tests/unit tests/golden $(PYTEST)

unit: $(TOOLS)
	$(BIN)/pytest -q --cov --cov-report= tests/unit tests/golden $(PYTEST)
	$(BIN)/coverage report --format=total | sed 's/.*/coverage of unit and golden tests: &%/'

coverage: $(TOOLS) servers sdks
	$(BIN)/pytest --cov --cov-report=term-missing $(PYTEST)

check: style types imports dashboard-check

style: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(TOOLS)
	$(BIN)/mypy

imports: $(TOOLS)
	$(BIN)/lint-imports

dashboard-check: dashboard
	$(BUILD_DASHBOARD) check

bench-proxy bench-worker bench-query bench-export bench-embedded bench-cache bench-dashboard: bench-%: $(TOOLS)
	$(BIN)/python -m tests.bench.$*

kill-test: $(TOOLS)
	$(BIN)/python -m tests.bench.kills

# The lock files name every file by its hash, so what is installed is what was tested.
$(RUNTIME): requirements.lock | $(BIN)/farebox
	$(INSTALL) -r requirements.lock
	@touch $@

$(TOOLS): requirements-dev.lock | $(BIN)/farebox
	$(INSTALL) -r requirements-dev.lock
	@touch $@ $(RUNTIME)

# The source is used where it lies: a path file and a script do what an editable install would, without a build tool.
$(BIN)/farebox:
	@test -n '$(PYTHON)' || { echo 'Farebox needs Python 3.11 or newer; none was found. Name one: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo 'Python cannot make an environment; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "farebox.pth").write_text(f"{pathlib.Path.cwd()}\n")'
	@printf '#!%s\nfrom services.cli import main\n\nmain()\n' '$(CURDIR)/$(BIN)/python' > $@
	@chmod +x $@

COMPILE = $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links

lock: $(TOOLS)
	$(BIN)/python -m pip install -q uv
	$(COMPILE) pyproject.toml --extra demo -o requirements.lock
	$(COMPILE) pyproject.toml --extra dev -o requirements-dev.lock
	$(COMPILE) tests/journeys/sdks/requirements.in -o tests/journeys/sdks/requirements.lock
	$(COMPILE) tests/journeys/sdks/traces.in -o tests/journeys/sdks/traces.lock

clean:
	rm -rf .venv data services/dashboard/dist services/dashboard/node_modules
