//! Captures read from files, by the library and by the built program: one binary, so that it is linked once.

#[path = "../support/capture_file.rs"]
mod capture_file;
#[path = "../support/captures.rs"]
mod captures;
#[path = "../support/dataset.rs"]
mod dataset;
#[path = "../support/exceptions.rs"]
mod exceptions;
#[path = "../support/planted.rs"]
mod planted;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/watched.rs"]
mod watched;

mod alerts;
mod captures_decode;
mod compacted;
mod families;
mod memory_bound;
mod origins_by_date;
mod packaging;
mod replay_attacks;
mod replay_captures;
mod replay_faults;
mod replay_laws;
mod replay_once;
mod replay_program;
mod source_captures;
mod tools_laws;
