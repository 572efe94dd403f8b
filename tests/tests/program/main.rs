//! The `ferromq` program against pyzmq: every verb, over tcp and ipc, each side
//! binding once.
//!
//! `cargo xtask interop` builds the program and prepares the interpreter.

mod files;
mod receiving;
mod replying;
mod sending;

use ferromq_tests::{Place, Program, Via, ZmqPeer, ZmqSocket};
use serde_json::{Value, json};

/// A running program and the pyzmq socket at its other end.
struct Meeting<'a> {
    program: Program,
    theirs: ZmqSocket<'a>,
    _place: Place,
}

/// Starts `ferromq VERB --bind|--connect … REST` with a pyzmq socket of this
/// type at the other end.
fn meet<'a>(
    peer: &'a ZmqPeer,
    (via, program_binds): (Via, bool),
    (verb, rest): (&str, &[&str]),
    (theirs, options): (&str, &Value),
) -> Meeting<'a> {
    let place = via.place();
    let theirs = peer.socket_with(theirs, options.clone());
    let start = |how, endpoint: &str| Program::start(&[&[verb, how, endpoint], rest].concat());
    let program = if program_binds {
        let mut program = start("--bind", place.endpoint());
        let bound = match via {
            Via::Tcp => program.listening_on(),
            Via::Ipc => place.endpoint().to_owned(),
        };
        theirs.connect(&bound);
        program
    } else {
        start("--connect", &theirs.bind(place.endpoint()))
    };
    Meeting {
        program,
        theirs,
        _place: place,
    }
}

/// Runs a test over each transport, each side binding once; says how to enable
/// it where it cannot run.
fn every_way(test: impl Fn(&ZmqPeer, (Via, bool))) {
    let (Some(peer), Some(_)) = (ZmqPeer::start(), Program::path()) else {
        return;
    };
    for via in [Via::Tcp, Via::Ipc] {
        for program_binds in [true, false] {
            test(&peer, (via, program_binds));
        }
    }
}

/// No options.
fn plain() -> Value {
    json!({"RECONNECT_IVL": 10})
}
