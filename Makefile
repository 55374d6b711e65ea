# Everything runs in .venv of this checkout, made on first use.

VENV := .venv
BIN := $(VENV)/bin
# Any of them that is 3.11 or newer.
FIND_PYTHON = for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done
EXTRAS := .[celery,redis,daphne]
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/pyvenv.cfg:
	@python="$$($(FIND_PYTHON))"; \
	test -n "$$python" || { echo "Python 3.11 or newer is needed; none found. Name one: make PYTHON=/path/to/python"; exit 1; }; \
	"$$python" -m venv $(VENV)

# Dependency groups need pip 25.1.
$(VENV)/.pip: $(VENV)/pyvenv.cfg
	$(PIP_INSTALL) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: pyproject.toml $(VENV)/.pip
	@echo "Installing what the example site needs …"
	$(PIP_INSTALL) --editable '$(EXTRAS)' --group demo
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.pip
	@echo "Installing what tests and checks need …"
	$(PIP_INSTALL) --editable '$(EXTRAS)' --group dev
	@touch $@ $(VENV)/.demo

.PHONY: demo
demo: $(VENV)/.demo ## Run the example site until Ctrl-C
	@$(BIN)/python -m example_project.demo

.PHONY: demo-check
demo-check: $(VENV)/.demo ## Run the example site and its main job without a person
	@$(BIN)/python -m example_project.demo_check

.PHONY: test
test: $(VENV)/.dev ## Run all checks and tests: Python, JavaScript, browser
	@$(BIN)/python -m tests.run_all

.PHONY: lint
lint: $(VENV)/.dev ## Run the checks that start nothing
	@$(BIN)/python -m tests.run_all --lint

.PHONY: matrix
matrix: $(VENV)/.dev ## Run the suite on the oldest and the newest versions we claim
	@$(BIN)/python -m nox

MESSAGES := cd channels_progress && DJANGO_SETTINGS_MODULE=tests.settings PYTHONPATH=.. ../$(BIN)/python -m django

.PHONY: messages
messages: $(VENV)/.dev ## Bring the translations in step with the sources, and compile them (needs gettext)
	$(MESSAGES) makemessages --all --no-location --no-wrap --no-obsolete
	$(MESSAGES) compilemessages

.PHONY: pictures
pictures: $(VENV)/.dev ## Take the pictures in docs/images anew
	@$(BIN)/python -m tests.gallery

# The peers come last: they are not in the other groups.
BENCHMARKS := reporter store databases latency broadcasts fanout page peers

.PHONY: bench
bench: $(VENV)/.dev ## Measure, side by side with the peers
	$(PIP_INSTALL) --group bench
	@for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

.PHONY: chaos
chaos: $(VENV)/.dev ## Run 1,000 tasks while everything is killed and frozen, and count what was lost
	@$(BIN)/python -m benchmarks.chaos

SECONDS_EACH := $(or $(SECONDS),60)

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Throw what a fuzzer thinks of at all parsers, SECONDS=60 each
	$(PIP_INSTALL) --group fuzz
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS_EACH)

.PHONY: clean
clean: ## Remove what was made here, the virtual environment included
	rm -rf $(VENV) .nox .demo .cache dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
