# Every task of the project; `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BUILT := src/tomarium/portal/static/built/LICENCES.txt
SCAN ?=
DEMO_ARGS ?=
DATA ?=
MINUTES ?= 60
TEST_ARGS ?=
# As many workers as tests/conftest.py says; each takes its share in the order of the files, then from who has most left.
WORKERS ?= auto
PYTEST := -m pytest -n $(WORKERS) --dist worksteal
# Tests of which some want a package that only the peers' environment has.
WITH_PEERS := $(addprefix tests/,kernels/test_stripes.py kernels/test_iterative.py formats/test_bliss.py contracts/test_formats.py viewers/test_images.py)
# Tests start Python hundreds of times, and kept bytecode spares each the compiling.
test test-fast test-peers: export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help install web demo test test-fast test-peers fuzz cuda-check lint audit docs gallery bench bench-more bench-catalogue bench-doors load accuracy accuracy-quick faults clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## set up .venv with tomarium, the native kernels where a compiler is, and the tools of development

$(STAMP): pyproject.toml CMakeLists.txt $(wildcard native/*)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}. Try: make PYTHON=python3.12 install")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "fetching about 200 packages, and compiling the native kernels (a minute of processor time): 2 to 5 minutes in all"
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@echo "installed: $$($(BIN)/tomarium --version)"
	@$(BIN)/tomarium doctor --self | grep '^!' || true
	@touch $@

web: install $(BUILT) ## build the scripts of the pages, with the system's Node.js or the one that PyPI has

$(BUILT): web/package-lock.json web/build.mjs web/build.py $(wildcard web/src/*/*)
	$(BIN)/python web/build.py
	@if test -e $@; then touch $@; fi

demo: install web ## simulate a scan (or take SCAN=path), reconstruct it, file it and open the portal (DEMO_ARGS=--no-serve ends after filing)
	$(BIN)/tomarium demo $(if $(SCAN),"$(SCAN)") $(DEMO_ARGS)

test: install web ## run the tests on all processors (TEST_ARGS="-k axis" for some, WORKERS=0 for one process)
	$(BIN)/python $(PYTEST) $(TEST_ARGS)

test-fast: install web ## run the tests that are not marked slow, in under two minutes
	$(BIN)/python $(PYTEST) -m fast $(TEST_ARGS)

test-peers: $(PEERS)/.installed ## read what other programs write, and have them read ours, in a venv of their own
	$(PEERS)/bin/python -m pip install --quiet --group accuracy
	$(PEERS)/bin/python $(PYTEST) tests/peers tests/formats/test_microscopy.py tests/formats/test_czi.py $(TEST_ARGS)
	$(PEERS)/bin/python $(PYTEST) $(WITH_PEERS) -k "algotom or astra or bliss or microscopy or czi or real_files"

accuracy: $(PEERS)/.installed ## compare slices with analytic truth, beside peers, into docs/reference/accuracy.md, within an hour (ACCURACY_ARGS="--resume")
	$(PEERS)/bin/python -m pip install --quiet --group accuracy
	$(PEERS)/bin/python benchmarks/accuracy.py $(ACCURACY_ARGS)

accuracy-quick: $(PEERS)/.installed ## judge the steps by their criteria with 3 seeds, in five minutes; fails on a loss
	$(PEERS)/bin/python -m pip install --quiet --group accuracy
	$(PEERS)/bin/python benchmarks/accuracy.py --quick

$(PEERS)/.installed: pyproject.toml CMakeLists.txt $(wildcard native/*)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(PEERS)/bin/python -m pip install --quiet --editable ".[microscopy,czi]" --group peers
	@touch $@

fuzz: install ## give readers and parsers inputs without end, MINUTES=60 in all; goes on where the last run ended (nightly)
	$(BIN)/python -m pip install --quiet --group fuzz || echo "no atheris for this Python: inputs are changes of good ones"
	$(BIN)/python tests/fuzz/run.py --minutes $(MINUTES) $(FUZZ_ARGS)

cuda-check: install ## run the CUDA kernels on the processor with sanitizers and mistakes, and compile them for GPUs; needs no GPU (nightly)
	$(BIN)/python -m pip install --quiet --group cuda || echo "no NVRTC for this system: nothing is compiled for a GPU"
	$(BIN)/python tests/cuda/check.py

lint: install ## ruff, mypy and the floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: install ## ask PyPI and npm whether holes are known in what is installed; says so where they cannot be reached
	-$(BIN)/python -m pip install --quiet --group audit
	$(BIN)/python .ci/audit.py

docs: install ## write the generated reference pages under docs/reference, and build the documentation as a site in build/docs
	$(BIN)/python -m tomarium docs docs/reference
	$(BIN)/python docs/build.py

gallery: install ## make the pictures of docs/gallery again (DATA=folder with the files that its page names; what it lacks is skipped)
	for name in i13 tooth sand neutron; do $(BIN)/python docs/gallery/make.py $$name $(DATA) || exit 1; done

bench: $(PEERS)/.installed ## measure speed and memory beside peers for docs/reference/performance.md, in 18 minutes (BENCH_ARGS="--only engines")
	$(PEERS)/bin/python -m pip install --quiet --group bench
	$(PEERS)/bin/python benchmarks/bench.py $(BENCH_ARGS)

bench-more: install ## what `make bench` leaves out: opening many files, stacks, converting, reading what grows
	$(BIN)/python benchmarks/opening.py
	$(BIN)/python benchmarks/writing.py
	$(BIN)/python benchmarks/converting.py
	$(BIN)/python benchmarks/live.py --seconds 9

bench-catalogue: install ## fill SQLite and PostgreSQL with 100 000 datasets and ask them (BENCH_ARGS="--datasets 1250000" for ESRF's number)
	$(BIN)/python benchmarks/catalogue.py $(BENCH_ARGS)
	$(BIN)/python benchmarks/record_page.py
	$(BIN)/python benchmarks/fsck.py

bench-doors: install ## compare downloads with a plain file server, and kill uploads at 100 random moments
	$(BIN)/python benchmarks/downloading.py
	$(BIN)/python benchmarks/uploading_killed.py

load: install ## let 200 readers, 10 uploads, slow clients and a reconstruction at a portal at once, for docs/reference/load.md, in four minutes (BENCH_ARGS="--readers 20 --seconds 5")
	$(BIN)/python benchmarks/load.py $(BENCH_ARGS)

faults: install ## stop runs, uploads, filings, publications and backups at 1,000 steps: kills, full disks, EIO, short writes (FAULTS="stops=100 seconds=60")
	$(BIN)/python tests/faults/judge.py $(FAULTS)

clean: ## remove .venv, .venv-peers, builds and the demo's results
	rm -rf $(VENV) $(PEERS) build dist demo web/node_modules $(dir $(BUILT))
