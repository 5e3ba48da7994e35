# Two commands set everything up by themselves: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BENCH  := .venv-bench
LOCK   := $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11
READY  := $(VENV)/.ready

.PHONY: help demo test check lint types layers rolling test-deps bench wire fuzz fuzz-connections lock clean
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(READY) ## a Django site with three users behind the gateway; WALK=1 walks through the crossing and exits
	@$(BIN)/sluicegate demo $(if $(WALK),--walk) $(if $(STATE),--state "$(STATE)") $(if $(PORT),--port $(PORT)) $(if $(PRIVATE_PORT),--private-port $(PRIVATE_PORT))

test: $(READY) ## all tests; those whose servers are missing say so (see test-deps)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: lint types layers test ## what CI runs: ruff, mypy --strict, import-linter, tests

lint: $(READY)
	@echo "==> ruff" && $(BIN)/ruff check .
types: $(READY)
	@echo "==> mypy --strict" && $(BIN)/mypy
layers: $(READY)
	@echo "==> import-linter" && $(BIN)/lint-imports

rolling: $(READY) ## a rolling restart behind HAProxy: five rounds of 20 000 requests, none of which may fail
	@ROLLING_REQUESTS=20000 ROLLING_ROUNDS=5 $(BIN)/python -m pytest -q -s tests/integration/test_rolling.py

test-deps: ## Debian packages for the tests that need servers and browsers (root)
	@sh tests/install-debian-packages.sh

bench: $(BENCH)/.ready ## speed beside nginx, haproxy, Envoy, Traefik and Caddy; ONLY=proxies,bodies… ROUNDS=3 QUICK=1 JSON=file
	@$(BENCH)/bin/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick) $(if $(JSON),--json "$(JSON)")

wire: $(READY) ## the same raw bytes to nginx, haproxy and us: who passes what, as Markdown; ONLY=host,chunks… CASE="a name"
	@sh tests/install-debian-packages.sh nginx haproxy >&2
	@$(BIN)/python -m tests.raw $(if $(ONLY),--only $(ONLY)) $(if $(CASE),--case "$(CASE)")

fuzz: $(READY) ## a million mutated heads and bodies, read by us, h11 and llhttp alike; COUNT=1000000 SEED=1
	@$(BIN)/python -m tests.fuzz.heads $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

fuzz-connections: $(READY) ## clients, apps and the clock in any order of events; MINUTES=1 SEED=1
	@$(BIN)/python -m tests.fuzz.connections $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

lock: $(READY) ## make both lock files anew from pyproject.toml
	@$(BIN)/pip install -q uv
	@$(LOCK) --extra sqlite --extra demo --group dev pyproject.toml -o requirements.lock
	@$(LOCK) --group bench --no-deps -o tests/bench/requirements-bench.lock

clean: ## remove the virtual environment and every cache of this checkout
	rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements.lock pyproject.toml
	@echo "==> setting up $(VENV) (Python packages, about 20 s the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sluicegate needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "this Python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BENCH)/.ready: requirements.lock pyproject.toml tests/bench/requirements-bench.lock
	@sh tests/bench/install.sh $(BENCH) $(PYTHON)
