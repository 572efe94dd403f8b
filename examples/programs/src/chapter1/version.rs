//! Which version this is, and which protocol it speaks with its peers.

use std::process::ExitCode;

use clap::Parser;
use example_programs::{Outcome, ended};
use ferromq::{Context, EventKind, Rep, Req};

/// Print FerroMQ's version.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  version")]
struct Arguments {}

fn main() -> ExitCode {
    Arguments::parse();
    ended(print())
}

fn print() -> Outcome {
    // The examples are versioned with the library.
    println!("FerroMQ {}", env!("CARGO_PKG_VERSION"));
    // A library's version says little about its peers, which have their own: what
    // counts is whether the two can shake hands. Here are two that can.
    let context = Context::new()?;
    let server = context.socket::<Rep>()?;
    let monitor = server.monitor();
    let client = context.socket::<Req>()?;
    client.connect(&server.bind("tcp://127.0.0.1:*")?.to_string())?;
    for event in monitor {
        if event.kind == EventKind::HandshakeSucceeded {
            println!("speaks ZMTP 3.1, and 3.0 with older peers");
            return Ok(());
        }
    }
    Err("the connection never stood".into())
}
