//! A broker that knows which workers are free: a request waits at the broker, and
//! not behind another one at a worker. The worker that has been free for longest
//! is next.
//!
//! ```text
//!   client REQ ──▶ ROUTER  broker  ROUTER ◀── REQ worker: READY, then replies
//! ```
//! The broker believes that a free worker is still there: one that vanishes takes
//! a request with it. (Heartbeats and repeated requests are another chapter.)

use std::collections::VecDeque;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Frame, Interest, Message, Options, Poller, Req, Router};

/// Give requests to workers that are free.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  load_balancer broker
  load_balancer worker anna
  load_balancer worker bert
  load_balancer client --count 10")]
struct Arguments {
    /// Where the broker listens for clients.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5672")]
    front: String,
    /// Where the broker listens for workers.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5673")]
    back: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Stand between clients and workers, until Ctrl-C.
    Broker,
    /// Do requests, until Ctrl-C.
    Worker {
        /// The worker's name, which its replies tell.
        name: String,
    },
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
        Role::Broker => broker(&front, &back),
        Role::Worker { name } => worker(&back, &name),
        Role::Client { count } => client(&front, count),
    })
}

const CLIENTS: usize = 0;
const WORKERS: usize = 1;

fn broker(front: &str, back: &str) -> Outcome {
    let context = Context::new()?;
    let clients = context.socket::<Router>()?;
    println!("clients at {}", clients.bind(front)?);
    let workers = context.socket::<Router>()?;
    println!("workers at {}", workers.bind(back)?);

    // While nobody is free, requests are left where they are: in the queues of
    // the clients' connections, which push back when they are full.
    let mut nobody_free = Poller::new();
    nobody_free.add(&workers, WORKERS, Interest::Readable);
    let mut somebody_free = Poller::new();
    somebody_free.add(&workers, WORKERS, Interest::Readable);
    somebody_free.add(&clients, CLIENTS, Interest::Readable);

    let mut free: VecDeque<Frame> = VecDeque::new();
    let mut events = Vec::new();
    loop {
        match free.is_empty() {
            true => nobody_free.wait(&mut events, None)?,
            false => somebody_free.wait(&mut events, None)?,
        }
        for event in &events {
            if event.key == WORKERS {
                // [worker, "", "READY"] or [worker, "", client, "", reply]
                let mut message = workers.recv()?;
                free.extend(message.pop_front());
                message.pop_front();
                if message.len() > 1 {
                    clients.send(message)?;
                }
            } else if let Some(worker) = free.pop_front() {
                // [client, "", request]
                let mut message = Message::from([worker, Frame::default()]);
                message.extend(clients.recv()?.into_frames());
                workers.send(message)?;
            }
        }
    }
}

fn worker(back: &str, name: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket_with::<Req>(Options::new().identity(name))?;
    socket.connect(back)?;
    socket.send("READY")?;
    loop {
        let request = socket.recv()?;
        let [envelope @ .., asked] = request.parts() else {
            return Err("a request without frames".into());
        };
        // What is in front of the request says whose it is, and goes back in
        // front of the reply. That we replied says that we are free again.
        let mut reply: Message = envelope.into();
        reply.push_back(format!("{} done by {name}", text(Some(asked))));
        socket.send(reply)?;
    }
}

fn client(front: &str, count: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Req>()?;
    socket.connect(front)?;
    for number in 1..=count {
        socket.send(format!("request {number}"))?;
        println!("{}", text(socket.recv()?.frame(0)));
    }
    Ok(())
}
