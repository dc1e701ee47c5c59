# Everything a newcomer needs: `make demo` and `make test`. Both build .venv first, from the lock, if it is missing or out of date.
PYTHON ?= python3
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
CODE := leadscore.py data features training registry serving
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test coverage proofs lint bench lock clean
help:  ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

demo: .venv/.warm  ## sample world -> train -> serve, in one command
	@$(BIN)/leadscore demo

lint: .venv/.installed  ## style and types, nothing is changed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: .venv/.installed  ## style, types, and every test but the long proofs
	@$(MAKE) -j2 lint .venv/.warm
	@$(BIN)/pytest -q -m "not proof" -n 3 --dist loadfile --no-loadscope-reorder $(COVERAGE)

coverage: COVERAGE := --cov --cov-report=term:skip-covered
coverage: test  ## the same tests, and the lines that none of them reached

proofs: .venv/.warm  ## the long proofs that do not fit into `make test`
	@$(BIN)/pytest -q -m proof

bench: .venv/.warm  ## the measurements of benchmarks/README.md
	@shopt -s nullglob; \
	files=(benchmarks/bench_*.py); \
	(( $${#files[@]} )) || { echo "make bench: there is no benchmarks/bench_*.py" >&2; exit 1; }; \
	for file in "$${files[@]}"; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

# The locks name versions and hashes and no registry, so that any index or mirror serves them. UPGRADE=1 takes the newest versions.
UV = uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --generate-hashes \
	$(if $(UPGRADE),--upgrade)
lock:  ## renew requirements/*.lock (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	$(UV) pyproject.toml --extra dev -o requirements/dev.lock
	$(UV) pyproject.toml --extra postgres --extra telemetry -c requirements/dev.lock -o requirements/serve.lock
	$(UV) requirements/build.in -c requirements/dev.lock -o requirements/build.lock

clean:  ## remove .venv and every cache
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage dist
	find $(CODE) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock is whole, so nothing is resolved, and a module is compiled when it is first imported: most of them never are.
# The stamp is a copy of the lock. A changed lock makes a new environment: what is no longer locked goes, so that everybody has the same one.
.venv/.locked: requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "leadscore needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	  echo "Name another one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@cmp -s $< $@ || { \
	  echo "Creating .venv from $< (once; a minute or two) ..."; \
	  $(PYTHON) -m venv --clear .venv && $(BIN)/pip install --quiet --no-deps --no-compile --require-hashes -r $< && cp $< $@; }
	@touch $@

.venv/.installed: .venv/.locked pyproject.toml
	@$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q $(CODE)
	@touch $@

# The kernels are compiled here, so that neither the first request nor the first test waits for it.
KERNELS := $(shell grep -rlE --include='*.py' 'njit|intrinsic' data features registry training)
.venv/.warm: .venv/.installed $(KERNELS) $(wildcard */warm.py)
	@$(BIN)/python -m compileall -q $(CODE)
	@find data/sample features -name '*.nb?' -delete # their kernels call each other across files, which numba's cache does not notice
	@$(BIN)/python -m serving.warm
	@$(BIN)/python -m training.warm
	@touch $@
