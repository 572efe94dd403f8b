//! A request-reply broker by hand: two sockets, a poller, and whatever comes at
//! one side leaves by the other. (`router_dealer` and `threaded_server` leave
//! this loop to [`ferromq::Proxy`], which also waits where a side is full.)

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Dealer, Interest, Poller, Rep, Req, Router};

/// Clients and services that need not know of each other.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  broker middle
  broker service
  broker service
  broker client --count 5")]
struct Arguments {
    /// Where the broker listens for clients.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5559")]
    front: String,
    /// Where the broker listens for services.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5560")]
    back: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// The broker itself, until Ctrl-C.
    Middle,
    /// Answer requests, until Ctrl-C.
    Service,
    /// Ask, one request after the other.
    Client {
        /// How many.
        #[arg(long, default_value_t = 10)]
        count: u32,
    },
}

fn main() -> ExitCode {
    let Arguments { front, back, role } = Arguments::parse();
    ended(match role {
        Role::Middle => middle(&front, &back),
        Role::Service => service(&back),
        Role::Client { count } => client(&front, count),
    })
}

fn middle(front: &str, back: &str) -> Outcome {
    const CLIENTS: usize = 0;
    let context = Context::new()?;
    let clients = context.socket::<Router>()?;
    println!("clients at {}", clients.bind(front)?);
    let services = context.socket::<Dealer>()?;
    println!("services at {}", services.bind(back)?);

    let mut poller = Poller::new();
    poller.add(&clients, CLIENTS, Interest::Readable);
    poller.add(&services, 1, Interest::Readable);
    let mut events = Vec::new();
    loop {
        poller.wait(&mut events, None)?;
        for event in &events {
            // A message is passed on as a whole, all of its frames.
            let passed_on = match event.key {
                CLIENTS => services.send(clients.recv()?),
                _ => clients.send(services.recv()?),
            };
            if let Err(refused) = passed_on {
                eprintln!("a message is left out: {refused}");
            }
        }
    }
}

fn service(back: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Rep>()?;
    socket.connect(back)?;
    loop {
        let request = socket.recv()?;
        println!("asked: {}", text(request.frame(0)));
        socket.send("World")?;
    }
}

fn client(front: &str, count: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Req>()?;
    socket.connect(front)?;
    for number in 1..=count {
        socket.send("Hello")?;
        println!("{number}: {}", text(socket.recv()?.frame(0)));
    }
    Ok(())
}
