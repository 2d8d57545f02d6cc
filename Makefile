# Needs make and Python 3.10 or newer with venv; everything else goes into .venv, by version and
# hash, with uv if there is one, else with pip (which brings uv). Nothing outside this folder
# changes, the caches of uv and pip excepted.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PAGES := README.md CONTRIBUTING.md docs/architecture.md docs/benchmark.md docs/comparison.md
PROJECT := {{cookiecutter.project_slug}}

# The generated project is made from a folder in which we also run tools: their caches go
# elsewhere, or they would be generated too.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
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
	    $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<; \
	fi
	@touch $@
endef

$(VENV)/.new: requirements.txt
	$(fill)

$(VENV)/.dev: requirements-dev.txt
	$(fill)

# cookiecutter remembers answers in the home folder; ours stay here.
$(COOKIECUTTER_CONFIG):
	@mkdir -p build
	@printf '%s\n' 'replay_dir: build/replay' 'cookiecutters_dir: build/templates' > $@

.PHONY: help new demo test crash-matrix bench cold-start load check docs lock bump tidy

help:  ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 ## /p' $(firstword $(MAKEFILE_LIST)) | awk -F' ## ' '{printf "%-14s %s\n", $$1, $$2}'

new: $(VENV)/.new $(COOKIECUTTER_CONFIG) tidy  ## ask the questions, generate a service
	@read -p "Folder to create it in [..]: " folder && \
	    case "$$folder" in "~"|"~/"*) folder="$$HOME$${folder#?}";; esac && \
	    $(BIN)/cookiecutter . -o "$${folder:-..}"

demo: $(VENV)/.new $(COOKIECUTTER_CONFIG) tidy  ## generate a service into build/ and watch every group try every route
	@rm -rf build/demo
	@$(BIN)/cookiecutter . --no-input -o build/demo
	@$(MAKE) --no-print-directory -C build/demo/cognises-service demo VENV=.venv

test: $(VENV)/.dev tidy  ## the whole test suite, generated services included
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder

crash-matrix: $(VENV)/.dev tidy  ## stop provisioning at every call, run it again, compare (minutes)
	$(BIN)/python -m pytest tests/cognises/provisioning -m crash_matrix

bench: $(VENV)/.dev tidy  ## what a guard costs, in RSA verifications (RECORD=1: into docs/)
	PYTHONPATH="$(PROJECT):tests/cognises" $(BIN)/python -m bench $(if $(RECORD),--record)

cold-start: $(VENV)/.dev tidy  ## what sign-in and guards add to the cold start of a function
	PYTHONPATH="$(PROJECT):tests/cognises" $(BIN)/python -m bench.cold_start

load: $(VENV)/.dev tidy  ## requests a second with and without guards, then a minute of trouble
	PYTHONPATH="$(PROJECT):tests/cognises" $(BIN)/python -m load $(ARGS)

check: $(VENV)/.dev tidy  ## lint, format and types, of the template and of the unrendered project
	$(BIN)/ruff check bench hooks load tests tools
	$(BIN)/ruff format --check bench hooks load tests tools
	$(MAKE) --no-print-directory -C '$(PROJECT)' check VENV=../.venv
	$(BIN)/cog --check --check-fail-msg='A page is not what programs print: make docs' -I tools $(PAGES)
	$(BIN)/python tools/picture.py --check

docs: $(VENV)/.dev tidy  ## write what the pages show of programs anew
	$(BIN)/cog -r -I tools $(PAGES)
	$(BIN)/python tools/picture.py
	$(MAKE) --no-print-directory -C '$(PROJECT)' docs VENV=../.venv

lock: $(VENV)/.dev  ## pin every requirement anew (make lock UPGRADE=--upgrade)
	$(BIN)/python tools/lock.py $(UPGRADE)

bump: $(VENV)/.dev  ## the newest version of every requirement, proved by checks and suite
	$(BIN)/python tools/lock.py --upgrade
	$(MAKE) check
	$(MAKE) test

tidy:
	@find '$(PROJECT)' \( -name __pycache__ -o -name '.*_cache' -o -name .hypothesis -o -name .venv -o -name uv.lock \) -prune -exec rm -rf {} +
