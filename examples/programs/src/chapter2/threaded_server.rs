//! A server with threads: clients by TCP, workers by `inproc://` inside of the
//! process. No locks, no shared state: threads send messages to each other.
//!
//! ```text
//!                     ┌───────────── one process ──────────────┐
//!   REQ ── tcp ──▶ ROUTER ─ proxy ─ DEALER ── inproc ──▶ REP thread 1
//!                     │                              └─▶ REP thread 2
//! ```

use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Dealer, Proxy, Rep, Req, Router};

/// A server that answers several clients at the same time.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  threaded_server server --threads 4
  threaded_server client --count 20")]
struct Arguments {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5555")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answer with several threads, until Ctrl-C.
    Server {
        /// How many.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=64))]
        threads: u32,
    },
    /// Ask, one request after the other.
    Client {
        /// How many.
        #[arg(long, default_value_t = 10)]
        count: u32,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Server { threads } => server(&endpoint, threads),
        Role::Client { count } => client(&endpoint, count),
    })
}

fn server(endpoint: &str, threads: u32) -> Outcome {
    let context = Context::new()?;
    let workers = context.socket::<Dealer>()?;
    workers.bind("inproc://workers")?;
    for number in 1..=threads {
        // An inproc endpoint is known within its context, so all share one.
        let context = context.clone();
        thread::spawn(move || {
            if let Err(error) = work(&context, number) {
                eprintln!("thread {number} ended: {error}");
            }
        });
    }
    workers.wait_for_peers(threads as usize, std::time::Duration::MAX)?;
    let clients = context.socket::<Router>()?;
    println!("listening at {}", clients.bind(endpoint)?);
    Ok(Proxy::builder(clients, workers).build()?.run()?)
}

fn work(context: &Context, number: u32) -> Outcome {
    let socket = context.socket::<Rep>()?; // made in the thread that uses it
    socket.connect("inproc://workers")?;
    loop {
        let request = socket.recv()?;
        let asked = text(request.frame(0));
        socket.send(format!("{asked} from thread {number}"))?;
    }
}

fn client(endpoint: &str, count: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Req>()?;
    socket.connect(endpoint)?;
    for _ in 0..count {
        socket.send("World")?;
        println!("{}", text(socket.recv()?.frame(0)));
    }
    Ok(())
}
