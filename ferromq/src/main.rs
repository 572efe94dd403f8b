//! The ferromq program.
fn main() {}
