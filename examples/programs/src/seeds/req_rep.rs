//! Request and reply: a client asks, a server answers, one at a time.
//!
//! ```text
//!   client  REQ ── text ──▶ REP  server
//!               ◀─ TEXT ──
//! ```

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Error, Options, Rep, Req};

/// Ask a server to write a text in capitals.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  req_rep server                                in one terminal
  req_rep client 127.0.0.1 5555 \"hello there\"   in another: prints HELLO THERE
  req_rep server --host 0.0.0.0 --port 7000     for other machines too")]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Answer every request, until Ctrl-C.
    Server {
        /// The address of the interface to listen at.
        #[arg(long, default_value = "127.0.0.1")]
        host: String,
        /// The port; 0 takes a free one and tells which.
        #[arg(long, default_value_t = 5555)]
        port: u16,
    },
    /// Ask once, and print the reply.
    Client {
        /// The server's name or address.
        host: String,
        /// The server's port.
        port: u16,
        /// What to send.
        text: String,
        /// How long to wait for the reply, in seconds.
        #[arg(long, default_value_t = 10)]
        timeout: u64,
    },
}

fn main() -> ExitCode {
    ended(match Arguments::parse().role {
        Role::Server { host, port } => server(&format!("tcp://{host}:{port}")),
        Role::Client {
            host,
            port,
            text,
            timeout,
        } => client(
            &format!("tcp://{host}:{port}"),
            &text,
            Duration::from_secs(timeout),
        ),
    })
}

fn server(endpoint: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Rep>()?;
    println!("listening at {}", socket.bind(endpoint)?);
    loop {
        let request = socket.recv()?;
        let asked = text(request.frame(0));
        println!("asked: {asked}");
        // A REP owes each request one reply, and cannot receive before.
        socket.send(asked.to_uppercase())?;
    }
}

fn client(endpoint: &str, asked: &str, patience: Duration) -> Outcome {
    let context = Context::new()?;
    // Who gives up does not wait at the end for a server that never came.
    let options = Options::new().linger(Some(Duration::ZERO));
    let socket = context.socket_with::<Req>(options)?;
    socket.connect(endpoint)?; // the server may well be started later
    socket.send(asked)?;
    match socket.recv_timeout(patience) {
        Ok(reply) => println!("{}", text(reply.frame(0))),
        Err(Error::TimedOut) => {
            return Err(
                format!("no reply from {endpoint} within {patience:?}: is it running?").into(),
            );
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
