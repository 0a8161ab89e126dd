# make run: from an empty clone to a report.   make ui: the MLflow pages.   make dist: sdist and wheel.
# make test: style, types and tests.   make test-all: the tests of whole projects too.

VENV := .venv
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: run test test-all ui dist

run: $(STAMP)
	dvc repro || { genpipe check; exit 1; }
	@echo
	@echo "The report:     reports/index.html"
	@echo "The MLflow UI:  make ui"
	@echo "The commands:   source $(VENV)/bin/activate, then dvc repro, genpipe --help"

test test-all: $(STAMP) browser
	ruff check .
	ruff format --check .
	mypy
	python -m pytest $(CHOSEN) --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: CHOSEN := -m "not graph"

ui: $(STAMP)
	genpipe ui

dist: $(STAMP)
	python -m build --outdir dist

$(STAMP): pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch "$@"

.PHONY: browser
browser: # a headless browser for the test of the report, where apt is there to install one
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
			&& apt-get update -qq && apt-get install -qq --no-install-recommends chromium >/dev/null; } \
		|| echo "no Chromium, and none can be installed here: the test that opens the report will be skipped"

