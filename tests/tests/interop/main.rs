//! Every socket type against real ZeroMQ: pyzmq, that is libzmq, on the other
//! end of tcp and ipc.
//!
//! `cargo xtask interop` prepares the interpreter and runs these tests; without
//! it they say how to enable them and pass.

mod curve;
mod heartbeats;
mod join;
mod large;
mod matrix;
mod messages;
mod plain;
mod proxy;
mod raw_peer;
mod reconnect;
mod security;
mod subscriptions;
