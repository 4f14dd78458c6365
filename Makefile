# What a person does with this project, one target each. The work is in the programs that they call.

PYTHON ?= python3
PORT ?= 4141
MODEL ?= default
# As variables of the shell their text is not code: a path may have spaces and quotes.
export PORT MODEL
# A catalogue of your own, which says who answers for which model.
ifdef CATALOG
export MEGALLM_CATALOG := $(CATALOG)
endif

# What the stack is to be like: CONTEXT="streaming=off log_days=7" (docs/deploy.md has all).
CONTEXT ?=
export CONTEXT

VENV := .venv
INFRA = PYTHONPATH=.:shared .venv-infra/bin/python -m infra.run
BOOTSTRAP = command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) is not on this machine: install Python 3.11 or newer, or say PYTHON=/path/to/python'; exit 1; }; \
	$(PYTHON) shared/megallm/local/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run test check test-go bench update clean synth diff deploy destroy bootstrap dev-environment infra-environment

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18
	@echo
	@echo '  Variables: PORT=4141  MODEL=default|tiny|/path/to/file.gguf  CATALOG=/path/to/catalogue.toml  PYTHON=python3'
	@echo '             CONTEXT="key=value ..." for AWS; AWS_PROFILE and AWS_REGION choose the account'

run: ## Start the gateway, a local AWS and a model on this machine
	@$(BOOTSTRAP) run
	@exec $(VENV)/bin/python -m megallm dev --port "$${PORT:-4141}" --model "$${MODEL:-default}"

test: dev-environment ## Check everything: format, lint, types, import rules, all tests
	@$(BOOTSTRAP) venv .venv-sdk-old requirements/sdk-old.txt
	@$(BOOTSTRAP) venv .venv-ministack requirements/ministack.txt
	@$(VENV)/bin/python tests/run_checks.py $(CHECKS)

check: dev-environment ## The fast part of it, for the working day
	@$(VENV)/bin/python tests/run_checks.py --fast $(CHECKS)

test-go: dev-environment ## Run the README's Go snippet; needs Go
	@$(VENV)/bin/pytest -q tests/readme/go_snippet.py

bench: dev-environment ## Measure the speed beside its targets, and beside other gateways
	@for peer in ant2oai litellm rolter; do \
		$(BOOTSTRAP) venv .venv-$$peer requirements/$$peer.txt || echo "$$peer cannot be installed here: it will be missing."; \
	done
	@$(VENV)/bin/python -m tests.benchmarks.router.install || echo 'claude-code-router cannot be installed here: it will be missing.'
	@$(VENV)/bin/python -m tests.benchmarks

update: dev-environment ## Compile all pins anew, of what is at least a week old
	@$(VENV)/bin/python requirements/update.py

synth: infra-environment ## Make the AWS template, in cdk.out/; needs no account
	@$(INFRA) synth

deploy: infra-environment ## Put the gateway into your AWS account
	@$(INFRA) deploy

diff: infra-environment ## Show what a deployment would change
	@$(INFRA) diff

destroy: infra-environment ## Take it out again; tables and bucket stay
	@$(INFRA) destroy

bootstrap: infra-environment ## Make what CDK keeps in an account and region; once
	@$(INFRA) bootstrap

clean: ## Remove environments and caches; keys, logs and model files stay
	@rm -rf .venv .venv-* node_modules .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist cdk.out infra/cdk_cli/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

infra-environment:
	@$(BOOTSTRAP) venv .venv-infra requirements/infra.txt

dev-environment:
	@$(BOOTSTRAP) dev
