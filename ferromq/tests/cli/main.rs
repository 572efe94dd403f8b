//! The built program, as its users meet it.

mod demo;
mod errors;
mod patterns;
mod program;
