//! The built program, as its users meet it.

mod demo;
mod drafts;
mod errors;
mod files;
mod inspect;
mod manual;
mod papers;
mod patterns;
mod program;
mod proxy;
mod security;
