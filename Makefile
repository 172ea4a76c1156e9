# Two commands do everything on a machine with Python >= 3.11, pip and make:
#   make demo   install, train two tasks, record them, draw two figures
#   make test   install, lint, check types and imports, run every test and doctest
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SETUP  := $(VENV)/.setup
BENCH  := $(VENV)/.bench
DOCS   := $(VENV)/.docs
OUT    ?= results

# Where it is set, each of the many processes that tests start compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint figures bench evidence docs lock clean
.DEFAULT_GOAL := setup

setup: $(SETUP)

$(SETUP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "throughtime needs Python >= 3.11, $(PYTHON) is older; use: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: setup
	$(BIN)/python experiments/demo.py --out $(OUT)

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: setup
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

figures: setup
	test ! -e evidence/gradient_anatomy.nc || $(BIN)/python figures/gradient_anatomy.py
	test ! -e evidence/locality.nc || $(BIN)/python figures/locality.py
	test ! -e evidence/online_rules.nc || $(BIN)/python figures/online_rules.py
	test ! -e evidence/periodic_output.nc || $(BIN)/python figures/periodic_output.py
	test ! -e evidence/evidence_accumulation.nc || $(BIN)/python figures/evidence_accumulation.py
	test ! -e evidence/reward_learning.nc || $(BIN)/python figures/reward_learning.py
	test ! -e evidence/innate_trajectory.nc || $(BIN)/python figures/innate_trajectory.py
	test ! -e evidence/learned_dynamics.nc || $(BIN)/python figures/learned_dynamics.py
	test ! -e evidence/low_rank_timing.nc || $(BIN)/python figures/low_rank_timing.py
	test ! -e evidence/recorded_data.nc || $(BIN)/python figures/recorded_data.py
	test ! -e evidence/rate_to_spikes.nc || $(BIN)/python figures/rate_to_spikes.py
	test ! -e evidence/rules_on_tasks.nc || $(BIN)/python figures/rules_on_tasks.py
	test ! -e evidence/rules_on_tasks.nc || $(BIN)/python figures/alignment.py
	test ! -e evidence/rules_on_tasks.nc || $(BIN)/python figures/learned_circuits.py
	test ! -e evidence/rules_on_tasks.nc || $(BIN)/python figures/initialisation.py
	test ! -e evidence/rules_on_tasks.nc || $(BIN)/python docs/readme_figure.py
	test ! -e evidence/bench.nc || $(BIN)/python figures/speed.py
	test ! -e evidence/tasks.nc || $(BIN)/python figures/task_demands.py
	test ! -e evidence/tasks.nc || $(BIN)/python figures/task_signatures.py
	@test -e $(OUT)/demo-cue-set-go.nc || echo "not drawn: working_memory and timing, which show what make demo trains"
	test ! -e $(OUT)/demo-cue-set-go.nc || $(BIN)/python figures/working_memory.py
	test ! -e $(OUT)/demo-cue-set-go.nc || $(BIN)/python figures/timing.py

$(BENCH): $(SETUP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch==2.13.0"
	@touch $@

bench: $(BENCH)
	$(BIN)/python -m benchmarks --out $(OUT)/bench.nc

evidence: setup
	$(BIN)/python experiments/evidence.py
	$(BIN)/python experiments/gradient_anatomy.py --out $(OUT)
	$(BIN)/throughtime audit --out evidence/locality.nc --overwrite
	$(BIN)/python experiments/online_rules.py --out $(OUT)
	$(BIN)/python experiments/periodic_output.py --out $(OUT)
	$(BIN)/python experiments/evidence_accumulation.py --out $(OUT)
	$(BIN)/python experiments/reward_learning.py --out $(OUT)
	$(BIN)/python experiments/innate_trajectory.py --out $(OUT)
	$(BIN)/python experiments/learned_dynamics.py --out $(OUT)
	$(BIN)/python experiments/low_rank_timing.py --out $(OUT)
	$(BIN)/python experiments/recorded_data.py --out $(OUT)
	$(BIN)/python experiments/rate_to_spikes.py --out $(OUT)
	$(BIN)/python experiments/rules_on_tasks.py --out $(OUT)

$(DOCS): $(SETUP) requirements-docs.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.lock
	@touch $@

docs: $(DOCS)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# Newest versions of everything, one resolution for every Python minor version (needs uv).
lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-annotate --no-header \
	  pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra docs --no-annotate --no-header \
	  --constraint requirements.lock pyproject.toml -o requirements-docs.lock

clean:
	rm -rf $(VENV) build dist docs/_build docs/gallery docs/generated figures/output
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
