# The whole interface for people and for CI. `make demo` on a fresh clone needs python3 with venv, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES := $(shell nproc 2>/dev/null || echo 1)
# One more than there are cores: a third of a test's time it waits for the disk to sync. Handed out one by one, so that
# none of them ends long after the others; those that share a fixture go together (tests/conftest.py).
WORKERS := $(shell expr $(CORES) + 1)
TESTED := -n $(WORKERS) --dist loadgroup

# Tests start hundreds of commands; each would compile the product anew where the environment forbids to keep bytecode.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo spark bundle test test-slow threats bench growth check docs reference format clean locks

# What runs the product; a second is enough to see whether it is up to date.
$(VENV)/core.done: requirements/core.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the product's packages (hash-locked) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/core.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/core.done
	@echo "installing tests and checks (hash-locked) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# The second engine, which the tests compare with the others; its client is built from source, without a second download.
$(VENV)/spark.done: requirements/spark.txt $(VENV)/dev.done
	@echo "installing the engine for Spark (hash-locked) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-build-isolation -r requirements/spark.txt
	@touch $@

# The second engine beside the product: docs/howto/compute-with-spark.md.
spark: $(VENV)/spark.done

$(VENV)/bundle.done: requirements/bundle.txt $(VENV)/core.done
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bundle.txt
	@touch $@

# One file that installs the product on a machine without network: docs/decisions/0010-offline-bundle.md.
bundle: $(VENV)/bundle.done
	@$(BIN)/python tools/bundle.py

# The whole story on a synthetic city. PEOPLE, SEED and LANG_ are passed on: make demo PEOPLE=20000 LANG_=en
demo: $(VENV)/core.done
	@$(BIN)/zhanqiao demo $(if $(PEOPLE),--people $(PEOPLE)) $(if $(SEED),--seed $(SEED)) $(if $(LANG_),--lang $(LANG_))

test: $(VENV)/spark.done
	@tools/judges
	@$(BIN)/pytest $(TESTED) -m "not slow"

test-slow: $(VENV)/spark.done $(VENV)/bundle.done
	@$(BIN)/pytest $(TESTED) -m slow

# The threat table of SECURITY.md, a figure for each row; FULL=1 runs the long attacks as well.
threats: $(VENV)/spark.done
	@tools/judges
	@$(if $(FULL),EXPLORE=full )$(BIN)/python tools/threats.py -n $(WORKERS) $(if $(FULL),,-m "not slow")

# The figures, each beside its limit or its peer; needs a quiet machine, takes a few minutes. FULL=1 takes ten million people, too.
bench: $(VENV)/spark.done
	@$(BIN)/python -m bench $(if $(FULL),--full)

$(VENV)/plots.done: requirements/plots.txt $(VENV)/core.done
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/plots.txt
	@touch $@

# What the demo costs at sizes up to ten million people, as figures and a picture; half an hour on a quiet machine.
growth: $(VENV)/plots.done
	@$(BIN)/python -m bench.growth
	@$(BIN)/python -m bench.growth_plot

check: $(VENV)/dev.done
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/check_tree.py

docs: $(VENV)/dev.done
	@$(BIN)/sphinx-build -q -W -b html docs docs/_build

reference: $(VENV)/dev.done
	@$(BIN)/python tools/make_reference.py

format: $(VENV)/dev.done
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

# Needs `uv`; see DEVELOPERS.md.
locks:
	@for set in dev core spark bundle plots; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras \
	    --custom-compile-command "see DEVELOPERS.md" $$(test $$set = dev || echo "-c requirements/dev.txt") \
	    requirements/$$set.in -o requirements/$$set.txt; done

clean:
	@rm -rf $(VENV) build dist docs/_build demo-home demo-home-city bench/latest.json
