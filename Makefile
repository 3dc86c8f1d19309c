# Everything runs on a fresh machine with Rust, Go, Python 3 and make; the rest comes through their ordinary package clients.
# Lanes are timed; `make test` prints the times at its end.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(abspath .cache)
TIMES := target/lane-times
# lane NAME, COMMAND: runs the command and notes how long it took.
define lane
	@mkdir -p target; start=$$SECONDS; echo "== $(1)"; { $(2); }; printf '%6d s  %s\n' $$((SECONDS - start)) '$(1)' >> $(TIMES)
endef

.PHONY: help demo test lint crds bench e2e clean

help: ## Say what there is
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9]+):.*## /  make \1\t/' | expand -t 16

demo: ## Build everything, start a control plane and a local AWS endpoint, run the operator, print reports (KEEP=1 leaves it running)
	@cargo build --locked --bin ciem --example demo
	@KEEP=$(KEEP) target/debug/examples/demo

test: ## Every test: core alone, unit, command line, end to end on a real control plane
	@mkdir -p target; rm -f $(TIMES)
	$(call lane,core alone,cargo test --locked --no-default-features --lib --test core)
	$(call lane,control plane built,e2e/tools/build > /dev/null)
	$(call lane,AWS endpoint installed,e2e/aws/install > /dev/null)
	$(call lane,AWS endpoint tests,e2e/aws/test)
	$(call lane,unit and command line,cargo test --locked --lib --bins --test core)
	$(call lane,end to end,cargo test --locked --test e2e)
	@echo; echo "time of each lane:"; cat $(TIMES)

lint: ## Format, clippy in both feature sets, docs, dependencies (where cargo-deny is installed)
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --no-default-features --lib --bins --test core -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check bans licenses sources; \
	else echo "skipped: cargo deny is not installed (cargo install --locked cargo-deny)"; fi

crds: ## Write crds/*.yaml from the types
	UPDATE_CRDS=1 cargo test --locked --lib api::

bench: ## Benchmarks (not part of make test)
	cargo bench --locked --bench core

e2e: ## Only the end-to-end tests; FILTER=name picks some
	cargo test --locked --test e2e -- $(FILTER)

clean: ## Remove what builds and tests made (the cache with the control plane too)
	rm -rf target $(CACHE)
