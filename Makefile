PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2

export TF_CPP_MIN_LOG_LEVEL ?= 3

DOCS_STAMP := $(VENV)/.docs

.PHONY: install docs demo pretrained test test-all lint type pytest rounding stacks fuzz faults clean

install: $(STAMP)

$(STAMP): setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# The site, in build/site; a warning is an error. First the pages that follow from the code.
docs: $(DOCS_STAMP)
	$(BIN)/python -m documentation
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

demo: $(STAMP)
	$(BIN)/python bin/akita_demo.py -o runs/demo

# The shipped model of yeast, from the public data that docs/real.md lists.
DATA ?= data/yeast
pretrained: $(STAMP)
	$(BIN)/python -m benchmarks.yeast_pretrained --data $(DATA) -o runs/yeast

test: lint type pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: $(STAMP)
	$(BIN)/mypy
	$(BIN)/python -m tests.meta.strict_typing

pytest: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --durations 15

# Also the tests that take minutes each.
test-all: lint type
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --durations 15 -m "slow or not slow"

# Numbers that depend on rounding, with oneDNN on and off and with 1 and 2 threads.
rounding: $(STAMP)
	for onednn in 0 1; do for threads in 1 2; do \
	TF_ENABLE_ONEDNN_OPTS=$$onednn TF_NUM_INTRAOP_THREADS=$$threads $(BIN)/python -m pytest \
	tests/parity tests/training tests/models tests/layers tests/variants || exit 1; done; done

# The tests with other versions of Python and of the libraries, as PYTHON:CONSTRAINTS. Warnings of old
# libraries about their own dependencies are no errors. TESTS="tests/models tests/cli" runs fewer.
STACKS ?= $(PYTHON):constraints.txt $(PYTHON):constraints-oldest.txt
TESTS ?= tests
stacks:
	for stack in $(STACKS); do \
	python=$${stack%%:*}; versions=$${stack#*:}; folder=.stacks/$$(basename $$python)-$${versions%.txt}; \
	echo "== $$python with $$versions"; \
	$$python -m venv $$folder && \
	$$folder/bin/python -m pip install --quiet --disable-pip-version-check -c $$versions -e ".[dev]" && \
	$$folder/bin/python -m pytest -n $(JOBS) --dist loadfile -o filterwarnings=default $(TESTS) \
	|| exit 1; done

# Damaged files at every reader; `make fuzz MUTANTS=100 DOORS="vcf bed"` reads fewer.
MUTANTS ?= 2000
fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz.fuzzing $(MUTANTS) $(DOORS)

# Kills, full disks, missing rights and damaged checkpoints; `make faults FAULTS=5 COMMANDS=scd`.
FAULTS ?= 20
faults: $(STAMP)
	$(BIN)/python -m tests.faults.kills $(FAULTS) $(COMMANDS)

clean:
	rm -rf $(VENV) runs build dist *.egg-info
