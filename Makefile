# The newcomer's menu. `make serve`, `make test`, `make scan DIR=...`; each makes the environment that it needs.
PYTHON ?= python3
SERVE := .venv-serve
DEV := .venv
PIP := -m pip --disable-pip-version-check install -q -c constraints.txt

.PHONY: help serve scan test lint format readme clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(SERVE)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/python $(PIP) -e .
	@touch $@

$(DEV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) -e '.[training,dev]'
	@touch $@

## make serve            start the service on http://127.0.0.1:8000 (API page at /docs)
serve: $(SERVE)/ready
	$(SERVE)/bin/faunalens serve

## make scan DIR=...     print what the pictures of a folder show
scan: $(SERVE)/ready
	@$(SERVE)/bin/faunalens scan $(DIR); code=$$?; case $$code in 0|4|8|12) ;; *) exit $$code;; esac

## make test             every check: style, types, tests
test: $(DEV)/ready lint
	$(DEV)/bin/python -m pytest

## make lint             style and types only
lint: $(DEV)/ready
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy

## make format           put the style right
format: $(DEV)/ready
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

## make readme           put the shipped weights' answer and heat map into the README
readme: $(SERVE)/ready
	$(SERVE)/bin/python docs/refresh.py

## make clean            remove the environments and caches
clean:
	rm -rf .venv .venv-serve .mypy_cache .ruff_cache .pytest_cache
