//! Measures the programs as they are built: cases, runs of child processes, and the table that `make bench` prints. Nothing of the
//! sensor is called from here, so that what is timed is what a user runs.

pub mod case;
pub mod child;
pub mod outcome;
