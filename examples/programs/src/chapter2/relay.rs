//! Threads that wait for each other: a signal goes from the first to the last one,
//! by PAIR sockets over `inproc://`. Receiving is the waiting.
//!
//! ```text
//!   step 1 PAIR ── inproc ── PAIR step 2 PAIR ── inproc ── PAIR step 3
//! ```

use std::process::ExitCode;
use std::thread;

use clap::Parser;
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Pair, Socket};

/// Pass a signal on from thread to thread.
#[derive(Parser)]
#[command(after_help = "\
Examples:
  relay
  relay --steps 10")]
struct Arguments {
    /// How many threads.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    steps: u32,
}

fn main() -> ExitCode {
    ended(relay(Arguments::parse().steps))
}

fn relay(steps: u32) -> Outcome {
    let context = Context::new()?;
    let end = context.socket::<Pair>()?;
    end.bind("inproc://end")?;

    // From the last to the first: each step binds where the step before it will
    // connect, and knows where to pass the signal on.
    let mut next = "inproc://end".to_owned();
    let mut threads = Vec::new();
    for step in (1..=steps).rev() {
        let here = format!("inproc://step-{step}");
        let from = context.socket::<Pair>()?;
        from.bind(&here)?;
        let to = context.socket::<Pair>()?;
        to.connect(&next)?;
        threads.push(thread::spawn(move || pass_on(step, &from, &to)));
        next = here;
    }

    let start = context.socket::<Pair>()?;
    start.connect(&next)?;
    start.send("ready")?;
    println!("the end got: {}", text(end.recv()?.frame(0)));
    for thread in threads {
        thread.join().map_err(|_| "a step panicked")??;
    }
    Ok(())
}

/// Sockets may go to another thread; from then on they are that thread's.
fn pass_on(step: u32, from: &Socket<Pair>, to: &Socket<Pair>) -> Outcome {
    let signal = from.recv()?;
    println!("step {step}");
    to.send(format!("{}, {step}", text(signal.frame(0))))?;
    Ok(())
}
