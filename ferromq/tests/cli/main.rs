//! The built program, as its users meet it.

mod demo;
mod errors;
mod files;
mod inspect;
mod patterns;
mod program;
