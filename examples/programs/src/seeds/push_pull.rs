//! A pipeline: a ventilator deals out tasks, workers do them side by side, and a
//! sink gathers the results.
//!
//! ```text
//!                        ┌▶ PULL worker 1 PUSH ─┐
//!   ventilator  PUSH ────┤                      ├──▶ PULL  sink
//!                        └▶ PULL worker 2 PUSH ─┘
//! ```

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use example_programs::{Outcome, ended, text};
use ferromq::{Context, Pull, Push};

/// Compute squares with as many workers as you like.
#[derive(Parser)]
#[command(after_help = "\
Examples: each line in a terminal of its own, in any order
  push_pull sink --count 100
  push_pull worker 1
  push_pull worker 2
  push_pull ventilator 100 --workers 2")]
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
    /// Gather the results, and print their sum.
    Sink {
        /// How many results to await.
        #[arg(long, default_value_t = 100)]
        count: u64,
    },
    /// Square numbers until Ctrl-C.
    Worker {
        /// The worker's number, which its results tell.
        number: u32,
    },
    /// Deal out the numbers from 1 to COUNT.
    Ventilator {
        /// How many tasks.
        count: u32,
        /// How many workers to wait for, so that the first one does not get
        /// everything before the second is there.
        #[arg(long, default_value_t = 1)]
        workers: usize,
    },
}

fn main() -> ExitCode {
    let Arguments {
        tasks,
        results,
        role,
    } = Arguments::parse();
    ended(match role {
        Role::Sink { count } => sink(&results, count),
        Role::Worker { number } => worker(&tasks, &results, number),
        Role::Ventilator { count, workers } => ventilator(&tasks, count, workers),
    })
}

fn ventilator(tasks: &str, count: u32, workers: usize) -> Outcome {
    let context = Context::new()?;
    let out = context.socket::<Push>()?;
    println!("dealing out at {}", out.bind(tasks)?);
    out.wait_for_peers(workers, Duration::MAX)?;
    for number in 1..=count {
        out.send(number.to_string())?; // to one worker, the next one in turn
    }
    println!("{count} tasks dealt out to {workers} workers");
    Ok(())
    // Here the context is dropped, which waits until everything has left.
}

fn worker(tasks: &str, results: &str, number: u32) -> Outcome {
    let context = Context::new()?;
    let input = context.socket::<Pull>()?;
    let output = context.socket::<Push>()?;
    output.connect(results)?;
    input.connect(tasks)?;
    loop {
        let task = input.recv()?;
        match text(task.frame(0)).parse::<u32>() {
            Ok(task) => {
                let square = u64::from(task).pow(2);
                output.send([number.to_string(), square.to_string()])?;
            }
            Err(error) => eprintln!("no number, and left out: {error}"),
        }
    }
}

fn sink(results: &str, count: u64) -> Outcome {
    let context = Context::new()?;
    let input = context.socket::<Pull>()?;
    println!("gathering at {}", input.bind(results)?);
    let mut sum = 0_u128;
    for _ in 0..count {
        let result = input.recv()?;
        let (worker, square) = (text(result.frame(0)), text(result.frame(1)));
        println!("worker {worker}: {square}");
        sum += u128::from(square.parse::<u64>()?);
    }
    println!("the sum of {count} squares is {sum}");
    Ok(())
}
