//! Brokers that tell each other how busy they are: each publishes its state, and
//! subscribes to all the others'. What is new replaces what was before.
//!
//! ```text
//!   broker a  PUB ──▶ SUB broker b, SUB broker c      and so on, each to each
//! ```

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Error, Pub, Sub};

/// Be one of several brokers: publish a state, print the others'.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  peering_state a --at tcp://127.0.0.1:5681 --peer tcp://127.0.0.1:5682
  peering_state b --at tcp://127.0.0.1:5682 --peer tcp://127.0.0.1:5681")]
struct Arguments {
    /// The broker's name.
    name: String,
    /// Where this broker publishes its state.
    #[arg(long)]
    at: String,
    /// Where another one does; as often as there are others.
    #[arg(long, required = true)]
    peer: Vec<String>,
    /// Milliseconds between two publications.
    #[arg(long, default_value_t = 1000)]
    every: u32,
    /// How many states to print; without it, until Ctrl-C.
    #[arg(long)]
    count: Option<u64>,
}

fn main() -> ExitCode {
    ended(broker(&Arguments::parse()))
}

fn broker(arguments: &Arguments) -> Outcome {
    let context = Context::new()?;
    let mine = context.socket::<Pub>()?;
    println!("publishing at {}", mine.bind(&arguments.at)?);
    let others = context.socket::<Sub>()?;
    others.subscribe("")?;
    for peer in &arguments.peer {
        others.connect(peer)?; // one socket hears them all
    }

    let period = Duration::from_millis(arguments.every.max(1).into());
    let count = arguments.count.unwrap_or(u64::MAX);
    let (mut round, mut printed) = (0_u64, 0);
    while printed < count {
        // No real workers here: a number that changes.
        let free = round % 10;
        mine.send([&arguments.name, &free.to_string()])?;
        round += 1;
        let next = Instant::now() + period;
        while printed < count {
            match others.recv_deadline(next) {
                Ok(state) => {
                    let (peer, free) = (text(state.frame(0)), text(state.frame(1)));
                    println!("{peer} has {free} free workers");
                    printed += 1;
                }
                Err(Error::TimedOut) => break, // our own state is due
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
