//! The `teiten-synth` program.
fn main() {}
