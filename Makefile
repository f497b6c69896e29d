# Logferry's verbs. `make` or `make help` lists them.
# Everything is made from python3 (3.11 or later) and the pinned, hashed requirements: no Docker, no AWS account, no key.

PYTHON ?= python3
INPUT  ?= statemachine/examples/spark-log-csv.json

# The developer's own AWS settings (AWS_PROFILE, AWS_ENDPOINT_URL, …) never reach the sandbox, the gates or the tests.
CLEAN := env $(foreach name,$(filter AWS_% POWERTOOLS_%,$(.VARIABLES)),-u $(name)) \
	AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
RUN   := $(CLEAN) .venv/bin/python -m
GATES := $(RUN) tests.gates

.DEFAULT_GOAL := help
.PHONY: help demo test lint format schemas types unit faults bench test-browser smoke tabulate lock clean .venv tools

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile

demo: .venv ## run one export through the real template and state machine, on this machine (INPUT=another.json)
	@$(RUN) tests.sandbox run $(INPUT)

test: tools ## every check and every test
	@$(GATES)

lint: tools ## the static checks alone: code, types, template, state machines, policies, dependencies
	@$(GATES) static

format: .venv ## put the code into shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

schemas: .venv ## write the schemas of the inputs again, from the models and the sources
	@$(RUN) tests.gates.schemas

types: .venv ## mypy, strict
	.venv/bin/mypy

unit: .venv ## the unit tests alone
	@$(RUN) pytest tests/unit -n 2

faults: .venv ## every fault at every call of an export, alone and in sampled pairs, in a simulation
	@$(RUN) tests.simulation faults

bench: .venv ## the benchmarks, side by side with what people use today
	@$(RUN) tests.benchmarks

test-browser: .venv ## draw the coverage picture in a headless Chromium
	@$(RUN) pytest tests/browser

smoke: .venv ## one export and one dry run on a deployed stack (STACK=name INPUT=my-export.json; your AWS credentials)
	@test -n "$(STACK)" || { echo "say which stack: make smoke STACK=name INPUT=my-export.json"; exit 2; }
	@.venv/bin/python -m tests.smoke $(STACK) $(if $(filter-out file,$(origin INPUT)),--input $(INPUT))

tabulate: .venv ## make tables of what landed before Tables=ON (STACK=name; your AWS credentials)
	@test -n "$(STACK)" || { echo "say which stack: make tabulate STACK=name"; exit 2; }
	@.venv/bin/python -m tests.smoke.tabulate $(STACK)

lock: .venv ## compile the pinned requirements again from pyproject.toml (UPGRADE=1 takes newer versions)
	$(COMPILE) --group test pyproject.toml -o tests/requirements.txt
	$(COMPILE) -c tests/requirements.txt pyproject.toml -o layers/logferry/requirements.txt
	$(COMPILE) -c tests/requirements.txt --group tables -o layers/tables/requirements.txt
	$(COMPILE) --group uv -o tests/requirements-uv.txt
	$(COMPILE) --group sam -o tests/requirements-sam.txt
	$(COMPILE) --group checkov -o tests/requirements-checkov.txt

clean: ## remove what make and the tests made
	rm -rf .venv .aws-sam .sandbox .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find functions layers statemachine tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- environments: re-made when their requirements change ----

UV      := .venv/bin/uv
COMPILE  = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes $(if $(UPGRADE),--upgrade)

# uv installs in seconds; where it cannot reach an index that pip is configured for, pip does the same work.
define install
	$(UV) pip sync -q --require-hashes --python $(1)/bin/python $(2) \
		|| .venv/bin/python -m pip --python $(1)/bin/python install -q --no-deps --require-hashes -r $(2)
	touch $(1)/ready
endef

.venv: .venv/ready

tools: .venv .venv/sam/ready .venv/checkov/ready ## what the gates use: SAM's command line (.venv/sam/bin/sam) and checkov

.venv/ready: tests/requirements.txt tests/requirements-uv.txt
	@$(PYTHON) -c 'import sys; sys.exit("Logferry needs Python 3.11 or later; say which with PYTHON=" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r tests/requirements-uv.txt
	@# The layer's package is importable as it is in Lambda, with no path edits in the code.
	@.venv/bin/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "logferry.pth").write_text("$(CURDIR)/layers/logferry\n")'
	$(call install,.venv,tests/requirements.txt)

# SAM and checkov pin boto3 exactly, and not as the product does: an environment each.
.venv/sam/ready: tests/requirements-sam.txt .venv/ready
	.venv/bin/python -m venv --without-pip .venv/sam
	$(call install,.venv/sam,tests/requirements-sam.txt)

.venv/checkov/ready: tests/requirements-checkov.txt .venv/ready
	.venv/bin/python -m venv --without-pip .venv/checkov
	$(call install,.venv/checkov,tests/requirements-checkov.txt)
