//! FerroMQ's benchmark: the same messages through plain sockets, FerroMQ and
//! other libraries, in turn, in one run, on one machine.
//!
//! ```text
//!            ┌───────────── coordinator ─────────────┐   a round: raw, libzmq,
//!            │  plans cells, interleaves contenders, │   ferromq; then the next
//!            │  takes medians, prints tables, charts │   round
//!            └───┬───────────────────────────────┬───┘
//!      orders, answers (JSON lines over pipes, see channel.rs)
//!            ┌───┴────┐    tcp or ipc        ┌───┴────┐
//!            │ server │◀════════════════════▶│ client │   two processes a run,
//!            │ binds  │                      │connects│   placed on cores
//!            └────────┘                      └────────┘
//! ```
//!
//! Over inproc the two are threads of one process; a proxy is a third process.
//!
//! Waking an idle core takes several times as long as a round trip, so each
//! figure comes in three placements: both processes on one core, a core each,
//! and wherever the scheduler likes. Round trips come in a fourth one, with others
//! on every core, as who spins for an answer could lose there.

mod channel;
mod charts;
mod cli;
mod coordinator;
mod goals;
mod growth;
mod hogs;
mod idle;
mod job;
mod machine;
mod markdown;
mod measure;
mod meter;
mod peers;
mod plain;
mod plan;
mod progress;
mod report;
mod run;
mod statistics;
mod sys;
mod syscalls;
mod table;
mod topics;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, Pages, Selection};
use crate::peers::Failure;
use crate::report::Results;
use crate::run::Part;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => benchmark(&cli.selection, Part::of(cli.selection.plan())),
        Some(Command::Workloads(selection)) => benchmark(&selection, &[Part::Workloads]),
        Some(Command::Idle(selection)) => benchmark(&selection, &[Part::Idle]),
        Some(Command::Syscalls(selection)) => benchmark(&selection, &[Part::Syscalls]),
        Some(Command::Growth(selection)) => benchmark(&selection, &[Part::Growth]),
        Some(Command::Render { files, pages }) => {
            Results::read_json(&files).and_then(|results| present(&results, &pages))
        }
        Some(Command::Worker { role, job }) => worker::main(&job, role),
        Some(Command::IdleServer { contender }) => idle::server_main(contender),
        Some(Command::IdleClient { connections }) => idle::client_main(connections),
        Some(Command::Trace { tally, program }) => {
            return match syscalls::trace(&program, &tally) {
                Ok(code) => ExitCode::from(code as u8),
                Err(failure) => fail(&failure),
            };
        }
    };
    done.map_or_else(|failure| fail(&failure), |()| ExitCode::SUCCESS)
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("ferromq-bench: {failure}");
    ExitCode::FAILURE
}

fn benchmark(selection: &Selection, parts: &[Part]) -> Result<(), Failure> {
    let results = run::run(selection, parts)?;
    present(&results, &selection.pages)
}

/// Shows the results, and writes them where they are asked for.
fn present(results: &Results, pages: &Pages) -> Result<(), Failure> {
    print!("{}", report::tables(results));
    let goals = goals::judge(results);
    for goal in &goals {
        println!("{goal}");
    }
    let (met, all) = goals::met(&goals);
    if all > 0 {
        println!("{met} of {all} goals are met\n");
    }
    for curve in &results.growth {
        println!("{curve}");
    }
    if let Some(docs) = &pages.docs {
        std::fs::create_dir_all(docs)?;
        let charts = charts::draw(results, docs)?;
        markdown::write(results, &goals, &charts, docs)?;
    }
    if let Some(page) = &pages.goals {
        goals::replace_in(page, results, &goals)?;
    }
    Ok(())
}
