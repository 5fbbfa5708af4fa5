# make demo       derive, prove, generate, verify and train the network of handwritten digits, from nothing
# make test       the tests
# make check      committed files up to date, linter, formatter, type checker
# make test-all   the slow sweeps too
# make fuzz       a million random formulas against the language of formulas
# make bench      docs/performance.md: times against other libraries, half an hour to an hour on an idle machine; QUICK=1 for a few of them
# make clean      remove what was built (not the environments; rm -r .venv .venv-bench for that)

PYTHON ?= python3
BIN := .venv/bin
BUILD := build

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check fuzz bench clean

help:
	@sed -n 's/^# make/make/p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("chainrule needs Python 3.11 or newer, not " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

# The environments are made anew when pyproject.toml changes.
.venv/run.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[data]'
	touch $@

# PyTorch, which only the tests use, goes first and by its exact version: a wheel for the CPU that pip is told of is then taken.
.venv/test.stamp: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet 'torch==2.13.0'
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch .venv/run.stamp $@

# The other libraries of the benchmark have an environment of their own: PyTensor holds Numba back, and chainrule is measured with the newest.
.venv-bench/bench.stamp: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet 'torch==2.13.0'
	.venv-bench/bin/python -m pip install --quiet --editable '.[bench]'
	touch $@

demo: .venv/run.stamp
	@mkdir -p $(BUILD)
	$(BIN)/chainrule derive digits --format latex -o $(BUILD)/digits.tex
	$(BIN)/chainrule derive digits --format markdown -o $(BUILD)/digits.md
	$(BIN)/chainrule prove digits
	$(BIN)/chainrule generate digits -o $(BUILD)/digits.py
	$(BIN)/chainrule verify digits
	$(BIN)/chainrule train digits --data digits
	@echo
	@echo "The derivation: $(BUILD)/digits.md (and .tex for pdflatex). The module: $(BUILD)/digits.py"

# A file's tests share what they have derived and compiled, so that one process runs all of them.
test: .venv/test.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

test-all: .venv/test.stamp
	$(BIN)/python -m pytest -n 2 -q -m "slow or not slow"

check: .venv/test.stamp
	$(BIN)/chainrule check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

fuzz: .venv/test.stamp
	$(BIN)/python -m tests.fuzz_formulas 1000000

bench: .venv/run.stamp .venv-bench/bench.stamp
	.venv-bench/bin/python -m benchmarks $(if $(QUICK),--quick)

clean:
	rm -rf $(BUILD) dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +
