# Everything here works on a fresh Debian or Ubuntu machine with Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made hosts need root; the cache stays that of the user who asked.
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help setup rehearsal test test-unit test-lab test-cuda web-ui-picture report-pictures lint types clean

help:
	@echo "make rehearsal   a made host, deployed to and proven, left serving"
	@echo "make test        everything CI runs"
	@echo "make test-unit   what needs no root"
	@echo "make test-lab    the whole fault matrix"
	@echo "make test-cuda   the whole CUDA build, half an hour and more"

setup: $(VENV)/.ready

# Debian splits venv from python3; it is the one package that pip can't bring.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	    { echo "python3-venv is missing, installing it"; \
	      $(SUDO) apt-get update -q && $(SUDO) apt-get install -y -q python3-venv; }
	@$(PYTHON) -m venv $(VENV)
	@echo "installing Python packages into $(VENV)"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

rehearsal: setup
	$(SUDO) $(BIN)/llamarig rehearse --yes

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy does not know of setuptools' package-dir, so it is shown the packages as they are imported.
types: setup
	@rm -rf build/types && mkdir -p build/types/llamarig
	@ln -s $(CURDIR)/llamarig/* build/types/llamarig/
	@ln -s $(CURDIR)/tasks $(CURDIR)/templates build/types/llamarig/
	cd build/types && $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p llamarig

test-unit: setup
	$(BIN)/pytest -m "not lab"

test: lint types
	$(SUDO) $(BIN)/pytest -m "not fault and not cuda"

test-lab: setup
	$(SUDO) $(BIN)/pytest -m "lab and not cuda" --fault-table=docs/faults.md

# The page as docs/web-ui.png shows it, taken anew.
web-ui-picture: setup
	$(SUDO) env LLAMARIG_SCREENSHOT=$(CURDIR)/docs/web-ui.png $(BIN)/pytest tests/lab/test_web_ui.py

# The reports as docs/report-*.png show them, taken anew.
report-pictures: setup
	$(SUDO) env LLAMARIG_SCREENSHOTS=$(CURDIR)/docs $(BIN)/pytest tests/lab/test_report_pages.py

test-cuda: setup
	$(SUDO) $(BIN)/pytest -m cuda

clean:
	rm -rf $(VENV) build *.egg-info
