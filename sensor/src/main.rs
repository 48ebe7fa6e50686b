//! The `teiten-sensor` program.
fn main() {}
