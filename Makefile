# Each target does its own set-up in .venv; a Python from 3.10 on, Rust and make are all it takes.
# Another interpreter: make test PYTHON=python3.13 VENV=.venv313

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV ?= .venv
REQUIREMENTS ?= requirements/dev.txt
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CORE_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src -name '*.rs')

define generate_stub
$(BIN)/maturin generate-stubs --quiet --interpreter $(BIN)/python --features stub --out target/stub
$(BIN)/python tools/stub_defaults.py target/stub/listrak_webhooks/_core.pyi
{ echo '# Generated from the Rust source by `make stub`; edit that.'; cat target/stub/listrak_webhooks/_core.pyi; } \
	| $(BIN)/ruff check --quiet --fix --select I,UP,RUF022 --stdin-filename $1 - | $(BIN)/ruff format --quiet --stdin-filename $1 - > target/stub/_core.pyi
endef

.PHONY: demo test test-rust test-python test-slow test-attacks test-servers test-minimum test-examples lint format bench fuzz stub wheel test-wheel clean

demo: $(VENV)/.built
	$(BIN)/listrak-webhooks demo

test: test-rust test-python

test-rust:
	cargo test --locked --no-default-features

test-python: $(VENV)/.built
	$(BIN)/python -m pytest --quiet --numprocesses auto --dist loadfile -m 'not slow'

# What takes seconds each, one after the other.
test-slow: $(VENV)/.built
	$(BIN)/python -m pytest -m slow

# The number of cases is in the environment: ATTACK_CASES=1000000 make test-attacks
test-attacks: $(VENV)/.built
	$(BIN)/python -m pytest tests/attacks

# The adapters behind real servers, over real sockets. A server that is not installed fails; nginx is one of them.
test-servers: $(VENV)/.built $(VENV)/.servers $(VENV)/.express
	$(BIN)/python -m pytest tests/real_servers

# What concerns the optional libraries, with the oldest that are supported, in an environment of its own. They have wheels
# for Python 3.10 and 3.11 alone: make test-minimum PYTHON=python3.11
MINIMUM := .venv-minimum
MINIMUM_TESTS := $(addprefix tests/,$(addprefix adapters/,test_adapters*.py test_body_handover.py test_django*.py test_fastapi*.py \
	test_flask*.py test_replay_*.py test_start_up.py) cli/test_cli_*.py core/test_extras.py core/test_imports.py payload/test_models.py \
	replay/test_replay_redis.py replay/test_replay_redis_servers.py)

test-minimum:
	$(MAKE) VENV=$(MINIMUM) REQUIREMENTS=requirements/minimum.txt $(MINIMUM)/.built
	$(MINIMUM)/bin/python -m pytest -m 'not newer' $(MINIMUM_TESTS)

# Each example and the tutorial as a user types them: clean environments, our wheel, and what the package index has today.
test-examples: $(VENV)/.built wheel
	$(BIN)/python -m pytest tests/docs/examples_as_typed.py

lint: $(VENV)/.built $(VENV)/.bench
	cargo fmt --check
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --no-default-features -- -D warnings
	$(call generate_stub,_core.pyi)
	diff --unified python/listrak_webhooks/_core.pyi target/stub/_core.pyi || { echo 'the stub is stale: run make stub'; exit 1; }
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/stubtest listrak_webhooks._core --mypy-config-file pyproject.toml

# Coverage-guided, with the compiler that is here: make fuzz SECONDS=600
SECONDS ?= 60
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
FUZZ_TARGETS := explain

fuzz:
	for target in $(FUZZ_TARGETS); do \
		host=$$(rustc -vV | sed -n 's/host: //p'); \
		RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --locked --quiet --release --manifest-path fuzz/Cargo.toml --target $$host --bin $$target; \
		mkdir -p fuzz/corpus/$$target; \
		fuzz/target/$$host/release/$$target -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 fuzz/corpus/$$target; \
	done

format:
	cargo fmt
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(VENV)/.built $(VENV)/.bench
	$(BIN)/python -m benchmarks

# The stub comes out of the Rust source; `make lint` checks that the committed one is the current one.
stub: $(VENV)/.built
	$(call generate_stub,_core.pyi)
	cp target/stub/_core.pyi python/listrak_webhooks/_core.pyi

wheel: $(VENV)/.dev
	rm -rf dist
	$(BIN)/maturin build --release --locked --out dist

# What a user does, in an environment of its own: install the wheel, not the checkout, and run it.
test-wheel: wheel
	rm -rf target/wheel-venv
	$(PYTHON) -m venv target/wheel-venv
	target/wheel-venv/bin/python -m pip install --quiet --constraint requirements/dev.txt "$$(echo dist/listrak_webhooks-*-cp310-abi3-*.whl)[cli,flask]"
	cd target && wheel-venv/bin/listrak-webhooks demo

clean:
	rm -rf target dist $(VENV) $(MINIMUM)
	find . -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.dev: $(REQUIREMENTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; try make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement $<
	touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --requirement $<
	touch $@

$(VENV)/.servers: requirements/servers.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --requirement $<
	touch $@

# Express, with the Node.js that pyright brings along; no lock file, as one names a registry.
$(VENV)/.express: tests/real_servers/express/package.json $(VENV)/.dev
	mkdir -p $(VENV)/express
	cp $< $(VENV)/express/
	$(BIN)/python tools/npm.py install --prefix $(VENV)/express --no-package-lock --no-audit --no-fund --loglevel error
	touch $@

# An editable install of the release build: what is tested and measured is what is shipped.
$(VENV)/.built: $(VENV)/.dev $(CORE_SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked --quiet
	touch $@
