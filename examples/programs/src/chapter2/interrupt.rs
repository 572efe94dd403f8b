//! An end in good order: Ctrl-C (SIGINT) or SIGTERM wakes the server out of its
//! wait; it says what it has done, and what was sent still leaves.

use std::process::ExitCode;
use std::thread;

use clap::Parser;
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Error, Rep};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Answer requests until Ctrl-C, then tidy up.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  interrupt
  hello_world client        in another terminal; then press Ctrl-C in the first")]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "tcp://127.0.0.1:5555")]
    endpoint: String,
}

fn main() -> ExitCode {
    ended(serve(&Arguments::parse().endpoint))
}

fn serve(endpoint: &str) -> Outcome {
    let context = Context::new()?;
    let socket = context.socket::<Rep>()?;

    // Signals are waited for in a thread of their own, where everything is
    // allowed. A signal ends the context, and that wakes whoever waits.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let ending = context.clone();
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            ending.terminate();
        }
    });

    println!("listening at {}", socket.bind(endpoint)?);
    let mut answered = 0_u64;
    let why = loop {
        match answer(&socket) {
            Ok(()) => answered += 1,
            Err(error) => break error,
        }
    };
    match why {
        Error::Terminated => {
            println!("interrupted after {answered} requests: tidied up");
            Ok(())
        }
        other => Err(other.into()),
    }
}

fn answer(socket: &ferromq::Socket<Rep>) -> Result<(), Error> {
    let request = socket.recv()?;
    socket.send(format!("{} World", text(request.frame(0))))?;
    Ok(())
}
