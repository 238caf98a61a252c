# make demo: the whole path on this machine, no GPU needed.   make test: the whole test suite.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test types suite test-extras torture torture-serving fuzz clean

demo: $(READY)
	$(BIN)/likely demo

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(MAKE) --jobs=2 types suite

# The two run at a time: mypy takes what the suite's workers leave while they wait.
types:
	$(BIN)/mypy --strict src

# Compiled modules are kept, or each of many processes would compile them anew.
suite:
	PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --dist worksteal

# What needs packages that are no dependency: GGUF files, Ray, Weights & Biases, MLflow (450 MB, two thirds of it Ray).
# One that cannot be installed is named, and its tests skip with a reason.
EXTRAS := wandb mlflow-skinny --editable=.[export] --editable=.[ray]
test-extras: $(READY)
	@for extra in $(EXTRAS); do \
		$(BIN)/python -m pip install --quiet --no-compile --no-build-isolation "$$extra" \
			|| echo "$$extra could not be installed; the tests that need it skip."; \
	done
	$(BIN)/pytest -rs tests/inference/exporting/test_gguf_file.py tests/inference/test_on_ray.py tests/training/test_reporting.py

# What takes minutes, ten times the examples of every property, and a training killed at 60 moments
# (docs/reliability.md); half an hour.
torture: $(READY)
	$(BIN)/pytest -m minutes --timeout=3600
	OMP_NUM_THREADS=1 $(BIN)/pytest -m 'hypothesis and not minutes' --hypothesis-profile=thorough --timeout=3600 -n auto
	cd tests && ../$(BIN)/python -m torture.kills --kills 60 --aimed 20

# The server of RUN under load for five minutes, with bad requests mixed in.
RUN ?= output/demo
torture-serving: $(READY)
	PYTHONPATH=tests $(BIN)/python -m torture.serving --run $(RUN)

# 20,000 malformed inputs; none may end in anything but success or a sentence. The files of those that do are named.
SEED ?= 0
fuzz: $(READY)
	PYTHONPATH=tests OMP_NUM_THREADS=1 $(BIN)/python -m fuzz.run --inputs 20000 --seed $(SEED)

# The environment is made once, and again when what it is made from changes.
$(READY): pyproject.toml finetune/requirements_sft.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "likely needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet -r finetune/requirements_sft.txt -e '.[test]'
	touch $@

clean:
	rm -rf .venv output/demo
