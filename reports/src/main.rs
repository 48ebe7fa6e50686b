//! The `teiten-report` program.
fn main() {}
