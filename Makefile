# Everything a person types. The work is done by cargo and by the small scripts in .ci/.
.DEFAULT_GOAL := help
.PHONY: help demo test lint crosscheck fuzz bench bench-small clean-demo

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A synthetic day of darknet traffic, from packets to a report, in demo/
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

fuzz: ## Every fuzz target for a minute
	@.ci/fuzz 60

bench: ## Packets per second, CPU-seconds and peak memory of the whole line
	@.ci/setup demo
	cargo run --quiet --release -p teiten-benches -- run

bench-small: ## The same on a small input: does it run
	@cargo run --quiet -p teiten-benches -- run --small

clean-demo: ## Removes demo/
	rm -rf demo
