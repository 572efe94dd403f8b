//! Hello, world: the smallest conversation, one request after the other.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Rep, Req};

/// A client that says hello, and a server that answers.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  hello_world server
  hello_world client
  hello_world client --count 3 --endpoint tcp://192.168.0.7:5555")]
struct Arguments {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5555")]
    endpoint: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answer, until Ctrl-C.
    Server,
    /// Say hello.
    Client {
        /// How many times.
        #[arg(long, default_value_t = 10)]
        count: u32,
    },
}

fn main() -> ExitCode {
    let Arguments { endpoint, role } = Arguments::parse();
    ended(match role {
        Role::Server => server(&endpoint),
        Role::Client { count } => client(&endpoint, count),
    })
}

fn server(endpoint: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Rep>()?;
    println!("listening at {}", socket.bind(endpoint)?);
    loop {
        println!("a client says {}", text(socket.recv()?.frame(0)));
        socket.send("World")?;
    }
}

fn client(endpoint: &str, count: u32) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Req>()?;
    socket.connect(endpoint)?;
    for number in 1..=count {
        socket.send("Hello")?;
        let reply = socket.recv()?;
        println!("{number}: Hello {}", text(reply.frame(0)));
    }
    Ok(())
}
