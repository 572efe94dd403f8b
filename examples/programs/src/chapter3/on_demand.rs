//! Work on demand: workers ask a ROUTER for tasks, and the router gives the next
//! one to who asked first. A slow worker asks less often and so gets less; with a
//! PUSH it would get as much as the others.
//!
//! ```text
//!   router ROUTER ◀─ [identity, "", "ready"] ── REQ or DEALER worker
//!                 ── [identity, "", task] ────▶
//! ```
//! A REQ adds and removes the empty frame by itself, a DEALER leaves it to us.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use example_programs::{Outcome, ended};
use ferromq::{Context, Dealer, Message, Options, Req, Router, Socket};

/// Give tasks to who asks for them.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  on_demand router --tasks 100 --workers 2
  on_demand worker anna
  on_demand worker bert --socket dealer")]
struct Arguments {
    /// Where the router listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5671")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Give tasks, then send every worker home.
    Router {
        /// How many tasks.
        #[arg(long, default_value_t = 100)]
        tasks: u32,
        /// How many workers to send home in the end.
        #[arg(long, default_value_t = 1)]
        workers: u32,
    },
    /// Ask for tasks until sent home.
    Worker {
        /// The worker's name, which is its identity.
        name: String,
        /// With which socket.
        #[arg(long, value_enum, default_value = "req")]
        socket: Kind,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Req,
    Dealer,
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Router { tasks, workers } => router(&endpoint, tasks, workers),
        Role::Worker { name, socket } => worker(&endpoint, &name, socket),
    })
}

fn router(endpoint: &str, tasks: u32, workers: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Router>()?;
    println!("listening at {}", socket.bind(endpoint)?);
    for task in 1..=tasks {
        answer(&socket, &format!("task {task}"))?;
    }
    for _ in 0..workers {
        answer(&socket, "go home")?;
    }
    println!("{tasks} tasks given to {workers} workers");
    Ok(())
}

/// Waits for the next worker that is ready: the one that has been so for longest.
fn answer(socket: &Socket<Router>, word: &str) -> Outcome {
    loop {
        let ready = socket.recv()?;
        if let [worker, empty, _ready] = ready.parts() {
            socket.send([&worker[..], empty, word.as_bytes()])?;
            return Ok(());
        }
        eprintln!("left out: {} frames instead of three", ready.len());
    }
}

fn worker(endpoint: &str, name: &str, kind: Kind) -> Outcome {
    let context = Context::new()?;
    let options = Options::new().identity(name);
    let mut done = 0;
    match kind {
        Kind::Req => {
            let socket = context.socket_with::<Req>(options)?;
            socket.connect(endpoint)?;
            loop {
                socket.send("ready")?;
                if is_last(name, &socket.recv()?, &mut done) {
                    return Ok(());
                }
            }
        }
        Kind::Dealer => {
            let socket = context.socket_with::<Dealer>(options)?;
            socket.connect(endpoint)?;
            loop {
                socket.send(["", "ready"])?;
                let mut task = socket.recv()?;
                task.pop_front(); // the empty frame
                if is_last(name, &task, &mut done) {
                    return Ok(());
                }
            }
        }
    }
}

/// Does a task, unless it is the word to go home.
fn is_last(name: &str, task: &Message, done: &mut u32) -> bool {
    let last = task.frame(0).is_some_and(|word| word == "go home");
    match last {
        true => println!("{name} did {done} tasks"),
        false => *done += 1,
    }
    last
}
