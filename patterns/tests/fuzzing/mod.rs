//! The bodies of the fuzz targets for the machines. The data chooses what peers,
//! pipes and the application do; each body panics where a machine does what the
//! RFC, or a naive model, does not allow.
//!
//! `suite/fuzz_corpus.rs` replays what is kept in `fuzz/corpus`; `cargo xtask fuzz`
//! looks for more. The property tests beside this folder know better models; what
//! fuzzing adds is that it sees which inputs lead to new code.
#![allow(dead_code, unused_imports)] // each fuzz target has one of them

mod input;
mod publish;
mod reply;
mod request;
mod router;
mod subscribe;
#[path = "../support/mod.rs"]
pub(crate) mod support;
mod turns;

pub(crate) use publish::fuzz_publish;
pub(crate) use reply::fuzz_reply;
pub(crate) use request::fuzz_request;
pub(crate) use router::fuzz_router;
pub(crate) use subscribe::fuzz_subscribe;
pub(crate) use turns::fuzz_turns;
