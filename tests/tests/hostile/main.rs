//! Hostile and broken input against running sockets: one row, one test.
//!
//! Rows are those of the list in `docs/RELIABILITY.md`, which is generated from
//! the tests' names: `row_14_a_flood_of_parts_ends_at_1024`. Each is tried over
//! real tcp, ipc or shm by a peer whose bytes are written by hand, on PULL, PUB, REP
//! and ROUTER where it can reach them, and each shows five things: what becomes
//! of the connection, the counter, the event, that another peer is served before,
//! during and after, and that what it may cost has an end.

#![cfg(target_os = "linux")]

mod arena;
mod by_reference;
mod clock;
mod crowds;
mod devices;
mod extensions;
mod fabric;
mod floods;
mod flow;
mod framing;
mod greeting;
mod handshake;
mod lists;
mod local;
mod memory;
mod names;
mod remote;
mod secured;
mod security;
mod shared;
mod switching;
mod zap;
