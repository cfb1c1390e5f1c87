# Needs make and a Python (>= 3.10); everything else is fetched into .venv and .cache.
#
#   make demo     functions in the real emulator, through the layer, into an embedded Firehose: see it work
#   make test     the tests, with a quick subset of the versions matrix
#   make matrix   end to end on every CPython and every version of the runtime client
#   make check    ruff and mypy
#   make layer    dist/firetee-layer.zip
#   make release  all files of a release, up to the uploads (docs/releasing.md)
#   make bench    what is claimed, measured
#   make lock     new versions of the dependencies
#   make clean    removes what is made above

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MADE := $(VENV)/.made
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
LAYER := dist/firetee-layer.zip

.DELETE_ON_ERROR:
.PHONY: demo test matrix check layer release bench lock clean

test: $(READY)
	@$(BIN)/python -m firetee.prefetch
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup -m "not matrix"

demo: $(READY)
	@$(BIN)/python -m firetee.demo

matrix: $(READY)
	@$(BIN)/python -m firetee.prefetch --matrix
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup tests/end_to_end tests/wrapper/test_program.py

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

layer: $(READY)
	@$(BIN)/firetee layer build --out $(LAYER)

release: $(READY)
	$(BIN)/python -m firetee.release $(if $(TAG),--tag $(TAG))

bench: $(READY)
	$(BIN)/python -m benchmarks

# The stamps are written last, so that an interrupted set-up is taken up again.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "firetee needs Python 3.10 or later, \
	this is " + sys.version.split()[0] + ": run make PYTHON=/path/to/python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(READY): requirements/dev.txt pyproject.toml | $(MADE)
	$(PIP) install --require-hashes --requirement requirements/dev.txt
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

# Versions with hashes for every Python and platform at once, which pip cannot write; uv can.
LOCK := .cache/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
	--no-header --no-emit-index-url
lock: $(READY)
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/python -m pip install --quiet --quiet --disable-pip-version-check uv
	$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	echo boto3 | $(LOCK) --no-annotate - --output-file firetee/locks/runtime-boto3.txt
	for ric in $$($(BIN)/python -c 'from firetee.runtimes import RICS; print(*RICS)'); do \
	  echo "awslambdaric==$$ric" | $(LOCK) --no-annotate - --output-file firetee/locks/runtime-$$ric.txt || exit; \
	done

clean:
	rm -rf $(VENV) .cache build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
