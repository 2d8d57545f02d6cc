# Needs make and Python 3.10 or newer with venv. Everything else is installed into .venv by version
# and hash, with uv if it is installed, else with pip. Nothing outside this folder changes, except
# the caches of uv and pip.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAGES := README.md CONTRIBUTING.md docs/architecture.md docs/benchmark.md docs/comparison.md
PROJECT := {{cookiecutter.project_slug}}
AUDIT := build/audit

# cookiecutter copies everything in the project's folder: the caches of tools go elsewhere.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/cache/python
unexport PYTHONDONTWRITEBYTECODE
export RUFF_CACHE_DIR := $(CURDIR)/build/cache/ruff
export MYPY_CACHE_DIR := $(CURDIR)/build/cache/mypy
export PYTEST_ADDOPTS := -o "cache_dir=$(CURDIR)/build/cache/pytest"
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/cache/hypothesis
export COOKIECUTTER_CONFIG := build/cookiecutter.yaml

define fill
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; name one: make PYTHON=python3.12 ...")'
	@echo "Installing $< into .venv"
	@if command -v uv >/dev/null 2>&1; then \
	    { test -d $(VENV) || uv venv --quiet --python $(PYTHON) $(VENV); } && \
	    uv pip install --quiet --python $(BIN)/python --require-hashes -r $<; \
	else \
	    { test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV); } && \
	    $(BIN)/pip install --quiet --no-compile --disable-pip-version-check --require-hashes -r $<; \
	fi
	@touch $@
endef

$(VENV)/.new: requirements.txt
	$(fill)

$(VENV)/.dev: requirements-dev.txt
	$(fill)

# The scanners' own environment: an old one is replaced.
$(AUDIT)/.done: requirements-audit.txt | $(VENV)/.dev
	@echo "Installing $< into $(AUDIT)"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AUDIT)
	@$(BIN)/uv pip install --quiet --python $(AUDIT)/bin/python --require-hashes -r $<
	@touch $@

# cookiecutter keeps answers in the home folder by default; here they stay in build/.
$(COOKIECUTTER_CONFIG):
	@mkdir -p build
	@printf '%s\n' 'replay_dir: build/replay' 'cookiecutters_dir: build/templates' > $@

.PHONY: help new demo packages test crash-matrix browse emulator bench cold-start load check lint audit docs lock bump wheel tidy

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 ## /p' $(firstword $(MAKEFILE_LIST)) | awk -F' ## ' '{printf "%-14s %s\n", $$1, $$2}'

new: $(VENV)/.new $(COOKIECUTTER_CONFIG) tidy  ## ask the questions, generate a project, put it under git
	@read -p "Folder to create it in [..]: " folder || \
		{ echo; echo "make new asks questions; without a terminal: $(BIN)/cookiecutter . --no-input -o .."; exit 1; }; \
	$(BIN)/python tools/new.py "$$folder"

demo: $(VENV)/.new $(COOKIECUTTER_CONFIG) tidy  ## generate a project into build/; every group calls every route
	@rm -rf build/demo
	@COGNISES_KEEP="$$PWD/build/demo" $(BIN)/cookiecutter . --no-input -o build/demo
	@$(MAKE) --no-print-directory -C build/demo/cognises-service demo VENV=../venv

# What a generated project installs, and nothing else: tests of projects run with it.
packages:
	@$(MAKE) --no-print-directory -C '$(PROJECT)' install

# Files that take a minute do not come last, when no other is left to run beside them.
SLOWEST_FIRST := tests/template tests/browser tests/local_aws tests/cognises

test: $(VENV)/.dev packages tidy  ## the whole test suite, generated projects included
	$(BIN)/python -m pytest $(SLOWEST_FIRST) --numprocesses=auto --max-worker-restart=0 \
		--dist=loadfile --no-loadscope-reorder --durations=25

crash-matrix: $(VENV)/.dev tidy  ## interrupt provisioning at every call, run it again, compare (minutes)
	$(BIN)/python -m pytest tests/cognises/provisioning -m crash_matrix

browse: $(VENV)/.dev tidy  ## browse in two tabs for ten minutes while tokens end every two seconds
	TEST_BROWSER=require $(BIN)/python -m pytest tests/browser -m ten_minutes -s

emulator: $(VENV)/.dev tidy  ## bootstrap, sign in, tear down at ministack, which enforces IAM
	@$(MAKE) --no-print-directory -C '$(PROJECT)' ../$(VENV)/emulator/.installed VENV=../$(VENV)
	TEST_EMULATOR=$(VENV)/emulator/bin/ministack $(BIN)/python -m pytest tests/local_aws -m emulator

bench: $(VENV)/.dev tidy  ## measure what a guard adds to a request (RECORD=1: write docs/)
	PYTHONPATH="$(PROJECT):tests/cognises" $(BIN)/python -m bench $(if $(RECORD),--record)

cold-start: $(VENV)/.dev tidy  ## measure what sign-in and guards add to a Lambda cold start
	PYTHONPATH="$(PROJECT):tests/cognises" $(BIN)/python -m bench.cold_start

load: $(VENV)/.dev tidy  ## measure the service under load, and under faults for a minute
	PYTHONPATH="$(PROJECT):tests/cognises" $(BIN)/python -m load $(ARGS)

check: lint audit  ## what lint and audit check

lint: $(VENV)/.dev tidy  ## lint, types, imports, pins and pages, of template and project
	$(BIN)/ruff check bench hooks load tests tools
	$(BIN)/ruff format --check bench hooks load tests tools
	$(MAKE) --no-print-directory -C '$(PROJECT)' check
	$(BIN)/cog --check --check-fail-msg='A page is not what programs print: make docs' -I tools $(PAGES)
	$(BIN)/python tools/picture.py --check

audit: $(VENV)/.dev $(AUDIT)/.done $(COOKIECUTTER_CONFIG) tidy  ## checkov, zizmor and hadolint, over a project of each deployment
	$(BIN)/python tools/audit.py

docs: $(VENV)/.dev tidy  ## write the parts of the pages that programs print
	$(BIN)/cog -r -I tools $(PAGES)
	$(BIN)/python tools/picture.py
	$(MAKE) --no-print-directory -C '$(PROJECT)' docs

lock: $(VENV)/.dev  ## pin every requirement (make lock UPGRADE=--upgrade)
	$(BIN)/python tools/lock.py $(UPGRADE)

bump: $(VENV)/.dev  ## upgrade every requirement, then run checks and suite
	$(BIN)/python tools/lock.py --upgrade
	$(MAKE) check
	$(MAKE) test

wheel: $(VENV)/.dev tidy  ## build the module as a wheel, cognises-flask, into build/
	$(BIN)/python tools/wheel.py

tidy:
	@find '$(PROJECT)' \( -name __pycache__ -o -name '.*_cache' -o -name .hypothesis -o -name .venv -o -name uv.lock \) -prune -exec rm -rf {} +
