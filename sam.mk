# Building, invoking and deploying the stack. Each tool lives in a virtual environment of its own, at pinned versions,
# so that none disturbs the product's: SAM CLI, the linters of templates, and ministack, a local AWS.
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1

# `sam build` and the layer want Python 3.13, the functions' runtime. pyenv's shims may refuse to run: look behind them.
PYTHON313 := $(shell for p in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13*/bin/python3.13; do \
	"$$p" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done)
SAM = env -u PYTHONPATH PATH="$(dir $(PYTHON313)):$$PATH" .venv-sam/bin/sam

.PHONY: python313 build validate invoke-discover invoke-parse invoke-notify invoke-publish invoke-callback deploy-local

.venv-ministack/.ready .venv-runtime/.ready: MADE_BY = $(PYTHON313) # they run the functions by their own interpreter
.venv-%/.ready: MADE_BY = $(PYTHON)
.venv-%/.ready: requirements/%.txt | $(VENV)/.ready
	$(MADE_BY) -m venv --clear .venv-$*
	$(BIN)/uv pip install --system-certs --quiet --python .venv-$* --require-hashes -r $<
	touch $@

python313: # which Python 3.13 was found, if any
	@echo $(PYTHON313)

build: .venv-sam/.ready ## what is deployed, in .aws-sam/build, for both processors
	$(SAM) build --cached --parallel $(if $(PYTHON313),,--use-container)

validate: .venv-sam/.ready .venv-checkov/.ready ## the template, by SAM, cfn-lint and checkov
	$(SAM) validate --lint
	env -u PYTHONPATH .venv-sam/bin/cfn-lint template.yaml
	env -u PYTHONPATH .venv-checkov/bin/checkov --file template.yaml --framework cloudformation --compact --quiet --skip-download

invoke-discover: ## sam local invoke, in Docker, with all its events or EVENT=<file>; invoke-parse, -notify, -publish, -callback too
invoke-discover invoke-parse invoke-notify invoke-publish invoke-callback: invoke-%: build .venv-ministack/.ready
	@$(BIN)/python -m local.invoke $(or $(EVENT),$(wildcard events/$*-*.json))

deploy-local: build .venv-ministack/.ready ## the built stack into a local AWS: articles in, posts out, update, delete
	@$(BIN)/python -m local.deployment
