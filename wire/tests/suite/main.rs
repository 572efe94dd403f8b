//! The codec from outside. One binary: what tests it thousands of times, with a
//! mistake planted each time, links once each time.

mod common;
mod decoder_agrees_with_the_reference;
mod fuzz_corpus;
#[path = "../fuzzing/mod.rs"]
mod fuzzing;
mod garbage_instead_of_a_greeting;
mod handshake_rules;
mod handshakes_at_every_split;
mod libzmq_vectors;
mod protocol_vectors;
mod texts;
