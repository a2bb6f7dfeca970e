# Every target makes what it needs: Python >= 3.11, make and a package index are enough.
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-kafka test-chart soak lint style types directions dependencies generated format protos schemas bench lock clean

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

$(READY): requirements-dev.lock pyproject.toml .ci/bootstrap
	@echo "setting up .venv (about half a minute the first time)"
	@.ci/bootstrap
	@touch $@

demo: $(READY) ## The whole loop on an embedded broker with simulated models (ARGS="--json …")
	$(BIN)/consensus demo $(ARGS)

test: $(READY) ## Every test that needs nothing but Python (PostgreSQL is used where installed)
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not kafka and not slow and not soak" $(ARGS)
	@echo "left out: make test-kafka (Apache Kafka), make test-chart (helm), make soak, and what is marked slow"

test-kafka: $(READY) ## Faults on a real Apache Kafka (needs a JDK and Maven; the first run fetches 44 MB)
	$(BIN)/pytest -q -m "kafka and not soak" $(ARGS)

test-chart: $(READY) ## The chart through helm and kubeconform (needs Go; the first run builds both in some minutes)
	$(BIN)/python -m tests.chart.tools
	$(BIN)/pytest -q tests/chart $(ARGS)

soak: $(READY) ## The long forms of the fault tests: a storm of rebalances, a hundred kills
	$(BIN)/pytest -q -m soak $(ARGS)

lint: style types directions dependencies generated ## Style, types, directions of import, staleness of generated files

style: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

directions: $(READY)
	$(BIN)/lint-imports --no-cache

dependencies: $(READY)
	$(BIN)/deptry .

generated: $(READY)
	$(BIN)/buf lint --config protos/buf.yaml
	protos/generate.sh --check
	$(BIN)/python -m consensus.schemas --check

format: $(READY) ## Format and sort imports
	$(BIN)/ruff check --fix --select I
	$(BIN)/ruff format

protos: $(READY) ## Generate code from protos/consensus/v1/*.proto
	protos/generate.sh

schemas: $(READY) ## Generate docs/schemas and the chart's schema from the types
	$(BIN)/python -m consensus.schemas

BENCHMARKS = $(filter-out %/__init__.py %/__main__.py benchmarks/fit_%,$(sort $(wildcard benchmarks/*.py)))

bench: $(READY) ## Every script in benchmarks/, one after the other
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script $(ARGS); done

COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-annotate --python-version 3.11 pyproject.toml

lock: $(READY) ## Resolve the dependencies again (ARGS=--upgrade for newer versions)
	$(COMPILE) $(ARGS) -o requirements.lock
	$(COMPILE) $(ARGS) --all-extras --group dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove the environment and every cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
