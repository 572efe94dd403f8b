//! Whole sockets, through the public interface only: what a program sees.

#[path = "../common/mod.rs"]
mod common;

mod away;
mod connections;
mod heartbeats;
mod high_water_marks;
mod lifetime;
mod patterns;
mod polling;
mod routing;
mod security;
mod sight;
mod topics;
mod waiting;
