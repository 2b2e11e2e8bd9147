# Everything made here lies in .venv*, .demo* and .cache; nothing outside the project folder is touched.
# Needs make and Python 3.11 or later, with its venv module; all else is installed into .venv.

AIRFLOW ?= 3.3.2
SUFFIX := $(if $(filter-out 3.3.2,$(AIRFLOW)),-$(AIRFLOW))
LOCK := requirements/airflow-$(AIRFLOW).txt
VENV := .venv$(SUFFIX)
STATE := .demo$(SUFFIX)
BIN := $(CURDIR)/$(VENV)/bin
INSTALLED := $(VENV)/.installed
FRAMEWORKS := $(VENV)/.frameworks
MIGRATED := $(STATE)/airflow/.migrated
DATA := $(STATE)/data/.made
DOCS := .venv-docs

# The first interpreter that is new enough and can make a virtual environment; PYTHON=… overrides.
NEW_ENOUGH := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	if $$name -c '$(NEW_ENOUGH)' 2>/dev/null; then echo $$name; break; fi; done)

export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH

# An Airflow of its own: whatever the shell says, no other installation's database or settings are touched.
export AIRFLOW_HOME := $(CURDIR)/$(STATE)/airflow
export AIRFLOW_CONFIG = $(AIRFLOW_HOME)/airflow.cfg
demo ui: export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN = sqlite:///$(AIRFLOW_HOME)/airflow.db
demo ui: export AIRFLOW__CORE__EXECUTOR = LocalExecutor
demo ui: export AIRFLOW__CORE__LOAD_EXAMPLES = False
demo ui: export AIRFLOW__CORE__DAGS_FOLDER = $(CURDIR)/dags
demo ui: export AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT = $(CURDIR)/$(STATE)/artifacts
demo ui: export AIRFLOW_VAR_FLIGHT_DATA = $(CURDIR)/$(STATE)/data
demo ui: export AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST = [\
	{"name": "examples", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": "$(CURDIR)/dags"}}, \
	{"name": "demo", "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle", "kwargs": {"path": "$(CURDIR)/demo/dags"}}]

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo ui stack test check docs benchmark kernel clean

help: ## show this text
	@echo "Targets (AIRFLOW=3.1.8 runs any of them on that version, in folders of its own):"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-18s%s\n", $$1, $$2}'

demo: $(INSTALLED) $(MIGRATED) $(DATA) ## score real flights: a spring day passes, a July week is stopped
	@$(BIN)/python demo/run.py

ui: $(INSTALLED) $(DATA) ## start Airflow with the example DAGs on this machine only (PORT=8080); Ctrl-C stops it
	@exec $(BIN)/python demo/ui.py $(PORT)

stack: $(INSTALLED) ## start all of docker-compose.yaml without containers, with two Celery workers; Ctrl-C stops it
	@exec $(BIN)/python tests/stack/serve_stack.py

test: export AIRFLOW_HOME := $(CURDIR)/$(STATE)/airflow-test
test: $(INSTALLED) $(FRAMEWORKS) ## run the whole test suite
	@$(BIN)/python -m pytest -m stack tests/stack
	@$(BIN)/python -m pytest -m "not stack" --numprocesses=2 --dist=loadfile --no-loadscope-reorder

check: $(INSTALLED) ## ruff, mypy --strict, the import contracts and the sizes
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .cache/import-linter
	@$(BIN)/python tools/structure.py

docs: $(DOCS)/.installed ## build the documentation's site into build/site
	@$(DOCS)/bin/python docs/_site/build.py
	@echo "Read it: build/site/index.html (with its search: $(DOCS)/bin/python -m http.server --bind 127.0.0.1 --directory build/site)"

benchmark: $(INSTALLED) ## rows per second and peak memory against the plain pandas script
	@$(BIN)/python benchmarks/compare.py --contenders ours script --tables narrow --rows 1e5 1e6

TREES := airflow_batch_inference/trees
CLANG ?= clang-19

# No unrolling and no vectors but those of the text, and nothing of what depends on the processor: that is known on first use.
kernel: ## make the kernel for tree ensembles of its C text (needs clang-19)
	@mkdir -p .cache
	@$(CLANG) --target=x86_64-unknown-linux-gnu -std=c17 -O2 -ffreestanding -fwrapv -fno-vectorize -fno-slp-vectorize \
		-fno-unroll-loops -ffp-contract=off -fno-strict-aliasing -fno-ident -fno-stack-protector \
		-fno-asynchronous-unwind-tables -fno-pic -fno-pie \
		-fno-discard-value-names -Wall -Wextra -Werror -Wno-psabi -Wno-unused-parameter -S -emit-llvm -o .cache/kernel.ll \
		$(TREES)/kernel.c
	@{ echo "; Made of kernel.c by \`make kernel\`; SHA-256 of that text: $$(sha256sum $(TREES)/kernel.c | cut -c1-64)"; \
		sed -E '/^(; ModuleID|source_filename|target )/d; s/"(target-cpu|target-features|tune-cpu)"="[^"]*" ?//g' .cache/kernel.ll; \
	} > $(TREES)/kernel.ll

clean: ## remove all that was made here
	rm -rf .venv .venv-* .demo .demo-* .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis dist build

$(INSTALLED): pyproject.toml $(LOCK)
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with its venv module was found (python3 is $$(python3 --version 2>&1))." \
		"Install one (Debian: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { echo "$(PYTHON) is not Python 3.11 or later with its venv module." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Airflow $(AIRFLOW) and this package into $(VENV) (some minutes, about 1 GB)"
	@$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable '.[test,check,demo]'
	@$(BIN)/python -c 'import lightgbm' || { echo "LightGBM cannot be imported: see above." \
		"Where libgomp.so.1 is missing: apt install libgomp1 (Fedora: dnf install libgomp)" >&2; exit 1; }
	@touch $@

$(DOCS)/.installed: pyproject.toml requirements/docs.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with its venv module was found." >&2; exit 1; }
	@test -x $(DOCS)/bin/python || $(PYTHON) -m venv $(DOCS)
	@echo "Installing what builds the site into $(DOCS)"
	@$(DOCS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1' # the first that knows --group
	@$(DOCS)/bin/python -m pip install --quiet --constraint requirements/docs.txt --group docs
	@touch $@

$(FRAMEWORKS): $(INSTALLED)
	@echo "Installing the frameworks that the tests load models of: PyTorch, TensorFlow, XGBoost, … (about 2 GB)"
	@$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable '.[frameworks]'
	@touch $@

$(LOCK):
	@echo "There is no $@. The tested versions are: $(patsubst requirements/airflow-%.txt,%,$(wildcard requirements/airflow-*.txt))" >&2; exit 1

$(MIGRATED): $(INSTALLED)
	@echo "Making Airflow's database in $(STATE)/airflow"
	@mkdir -p $(@D) && $(BIN)/airflow db migrate > $(@D)/migrate.log 2>&1 || { tail -n 30 $(@D)/migrate.log >&2; exit 1; }
	@touch $@

$(DATA): demo/prepare.py | $(INSTALLED)
	@$(BIN)/python demo/prepare.py $(@D)
	@touch $@
