# The commands for people. Cargo and the small scripts in .ci/ do the work.
.DEFAULT_GOAL := help
TARGET := $(or $(CARGO_TARGET_DIR),target)
# .ci/setup checks it; empty if this is another make.
export TEITEN_MAKE_VERSION := $(MAKE_VERSION)
.PHONY: help demo test lint crosscheck fuzz bench bench-small bench-peers clean-demo

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A synthetic day of darknet traffic, from packets to a report, in demo/; PDF=1 with its pages
	@.ci/setup demo
	@.ci/demo

test: ## The gate: format, house rules, clippy, documentation, tests, cross-check, small benchmark, fuzzing
	@.ci/setup test
	@.ci/gate

lint: ## Format and clippy alone
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

crosscheck: ## The dataset against DuckDB, pyarrow and DataSketches
	@.ci/setup test
	@.ci/crosscheck

.PHONY: package
package: ## The Debian package of all programs, in target/debian
	@.ci/package

.PHONY: accuracy
accuracy: ## Confusion matrices of class, type and tool: a synthetic capture packet for packet, then real captures
	@cargo build --quiet --bins -p teiten-sensor -p teiten-testdata
	@python3 testdata/crosscheck/accuracy.py --binaries $(TARGET)/debug

.PHONY: pdf
pdf: ## teiten-pdf, which `teiten-report build --pdf` runs: 300 packages more, some minutes
	@.ci/setup pdf
	@.ci/pdf build

.PHONY: pdf-test
pdf-test: ## Its tests, and the pages of a small report; no part of the gate
	@.ci/setup pdf
	@.ci/pdf test

fuzz: ## Every fuzz target for a minute
	@.ci/fuzz 60

bench: ## Packets per second, CPU-seconds and peak memory of the whole line; FLAGS="--save NAME" keeps them
	@.ci/setup demo
	@cargo build --quiet --release --bins -p teiten-benches -p teiten-sensor -p teiten-testdata -p teiten-aggregator -p teiten-reports
	@$(TARGET)/release/teiten-bench all $(FLAGS)
	@$(TARGET)/release/teiten-bench report

bench-small: ## The same on a small input: does it run
	@[ -n "$$TEITEN_BUILT" ] || cargo build --quiet --bins -p teiten-benches -p teiten-sensor -p teiten-testdata
	@$(TARGET)/debug/teiten-bench all --small

bench-peers: ## The same capture through the peers that Debian packages, in alternation; installs them
	@.ci/setup bench
	@cargo build --quiet --release --bins -p teiten-benches -p teiten-sensor -p teiten-testdata
	@$(TARGET)/release/teiten-bench peers $(FLAGS)

clean-demo: ## Removes demo/
	rm -rf demo
