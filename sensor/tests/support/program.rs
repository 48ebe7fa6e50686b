//! The built program, run as a user runs it, with its output caught.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::ffi::OsStr;
use std::io::Write;
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub exit_code: Option<i32>,
    pub output: String,
    pub messages: String,
}

impl Run {
    /// The accounting on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.output)
            .unwrap_or_else(|error| panic!("{error}: no JSON object in {self:?}"))
    }
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_teiten-sensor"))
}

/// A running program, which is killed if the test fails.
pub(crate) struct Running(pub Child);

impl Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to be done where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the program with these arguments to its end.
pub(crate) fn run<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    run_with_input(arguments, b"")
}

/// As [`run`], with `input` on standard input.
pub(crate) fn run_with_input<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    input: &[u8],
) -> Run {
    let mut child = program()
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that refuses its arguments reads nothing.
            let _ = pipe.write_all(input);
        });
        child.wait_with_output().expect("the program ends")
    });
    Run {
        exit_code: output.status.code(),
        output: String::from_utf8(output.stdout).expect("text"),
        messages: String::from_utf8(output.stderr).expect("text"),
    }
}
