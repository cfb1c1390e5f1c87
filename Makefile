# Needs make and a Python (>= 3.10); everything else is fetched into .venv and .cache.
#
#   make demo     functions in the real emulator, through the layer, into an embedded Firehose: see it work
#   make test     the tests, with a quick subset of the versions matrix
#   make matrix   end to end on every CPython and every version of the runtime client
#   make suites   the tests of other libraries, bare and through the wrapper (not part of make test)
#   make check    ruff and mypy
#   make layer    dist/firetee-layer.zip
#   make release  all files of a release, up to the uploads (docs/releasing.md)
#   make bench    what is claimed, measured
#   make lock     new versions of the dependencies
#   make clean    removes what is made above

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
LAYER := dist/firetee-layer.zip
# Each says that what requirements/<name>.txt locks is installed; written last, so that what was interrupted begins again.
MADE := $(VENV)/.made
DEMO := $(VENV)/.demo
READY := $(VENV)/.test
CHECK := $(VENV)/.check
BENCH := $(VENV)/.bench

.DELETE_ON_ERROR:
.PHONY: linux demo test matrix suites check layer release bench lock clean

test: linux $(READY)
	@$(BIN)/python -m firetee.prefetch
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not matrix"

demo: linux $(DEMO)
	@$(BIN)/python -m firetee.demo

matrix: linux $(READY)
	@$(BIN)/python -m firetee.prefetch --matrix
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/end_to_end tests/wrapper/test_program.py

suites: linux $(READY)
	$(BIN)/python -m tests.suites

check: $(CHECK)
	$(BIN)/ruff check .
	$(BIN)/mypy

layer: $(READY)
	@$(BIN)/firetee layer build --out $(LAYER)

release: $(READY)
	$(BIN)/python -m firetee.release $(if $(TAG),--tag $(TAG))

bench: $(BENCH)
	$(BIN)/python -m benchmarks

linux:
	@test "$$(uname -s)" = Linux || { echo "The emulator that the demo and the tests run functions in is a program \
	for Linux, this is $$(uname -s): use a Linux machine, a container or WSL."; exit 1; }

$(MADE):
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "firetee needs Python 3.10 or later, \
	this is " + sys.version.split()[0] + ": run make PYTHON=/path/to/python3.12 ...")'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(DEMO): requirements/demo.txt | $(MADE)
	@echo "Installing what the demo needs"
	@$(BIN)/python requirements/install.py demo
	@touch $@

$(READY): requirements/test.txt pyproject.toml | $(MADE)
	@echo "Installing what the tests need"
	@$(BIN)/python requirements/install.py test
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(CHECK): requirements/check.txt $(READY)
	@echo "Installing what the checks need"
	@$(BIN)/python requirements/install.py check
	@touch $@

$(BENCH): requirements/bench.txt $(READY)
	@echo "Installing what the benchmarks need"
	@$(BIN)/python requirements/install.py bench
	@touch $@

# Versions with hashes for every Python and platform at once, which pip cannot write; uv can. The benchmarks' and the
# checks' lock begin with the tests'.
LOCK := .cache/uv/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
	--no-emit-index-url --no-annotate
lock: $(READY)
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/python -m pip install --quiet --quiet --disable-pip-version-check uv
	$(LOCK) --upgrade requirements/test.in --output-file requirements/test.txt
	for set in demo check bench; do \
	  $(LOCK) --upgrade --constraint requirements/test.txt requirements/$$set.in --output-file requirements/$$set.txt || exit; \
	done
	echo boto3 | $(LOCK) --upgrade - --output-file firetee/locks/runtime-boto3.txt
	for ric in $$($(BIN)/python -c 'from firetee.runtimes import RICS; print(*RICS)'); do \
	  echo "awslambdaric==$$ric" | $(LOCK) --upgrade - --output-file firetee/locks/runtime-$$ric.txt || exit; \
	done

clean:
	rm -rf $(VENV) .cache build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
