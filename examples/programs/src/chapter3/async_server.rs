//! Nobody waits for anybody: clients send requests while replies come in, and the
//! server answers each request with as many replies as it likes.
//!
//! ```text
//!   client DEALER ◀── tcp ──▶ ROUTER ─ proxy ─ DEALER ◀── inproc ──▶ DEALER thread
//! ```

use std::process::ExitCode;
use std::thread;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Dealer, Interest, Options, Poller, Proxy, Router};

/// Requests with no, one, or many replies each.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  async_server server
  async_server client anna
  async_server client bert --count 100")]
struct Arguments {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5570")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answer with several threads, until Ctrl-C: request 5 gets two replies,
    /// its number modulo 3.
    Server {
        /// How many threads.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
        threads: u32,
    },
    /// Ask and listen at the same time.
    Client {
        /// The client's name, which is its identity.
        name: String,
        /// How many requests.
        #[arg(long, default_value_t = 10)]
        count: u64,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Server { threads } => server(&endpoint, threads),
        Role::Client { name, count } => client(&endpoint, &name, count),
    })
}

fn server(endpoint: &str, threads: u32) -> Outcome {
    let context = Context::new()?;
    let workers = context.socket::<Dealer>()?;
    workers.bind("inproc://workers")?;
    for number in 1..=threads {
        let context = context.clone();
        thread::spawn(move || {
            if let Err(error) = work(&context) {
                eprintln!("thread {number} ended: {error}");
            }
        });
    }
    let clients = context.socket::<Router>()?;
    println!("listening at {}", clients.bind(endpoint)?);
    Ok(Proxy::builder(clients, workers).build()?.run()?)
}

fn work(context: &Context) -> Outcome {
    let socket = context.socket::<Dealer>()?;
    socket.connect("inproc://workers")?;
    loop {
        let request = socket.recv()?;
        // A client's DEALER adds no empty frame, so there is none here.
        let [client, number] = request.parts() else {
            eprintln!("a request of {} frames is left out", request.len());
            continue;
        };
        let asked = text(Some(number));
        for reply in 1..=replies_to(asked.parse().unwrap_or(0)) {
            let reply = format!("{asked}: reply {reply}");
            socket.send([&client[..], reply.as_bytes()])?;
        }
    }
}

/// How many replies a request gets: the client must know when it is done.
fn replies_to(request: u64) -> u64 {
    request % 3
}

fn client(endpoint: &str, name: &str, count: u64) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket_with::<Dealer>(Options::new().identity(name))?;
    socket.connect(endpoint)?;
    let mut poller = Poller::new();
    let due: u64 = (1..=count).map(replies_to).sum();
    let (mut asked, mut came, mut events) = (0, 0, Vec::new());
    poller.add(&socket, 0, Interest::Both);
    while came < due || asked < count {
        poller.wait(&mut events, None)?;
        for readiness in events.iter().map(|event| event.readiness) {
            if readiness.writable && asked < count {
                asked += 1;
                socket.send(asked.to_string())?;
                if asked == count {
                    // Room to send is no news any more.
                    poller.remove(0);
                    poller.add(&socket, 0, Interest::Readable);
                }
            }
            if readiness.readable {
                came += 1;
                println!("{name}: {}", text(socket.recv()?.frame(0)));
            }
        }
    }
    println!("{name}: {came} replies to {asked} requests");
    Ok(())
}
