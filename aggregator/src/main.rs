//! The `teiten-aggregator` program.
fn main() {}
