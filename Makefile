# Two commands: `make run` shows the whole pipeline at work on this machine, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := shared

.DEFAULT_GOAL := help
.PHONY: help run test test-code test-built browser proof soak bench-extraction lint lock clean

include sam.mk

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.ready: requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Broadsheet needs Python 3.11 or later; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

run: $(VENV)/.ready ## the pipeline over a sample site; FEED=<url> for a real feed, SEED=<file> for a seed document
	@$(BIN)/python -m local $(if $(FEED),--feed '$(FEED)') $(if $(SEED),--seed '$(SEED)')

# Docker and the local AWS mostly wait: what needs them runs beside the rest. Both halves want ministack, made before.
test: lint $(if $(PYTHON313),.venv-ministack/.ready) ## lint, types and every test
	@$(MAKE) --no-print-directory --jobs=2 test-code test-built

test-code: $(VENV)/.ready ## all tests but those of what is built
	$(BIN)/pytest --ignore=tests/sam --ignore=tests/deploy

test-built: $(VENV)/.ready ## what is built: layers, the template's checks, sam local invoke, sam deploy
	$(BIN)/pytest tests/sam tests/deploy

browser: ## a Chromium for the tests that look at pages, from Debian's packages; as root
	@for name in chromium-headless-shell chromium google-chrome; do command -v $$name && exit; done; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
		chromium-headless-shell fonts-wqy-microhei >/dev/null

proof: $(VENV)/.ready ## every death at every step, and what it came to; PLAN='<line>' replays one plan
	@$(if $(PLAN),PLAN='$(PLAN)' $(BIN)/pytest tests/proofs -k this_plan,PROOF=full $(BIN)/pytest tests/proofs)

soak: $(VENV)/.ready .venv-ministack/.ready ## thousands of articles, and processes killed at random meanwhile, for ten minutes
	@$(BIN)/python -m tests.soak $(if $(SEED),--seed $(SEED))

bench-extraction: .venv-peers/.ready ## extraction beside its peers on ../shared/corpus, by file and language; ONLY='fundus wcxb'
	@.venv-peers/bin/python tests/benchmarks/extraction --repeat $(or $(REPEAT),1) $(if $(PEERS),--peers $(PEERS) --) $(ONLY)

lint: $(VENV)/.ready ## ruff and mypy alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy shared/broadsheet functions local tests

lock: $(VENV)/.ready ## pin what the .in files name, with hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate shared/requirements.in -o shared/requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c shared/requirements.txt requirements-dev.in -o requirements-dev.txt
	for tool in sam checkov ministack runtime; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements/$$tool.in -o requirements/$$tool.txt; done
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -c shared/requirements.txt requirements/peers.in -o requirements/peers.txt

clean: ## forget the embedded AWS's state, builds and the virtual environment
	rm -rf out .aws-sam $(VENV) .venv-*
