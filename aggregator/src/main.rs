//! The `teiten-aggregator` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    teiten_aggregator::program::run(std::env::args_os())
}
