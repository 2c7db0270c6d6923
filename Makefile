# Thin lines over the tools. `make run` serves the page; `make test` runs every check that CI runs.

# The first Python of 3.11 or newer that is found; PYTHON=... names another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

.PHONY: run test lint bench constraints clean

run: $(VENV)/installed
	@$(BIN)/moyun serve

test: lint
	@.ci/browser
	@$(BIN)/moyun fetch --model embedded
	@$(BIN)/python -m pytest

lint: $(VENV)/installed-test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

bench: $(VENV)/installed
	@$(BIN)/moyun bench

# Stamps: installing happens again only when what is to be installed has changed.
$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing (a few minutes the first time) · 安装依赖（首次需几分钟）"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing, with what the tests need · 安装依赖和测试工具"
	@$(PIP) install --constraint constraints.txt --editable '.[test,train,eval]'
	@touch $@ $(VENV)/installed

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. 需要 Python 3.11 或更新版本。" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

constraints:
	@rm -rf build/clean && $(PYTHON) -m venv build/clean
	@build/clean/bin/python -m pip install --quiet '.[test,train,eval]'
	@{ sed -n '1p' constraints.txt; build/clean/bin/python -m pip freeze --exclude moyun | sed 's/+cpu$$//'; \
	   sed -n '/^# Only/,$$p' constraints.txt; } > build/frozen
	@mv build/frozen constraints.txt && rm -rf build/clean

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
