# Homeport. `make` alone lists what there is.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := PYTHON=$(PYTHON) VENV=$(VENV) scripts/setup
TESTS ?= tests
ARGS ?=
SOURCES := src tests scripts $(wildcard bench)

# A virtual environment neither moves nor outlives its Python.
ifneq ($(MAKECMDGOALS),clean)
ifeq ($(shell test ! -s $(VENV)/.made || { test -x $(BIN)/python && test "$$(cat $(VENV)/.made)" = "$(CURDIR)"; } || echo stale),stale)
$(error $(VENV) was made at another path, or by a Python that is gone: make clean, then the same again)
endif
endif

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ── what is installed, once; a stamp says so, and a warm start looks at nothing else ──

$(VENV)/.made:
	@$(SETUP) venv

$(VENV)/.runtime: requirements/runtime.lock | $(VENV)/.made
	@$(SETUP) runtime

$(VENV)/.package: pyproject.toml $(VENV)/.runtime
	@$(SETUP) package

$(VENV)/.dev: requirements/dev.lock $(VENV)/.package
	@$(SETUP) dev

$(VENV)/.servers: requirements/servers.lock $(VENV)/.dev
	@$(SETUP) servers

# ── use ──

.PHONY: run
run: $(VENV)/.package ## Set up what is missing and serve on http://127.0.0.1:8000
	@exec $(BIN)/homeport serve $(ARGS)

.PHONY: postgres
postgres: $(VENV)/.package ## Add the driver for PostgreSQL (DATABASE_URL)
	@$(SETUP) driver asyncpg

.PHONY: redis
redis: $(VENV)/.package ## Add the driver for Redis and Valkey (REDIS_URL)
	@$(SETUP) driver redis

.PHONY: demo
demo: $(VENV)/.package ## Show the main job in a minute, in a temporary place
	@exec $(BIN)/homeport demo $(ARGS)

.PHONY: test
test: $(VENV)/.servers ## Run the whole suite (TESTS=path ARGS='-k name' narrow it)
	@$(BIN)/pytest -n 4 --dist worksteal -m "not faults and not soak" $(TESTS) $(ARGS)

.PHONY: test-pg
test-pg: $(VENV)/.servers ## Run the PostgreSQL half of the storage tests
	@$(BIN)/pytest -n 4 --dist worksteal -m "not faults and not soak" -k postgresql $(TESTS) $(ARGS)

.PHONY: fresh
fresh: ## Try make run on a fresh Debian 12 (needs root and debootstrap; ARGS=test: the suite too)
	@tests/install/fresh_debian $(ARGS)

.PHONY: faults
faults: $(VENV)/.servers ## Run the long fault tests: kills, pauses, cut lines
	@$(BIN)/pytest -n 2 --dist worksteal -m faults --timeout 900 $(TESTS) $(ARGS)

.PHONY: soak
soak: $(VENV)/.servers ## Run the soak tests
	@$(BIN)/pytest -m soak --timeout 0 $(TESTS) $(ARGS)

# ── check: exactly what CI runs before the tests ──

.PHONY: check
check: fmt-check lint types imports generated ## Everything but the tests

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --select I --fix --quiet $(SOURCES)

.PHONY: fmt-check
fmt-check: $(VENV)/.dev
	@$(BIN)/ruff format --check $(SOURCES)

.PHONY: lint
lint: $(VENV)/.dev ## ruff
	@$(BIN)/ruff check $(SOURCES)

.PHONY: types
types: $(VENV)/.dev ## pyright, strict
	@$(BIN)/pyright $(SOURCES)

.PHONY: imports
imports: $(VENV)/.dev ## The house: imports point down
	@$(BIN)/lint-imports --no-cache

.PHONY: generated
generated: $(VENV)/.dev
	@$(BIN)/python scripts/generate.py --check
	@$(BIN)/python scripts/check_locks.py

# ── what is generated ──

.PHONY: openapi
openapi: $(VENV)/.dev ## Write docs/openapi.json
	@$(BIN)/python scripts/generate.py docs/openapi.json

.PHONY: events-doc
events-doc: $(VENV)/.dev ## Write docs/events.md
	@$(BIN)/python scripts/generate.py docs/events.md

.PHONY: env-example
env-example: $(VENV)/.dev ## Write .env.example
	@$(BIN)/python scripts/generate.py .env.example

.PHONY: lock
lock: $(VENV)/.dev ## Resolve the locks again (needs the network)
	@VENV=$(VENV) scripts/lock $(ARGS)

.PHONY: revision
revision: $(VENV)/.dev ## Draft the next migration from the models (NAME=0007_things TITLE='Things')
	@$(BIN)/python scripts/revision.py "$(NAME)" "$(TITLE)"

.PHONY: clean
clean: ## Remove the virtual environment and every cache
	@rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache dist
	@find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
