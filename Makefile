# Two commands do everything: `make demo` shows it, `make test` proves it. Both make the environment they need.

PYTHON := $(shell for each in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
STARTED := $(shell date +%s)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes
RUNTIME := .venv/.runtime-installed
TOOLS := .venv/.tools-installed

.PHONY: help demo up test unit coverage check lock bench-proxy bench-worker bench-query bench-embedded kill-test clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo   start Farebox with a simulated provider, send traffic through it, show what it cost'
	@echo 'make up     start Farebox alone, with everything it keeps in ./data'
	@echo 'make test   install what the tests need, check the code, run every test'
	@echo 'make unit   the tests that need no server, in seconds, and which share of the code they run'
	@echo 'make coverage  every test, and which lines of the code none of them runs'
	@echo 'make check  formatting, lint, types and import rules only'
	@echo 'make bench-proxy | bench-worker | bench-query | bench-embedded   print the figures of the README'
	@echo 'make kill-test  kill Farebox under load, starve it, and compare what clients got with its rows'
	@echo 'make lock   pin the newest dependencies that pyproject.toml allows'
	@echo 'make clean  remove the environment and ./data'

demo: $(RUNTIME)
	@$(BIN)/farebox demo --started-at $(STARTED) $(DEMO)

up: $(RUNTIME)
	@$(BIN)/farebox up $(UP)

test: $(TOOLS) check unit
	$(BIN)/python -m tests.servers
	$(BIN)/pytest --ignore=tests/unit --ignore=tests/golden $(PYTEST)

unit: $(TOOLS)
	$(BIN)/pytest -q --cov --cov-report= tests/unit tests/golden $(PYTEST)
	$(BIN)/coverage report --format=total | sed 's/.*/coverage of unit and golden tests: &%/'

coverage: $(TOOLS)
	$(BIN)/python -m tests.servers
	$(BIN)/pytest --cov --cov-report=term-missing $(PYTEST)

check: $(TOOLS)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-proxy bench-worker bench-query bench-embedded: bench-%: $(TOOLS)
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

COMPILE = $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links pyproject.toml

lock: $(TOOLS)
	$(BIN)/python -m pip install -q uv
	$(COMPILE) --extra demo -o requirements.lock
	$(COMPILE) --extra dev -o requirements-dev.lock

clean:
	rm -rf .venv data
