//! The `teiten-report` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    teiten_reports::program::run(std::env::args_os())
}
