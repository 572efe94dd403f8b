//! Tasks with an end: when the sink has every result, it tells the workers to
//! stop. Their word of command comes by a second socket, which they poll.
//!
//! ```text
//!   ventilator PUSH ──▶ PULL ┐        ┌ PUSH ──▶ PULL ┐
//!                            │ worker │               │ sink
//!                        SUB ┘◀───────┴───────── XPUB ┘
//! ```

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Interest, Options, Poller, Pull, Push, Sub, XPub};

/// A batch of tasks whose workers end with it.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own, in any order
  tasks_stop sink --count 100 --workers 2
  tasks_stop worker
  tasks_stop worker
  tasks_stop ventilator --count 100 --workers 2")]
struct Arguments {
    /// Where the ventilator listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5557")]
    tasks: String,
    /// Where the sink listens for results.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5558")]
    results: String,
    /// Where the sink publishes its word of command.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5559")]
    control: String,
    /// How many tasks make a batch.
    #[arg(long, global = true, default_value_t = 100)]
    count: u32,
    /// How many workers take part.
    #[arg(long, global = true, default_value_t = 1)]
    workers: usize,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Deal out the tasks.
    Ventilator,
    /// Do tasks until told to stop.
    Worker,
    /// Gather the results, then stop the workers.
    Sink,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    ended(match arguments.role {
        Role::Ventilator => ventilator(&arguments),
        Role::Worker => worker(&arguments),
        Role::Sink => sink(&arguments),
    })
}

fn ventilator(arguments: &Arguments) -> Outcome {
    let context = Context::new()?;
    let out = context.socket::<Push>()?;
    println!("dealing out at {}", out.bind(&arguments.tasks)?);
    out.wait_for_peers(arguments.workers, Duration::MAX)?;
    for number in 1..=arguments.count {
        out.send(number.to_string())?;
    }
    Ok(())
}

fn worker(arguments: &Arguments) -> Outcome {
    const TASKS: usize = 0;
    let context = Context::new()?;
    let control = context.socket::<Sub>()?;
    control.subscribe("stop")?;
    control.connect(&arguments.control)?;
    let output = context.socket::<Push>()?;
    output.connect(&arguments.results)?;
    let input = context.socket::<Pull>()?;
    input.connect(&arguments.tasks)?;

    let mut poller = Poller::new();
    poller.add(&input, TASKS, Interest::Readable);
    poller.add(&control, 1, Interest::Readable);
    let (mut events, mut done) = (Vec::new(), 0);
    loop {
        poller.wait(&mut events, None)?;
        for event in &events {
            if event.key != TASKS {
                println!("told to stop after {done} tasks");
                return Ok(());
            }
            let task = input.recv()?;
            let number = text(task.frame(0)).parse::<u32>()?;
            output.send(u64::from(number).pow(2).to_string())?;
            done += 1;
        }
    }
}

fn sink(arguments: &Arguments) -> Outcome {
    let context = Context::new()?;
    let input = context.socket::<Pull>()?;
    println!("gathering at {}", input.bind(&arguments.results)?);
    // Verbose: it tells of every worker's subscription, not of the first one's.
    let control = context.socket_with::<XPub>(Options::new().xpub_verbose(true))?;
    println!("commanding at {}", control.bind(&arguments.control)?);
    let mut sum = 0_u128;
    for _ in 0..arguments.count {
        sum += u128::from(text(input.recv()?.frame(0)).parse::<u64>()?);
    }
    println!("{} results, their sum is {sum}", arguments.count);
    // A publisher sends to nobody who has not subscribed yet, so each worker's
    // subscription is awaited. A slow one would be left behind otherwise.
    for _ in 0..arguments.workers {
        control.recv()?;
    }
    control.send("stop")?;
    Ok(())
}
