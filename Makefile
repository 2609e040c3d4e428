# Two commands matter: `make demo` and `make test`. Everything they need is installed on the way.
SHELL := bash
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/data
SCORE ?= ../shared/tools/score.py
OUT ?= runs/accuracy

.PHONY: help demo test test-slow test-kill accuracy benchmark lint docs-pictures sample-data clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.package  ## segment the bundled sample scan and show the result
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ]; then scripts/system-libraries window; fi
	@$(BIN)/spineseg demo

test: $(VENV)/.tox  ## the whole test suite, GUI included, on the built wheel
	@scripts/system-libraries xvfb
	$(BIN)/tox run -e py

test-slow: $(VENV)/.tox  ## the long checks
	@scripts/system-libraries xvfb
	$(BIN)/tox run -e slow

test-kill: $(VENV)/.tox  ## kill training and napari at a hundred random moments: nothing is half written
	@scripts/system-libraries xvfb
	$(BIN)/tox run -e slow -- -k kill

accuracy: $(VENV)/.package  ## score the bundled model on the real scans, where they are
	@scripts/accuracy $(BIN) "$(DATA)" "$(SCORE)" "$(OUT)"

benchmark: $(VENV)/.package  ## measure speed and memory
	$(BIN)/python -m benchmarks

lint: $(VENV)/.ruff  ## style
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/ruff format --check src tests benchmarks scripts

docs-pictures: $(VENV)/.package  ## draw the pictures of the documentation anew
	@scripts/system-libraries xvfb
	scripts/with-display $(BIN)/python scripts/make_docs_pictures.py

sample-data: $(VENV)/.package  ## generate the sample scans anew
	$(BIN)/python scripts/make_sample_data.py

clean:  ## remove what was installed and built here
	rm -rf $(VENV) .tox build dist runs demo-output

$(VENV)/.package: pyproject.toml constraints.txt scripts/environment
	@scripts/environment $(VENV) -e '.[qt]'
	@# Compiled once: where PYTHONDONTWRITEBYTECODE is set, every start would compile PyTorch anew, for seconds.
	@for what in napari_spineseg.cli.segment,napari_spineseg.core.predict,napari_spineseg.instances \
	  napari_spineseg.widgets.dock,napari.viewer,napari._qt.qt_main_window; do \
	  env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c "import $$what" >/dev/null 2>&1 || true; done
	@touch $@

$(VENV)/.tox: constraints.txt scripts/environment
	@scripts/environment $(VENV) tox
	@touch $@

$(VENV)/.ruff: constraints.txt scripts/environment
	@scripts/environment $(VENV) ruff
	@touch $@
