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
//! and wherever the scheduler likes.

mod channel;
mod charts;
mod cli;
mod coordinator;
mod goals;
mod growth;
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
mod statistics;
mod sys;
mod syscalls;
mod table;
mod topics;
mod worker;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, Selection};
use crate::job::Placement;
use crate::machine::Machine;
use crate::peers::Failure;
use crate::progress::Progress;
use crate::report::{CellResults, Results};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => benchmark(
            &cli.selection,
            &[Part::Workloads, Part::Idle, Part::Syscalls],
        ),
        Some(Command::Workloads(selection)) => benchmark(&selection, &[Part::Workloads]),
        Some(Command::Idle(selection)) => benchmark(&selection, &[Part::Idle]),
        Some(Command::Syscalls(selection)) => benchmark(&selection, &[Part::Syscalls]),
        Some(Command::Growth(selection)) => benchmark(&selection, &[Part::Growth]),
        Some(Command::Render { files, docs }) => {
            Results::read_json(&files).and_then(|results| present(&results, docs.as_deref()))
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

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Workloads,
    Idle,
    Syscalls,
    Growth,
}

fn benchmark(selection: &Selection, parts: &[Part]) -> Result<(), Failure> {
    let mut results = Results::new(Machine::here(), selection.effort());
    let contenders = selection.contenders();
    println!("{}\n", results.machine);
    for contender in &contenders {
        if let Some(reason) = peers::absence(*contender) {
            println!("{contender}: {reason}");
        }
    }
    let cells = match parts.contains(&Part::Workloads) {
        true => selection.cells(),
        false => Vec::new(),
    };
    let progress = Progress::new(cells.len() + 2);
    for cell in cells {
        if cell.placement == Placement::CoreEach && results.machine.cores() < 2 {
            let skipped = "skipped: there is no second core".to_owned();
            results.cells.push(CellResults::skipped(cell, skipped));
        } else {
            let rows = measure::measure(cell, &contenders, selection.effort(), &progress);
            results.cells.push(CellResults::new(cell, rows));
        }
        // A run that is cut short leaves what it has.
        if let Some(file) = &selection.json {
            results.write_json(file)?;
        }
        progress.step();
    }
    if parts.contains(&Part::Idle) {
        let counted = selection.counted_contenders();
        results.idle = idle::weigh(&counted, selection.connections(), &progress);
    }
    progress.step();
    if parts.contains(&Part::Syscalls) {
        let round_trips = selection.round_trips();
        let counted = selection.counted_contenders();
        results.syscalls = syscalls::count(&counted, &selection.vias(), round_trips, &progress);
    }
    if parts.contains(&Part::Growth) {
        results.growth = growth::measure(&contenders, selection.effort(), &progress);
    }
    progress.finish();
    if let Some(file) = &selection.json {
        results.write_json(file)?;
    }
    present(&results, selection.docs.as_deref())
}

/// Shows the results, and writes them to `docs`.
fn present(results: &Results, docs: Option<&Path>) -> Result<(), Failure> {
    print!("{}", report::tables(results));
    let goals = goals::judge(results);
    for goal in &goals {
        println!("{goal}");
    }
    for curve in &results.growth {
        println!("{curve}");
    }
    if let Some(docs) = docs {
        std::fs::create_dir_all(docs)?;
        let charts = charts::draw(results, docs)?;
        markdown::write(results, &goals, &charts, docs)?;
    }
    Ok(())
}
