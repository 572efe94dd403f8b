//! Whole sockets of many nodes over a virtual network and a virtual clock.
#![forbid(unsafe_code)]

mod apps;
mod context;
mod drops;
mod failure;
mod link;
mod machine;
mod message;
mod model;
mod network;
mod pipe;
mod plant;
mod random;
mod scenario;
mod socket;
mod storage;
mod topics;
mod trace;
mod world;

pub use drops::{Cause, Drops};
pub use failure::{Failure, Promise};
pub use plant::Plant;
pub use scenario::Scenario;
pub use world::{FAULTS, Outcome, Schedule, run};
