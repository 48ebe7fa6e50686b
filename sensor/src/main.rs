//! The `teiten-sensor` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    teiten_sensor::program::run(std::env::args_os())
}
