//! A broker with workers: clients ask without waiting, the broker deals their
//! requests out, and each reply finds its way back.
//!
//! ```text
//!   client DEALER ──┐                         ┌── REP worker
//!                   ├── ROUTER broker DEALER ─┤
//!   client DEALER ──┘                         └── REP worker
//! ```
//! The ROUTER puts a client's identity in front of what it receives, and sends a
//! reply to whom its first frame names; a worker's REP copies what is in front of
//! the empty frame. Nobody else has to know who asked.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Dealer, Proxy, Rep, Router};

/// Spread requests over workers.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  router_dealer broker
  router_dealer worker anna
  router_dealer worker bert
  router_dealer client 20")]
struct Arguments {
    /// Where the broker listens for clients.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5559")]
    front: String,
    /// Where the broker listens for workers.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5560")]
    back: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Stand between clients and workers, until Ctrl-C.
    Broker,
    /// Answer requests, until Ctrl-C.
    Worker {
        /// The worker's name, which its replies tell.
        name: String,
    },
    /// Send requests one after the other, then take the replies as they come.
    Client {
        /// How many requests.
        count: u32,
    },
}

fn main() -> ExitCode {
    let Arguments { front, back, role } = Arguments::parse();
    ended(match role {
        Role::Broker => broker(&front, &back),
        Role::Worker { name } => worker(&back, &name),
        Role::Client { count } => client(&front, count),
    })
}

fn broker(front: &str, back: &str) -> Outcome {
    let context = Context::new()?;
    let clients = context.socket::<Router>()?;
    println!("clients at {}", clients.bind(front)?);
    let workers = context.socket::<Dealer>()?;
    println!("workers at {}", workers.bind(back)?);
    Ok(Proxy::builder(clients, workers).build()?.run()?)
}

fn worker(back: &str, name: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Rep>()?;
    socket.connect(back)?;
    loop {
        let request = socket.recv()?;
        let asked = text(request.frame(0));
        println!("{name} got {asked}");
        socket.send(format!("{asked} done by {name}"))?;
    }
}

fn client(front: &str, count: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Dealer>()?;
    socket.connect(front)?;
    for number in 1..=count {
        // The empty frame is what a REQ would have put there (28/REQREP).
        socket.send(["", &format!("request {number}")])?;
    }
    for _ in 0..count {
        let reply = socket.recv()?; // in the order of the workers' haste
        println!("{}", text(reply.frame(1)));
    }
    println!("{count} replies");
    Ok(())
}
