//! What a ROUTER puts in front of a message: the identity of who sent it. A peer
//! may bring one of its own; whoever brings none is given one.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Options, Req, Router};

/// Look at messages as a ROUTER receives them.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  identities router --count 2
  identities peer \"no identity of mine\"
  identities peer --identity anna \"I am anna\"")]
struct Arguments {
    /// Where the router listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5555")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Print each message's frames, and answer.
    Router {
        /// How many messages; without it, until Ctrl-C.
        #[arg(long)]
        count: Option<u64>,
    },
    /// Say something to the router by a REQ socket.
    Peer {
        /// The identity; without it, the router makes one.
        #[arg(long, default_value = "")]
        identity: String,
        /// What to say.
        text: String,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Router { count } => router(&endpoint, count.unwrap_or(u64::MAX)),
        Role::Peer { identity, text } => peer(&endpoint, &identity, &text),
    })
}

fn router(endpoint: &str, count: u64) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Router>()?;
    println!("listening at {}", socket.bind(endpoint)?);
    for _ in 0..count {
        let mut message = socket.recv()?;
        println!("a message of {} frames", message.len());
        for frame in &message {
            println!("  {:3} bytes: {}", frame.len(), readable(frame));
        }
        // Sent back as it came, it goes to whom the first frame names.
        message.push_back("seen");
        socket.send(message)?;
    }
    Ok(())
}

/// As text, or as hexadecimal digits: identities that a router makes begin with a
/// zero byte, which no peer's own identity does.
fn readable(frame: &[u8]) -> String {
    match frame.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        true => format!("\"{}\"", text(Some(&frame))),
        false => frame.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn peer(endpoint: &str, identity: &str, words: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket_with::<Req>(Options::new().identity(identity))?;
    socket.connect(endpoint)?;
    socket.send(words)?;
    println!("{}", text(socket.recv()?.frame(1)));
    Ok(())
}
