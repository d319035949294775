# The newcomer's menu. `make serve`, `make review`, `make test`, `make scan DIR=...`; each makes the environment that it needs.
# in plain C, Python 3.11 and 3.12 cannot read the path of a checkout in a folder with another letter than ASCII's
ifneq (,$(filter C POSIX,$(LC_ALL)))
export LC_ALL := C.UTF-8
endif
PYTHON ?= python3
SERVE := .venv-serve
DEV := .venv
AUDIT := .venv-audit
COMPILE := PIP_CONFIG_FILE=/dev/null $(AUDIT)/bin/pip-compile -q --generate-hashes --strip-extras --allow-unsafe \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
CHECK = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	"this needs Python 3.11 or later, as in: make PYTHON=python3.12 serve")'
PIP := -m pip --disable-pip-version-check install -q -c constraints.txt

.PHONY: help serve review scan test lint format readme lock audit sbom clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

$(SERVE)/ready: pyproject.toml constraints.txt
	@$(CHECK)
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/python $(PIP) -e .
	@touch $@

$(SERVE)/review: $(SERVE)/ready
	$(SERVE)/bin/python $(PIP) -e '.[review]'
	@touch $@

$(DEV)/ready: pyproject.toml constraints.txt
	@$(CHECK)
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) -e '.[training,dev]'
	@touch $@

## make serve            start the service on http://127.0.0.1:8000 (API page at /docs), without keys
serve: $(SERVE)/ready
	FAUNALENS_AUTH=$${FAUNALENS_AUTH:-off} FAUNALENS_LOG_FORMAT=$${FAUNALENS_LOG_FORMAT:-text} $(SERVE)/bin/faunalens serve

## make review           the same with batches and the moderators' page on http://127.0.0.1:8000/review; keeps photos 30 days
review: $(SERVE)/review
	FAUNALENS_AUTH=$${FAUNALENS_AUTH:-off} FAUNALENS_LOG_FORMAT=$${FAUNALENS_LOG_FORMAT:-text} FAUNALENS_BATCHES=on \
	FAUNALENS_RETENTION_HOURS=$${FAUNALENS_RETENTION_HOURS:-720} $(SERVE)/bin/faunalens serve

## make scan DIR=...     print what the pictures of a folder show
scan: $(SERVE)/ready
	@case "$$DIR" in '') echo 'which folder? make scan DIR=docs/samples' >&2; exit 2;; '~/'*) DIR=$$HOME/$${DIR#??};; esac; \
	$(SERVE)/bin/faunalens scan -- "$$DIR"; code=$$?; case $$code in 0|4|8|12) ;; *) exit $$code;; esac

## make test             every check: style, types, tests (JOBS=2 at a time; a file stays together)
JOBS ?= 2
test: $(DEV)/ready lint
	$(DEV)/bin/python -m pytest -n $(JOBS) --dist loadfile

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

$(AUDIT)/ready: pyproject.toml constraints.txt
	@$(CHECK)
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python $(PIP) $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["audit"])')
	@touch $@

## make lock             write requirements.lock and requirements-build.lock: what the image installs, with hashes
lock: $(AUDIT)/ready
	$(COMPILE) -c constraints.txt --extra review --extra objects -o requirements.lock pyproject.toml
	$(COMPILE) -c constraints.txt -o requirements-build.lock --only-build-deps --build-deps-for=wheel pyproject.toml

## make audit            look the locked packages up in the databases of known vulnerabilities
audit: $(AUDIT)/ready
	$(AUDIT)/bin/pip-audit --strict --disable-pip --no-deps -r requirements.lock
	$(AUDIT)/bin/pip-audit --strict --disable-pip --no-deps -r requirements-build.lock

## make sbom             write sbom.json (CycloneDX): every package of the image with its hashes
sbom: $(AUDIT)/ready
	$(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json requirements.lock

## make clean            remove the environments and caches
clean:
	rm -rf .venv .venv-serve .venv-audit .mypy_cache .ruff_cache .pytest_cache
