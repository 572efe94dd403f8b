//! Work in parallel: a ventilator deals out tasks that take time, workers do them
//! side by side, a sink measures how long it took altogether.
//!
//! The sink has to know when the batch begins and how long it is, so the
//! ventilator tells it first, on the connection that workers use for results.

use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Pull, Push};

/// Do a batch of slow tasks with several workers, and see how much faster it is.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own
  tasks sink
  tasks worker
  tasks worker
  tasks ventilator --workers 2")]
struct Arguments {
    /// Where the ventilator listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5557")]
    tasks: String,
    /// Where the sink listens.
    #[arg(long, global = true, default_value = "tcp://127.0.0.1:5558")]
    results: String,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Deal out a batch of tasks.
    Ventilator {
        /// How many.
        #[arg(long, default_value_t = 100)]
        count: u64,
        /// The longest task's milliseconds.
        #[arg(long, default_value_t = 50)]
        longest: u32,
        /// How many workers to wait for first.
        #[arg(long, default_value_t = 1)]
        workers: usize,
    },
    /// Do tasks, until Ctrl-C.
    Worker,
    /// Gather one batch of results.
    Sink,
}

fn main() -> ExitCode {
    let Arguments {
        tasks,
        results,
        role,
    } = Arguments::parse();
    ended(match role {
        Role::Ventilator {
            count,
            longest,
            workers,
        } => ventilator(&tasks, &results, count, longest, workers),
        Role::Worker => worker(&tasks, &results),
        Role::Sink => sink(&results),
    })
}

fn ventilator(tasks: &str, results: &str, count: u64, longest: u32, workers: usize) -> Outcome {
    let context = Context::new()?;
    let out = context.socket::<Push>()?;
    println!("dealing out at {}", out.bind(tasks)?);
    out.wait_for_peers(workers, Duration::MAX)?;

    let sink = context.socket::<Push>()?;
    sink.connect(results)?;
    sink.wait_for_peers(1, Duration::MAX)?;
    sink.send(["batch", &count.to_string()])?;

    let mut cost = 0;
    for number in 0..count {
        let milliseconds = number * 37 % (u64::from(longest) + 1);
        cost += milliseconds;
        out.send(milliseconds.to_string())?;
    }
    println!("{count} tasks of {cost} ms altogether");
    Ok(())
}

fn worker(tasks: &str, results: &str) -> Outcome {
    let context = Context::new()?;
    let input = context.socket::<Pull>()?;
    let output = context.socket::<Push>()?;
    output.connect(results)?;
    input.connect(tasks)?;
    loop {
        let task = input.recv()?;
        let milliseconds = text(task.frame(0)).parse()?;
        sleep(Duration::from_millis(milliseconds)); // this is the work
        output.send("done")?;
    }
}

fn sink(results: &str) -> Outcome {
    let context = Context::new()?;
    let input = context.socket::<Pull>()?;
    println!("gathering at {}", input.bind(results)?);
    // What comes by different connections comes in any order: a worker may be
    // done before the ventilator's word is here.
    let (mut batch, mut done) = (None, 0_u64);
    let mut began = None;
    while batch != Some(done) {
        let message = input.recv()?;
        began.get_or_insert_with(Instant::now);
        match message.parts() {
            [word, count] if word == "batch" => batch = Some(text(Some(count)).parse()?),
            _ => done += 1,
        }
    }
    let took = began.map_or(Duration::ZERO, |at| at.elapsed());
    println!("{done} tasks done in {} ms", took.as_millis());
    Ok(())
}
