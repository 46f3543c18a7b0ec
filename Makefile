# Two commands: `make course` sets everything up and proves it runs; `make test` passes everything.
PYTHON ?= python3
BIN := .venv/bin
export OMP_NUM_THREADS := 1
export MPLBACKEND := agg
TIMED = @start=$$(date +%s); echo "== $@"; set -e; trap 'echo "== $@: $$(($$(date +%s) - start)) s"' EXIT;

.PHONY: course test lint package content notebooks colab colab-whole world clean

course: .venv/course  ## install, write the notebooks, prove that the first section runs
	@$(BIN)/saelab start saelab-course
	@echo "Proof: running the solution of the first section …"
	@SAELAB_PLAIN=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env -q --no-header solutions/superposition/01_toy_model.ipynb
	@echo
	@echo "The course is ready. Next:"
	@echo "  source $(BIN)/activate && cd saelab-course && jupyter lab superposition/01_toy_model.ipynb"
	@echo "and in a second terminal, whenever you like to know where you are:"
	@echo "  source $(BIN)/activate && cd saelab-course && saelab"

test: lint package content notebooks colab  ## everything CI runs

lint: .venv/course
	$(TIMED) $(BIN)/ruff check . ; $(BIN)/ruff format --check . ; $(BIN)/mypy ; $(BIN)/lint-imports --no-cache --no-logo

package: .venv/course
	$(TIMED) $(BIN)/python -m pytest tests/package --ignore tests/package/colab -n auto --dist loadfile --durations=8

content: .venv/course
	$(TIMED) $(BIN)/saelab build --check ; $(BIN)/python -m pytest $(filter-out tests/package,$(wildcard tests/*)) -n auto --durations=8

notebooks: .venv/course
	$(TIMED) SAELAB_PLAIN=1 $(BIN)/python -m pytest --nbval-lax --nbval-current-env solutions -n auto --dist loadfile --durations=8

colab: .venv/course  ## the first notebook alone in an empty folder, beside Colab's versions; needs the package index
	$(TIMED) $(BIN)/python -m pytest tests/package/colab -rP

colab-whole: .venv/course  ## the first notebook of each chapter, with all that Colab has of what the course touches
	$(TIMED) SAELAB_COLAB=whole $(BIN)/python -m pytest tests/package/colab -rP

.venv/course: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'saelab needs Python 3.11 or later: make course PYTHON=python3.12')"
	@echo "Installing into .venv (a few minutes; torch is large) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --upgrade pip
	@$(BIN)/python -m pip install -q -c constraints.txt torch
	@$(BIN)/python -m pip install -q -c constraints.txt -e ".[notebook,author]"
	@touch $@

world: .venv/course  ## train the pocket model, its controls and all dictionaries again: under 3 hours on two cores
	$(BIN)/python build/world/recreate.py --runs runs

clean:
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache
