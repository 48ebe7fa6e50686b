//! What is done with a dataset, tested in one program: each program of its own links Parquet once more.

mod attacks;
mod campaigns_and_novelties;
mod close_and_verify;
mod common;
mod compact;
mod journal;
mod merge;
mod prune;
mod rollup;
mod scans;
