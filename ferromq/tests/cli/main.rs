//! The built program, as its users meet it.

mod errors;
mod patterns;
mod program;
