//! Captures on interfaces, by the built program, in network namespaces of the tests' own: one binary, so that it is linked once.

#[path = "../support/capture_file.rs"]
mod capture_file;
#[path = "../support/dataset.rs"]
mod dataset;
#[path = "../support/journaled.rs"]
mod journaled;
#[path = "../support/network.rs"]
mod network;
#[path = "../support/planted.rs"]
mod planted;
#[path = "../support/program.rs"]
mod program;
#[path = "../support/watched.rs"]
mod watched;

mod alerts;
mod attacks_killed;
mod capture_clock;
mod journal_faults;
mod live;
mod live_ends;
mod live_faults;
mod live_kept;
mod live_loads;
mod service;
