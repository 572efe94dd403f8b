//! FerroMQ's benchmark: the same messages through plain sockets, libzmq and
//! FerroMQ, in turn, in one run, on one machine.
//!
//! ```text
//!            ┌───────────── coordinator ─────────────┐   a round: raw, libzmq,
//!            │  plans cells, interleaves contenders, │   ferromq; then the next
//!            │  takes medians, prints table and JSON │   round
//!            └───┬───────────────────────────────┬───┘
//!      orders, answers (JSON lines over pipes, see channel.rs)
//!            ┌───┴────┐    tcp or ipc        ┌───┴────┐
//!            │ server │◀════════════════════▶│ client │   two processes a run,
//!            │ binds  │                      │connects│   placed on cores
//!            └────────┘                      └────────┘
//! ```
//!
//! Waking an idle core takes several times as long as a round trip, so each
//! figure comes in three placements: both processes on one core, a core each,
//! and wherever the scheduler likes.

mod channel;
mod cli;
mod coordinator;
mod goals;
mod idle;
mod job;
mod machine;
mod measure;
mod peers;
mod report;
mod statistics;
mod sys;
mod syscalls;
mod table;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, Selection};
use crate::job::{Cell, Placement};
use crate::machine::Machine;
use crate::peers::Failure;
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
}

fn benchmark(selection: &Selection, parts: &[Part]) -> Result<(), Failure> {
    let machine = Machine::here();
    println!("{machine}\n");
    let contenders = selection.contenders();
    let mut results = Results {
        machine,
        effort: selection.effort(),
        cells: Vec::new(),
        idle: Vec::new(),
        syscalls: Vec::new(),
        goals: Vec::new(),
    };
    if parts.contains(&Part::Workloads) {
        results.cells = run_workloads(selection, results.machine.cores());
        print!("{}", report::workloads_table(&results.cells));
    }
    if parts.contains(&Part::Idle) {
        eprintln!("idle connections ...");
        results.idle = idle::weigh(&contenders, selection.connections());
        println!("{}", report::idle_table(&results.idle));
    }
    if parts.contains(&Part::Syscalls) {
        eprintln!("system calls ...");
        let round_trips = selection.round_trips();
        results.syscalls = syscalls::count(&contenders, &selection.vias(), round_trips);
        println!("{}", report::syscalls_table(&results.syscalls));
    }
    results.goals = goals::judge(&results.cells, &results.idle, &results.syscalls);
    for goal in &results.goals {
        println!("{goal}");
    }
    if let Some(file) = &selection.json {
        results.write_json(file)?;
    }
    Ok(())
}

fn run_workloads(selection: &Selection, cores: usize) -> Vec<CellResults> {
    let contenders = selection.contenders();
    cells(selection)
        .map(|cell| {
            if cell.placement == Placement::CoreEach && cores < 2 {
                let skipped = Some("skipped: there is no second core".to_owned());
                return CellResults {
                    cell,
                    rows: Vec::new(),
                    skipped,
                };
            }
            eprintln!("{cell} ...");
            let rows = measure::measure(cell, &contenders, selection.effort());
            CellResults {
                cell,
                rows,
                skipped: None,
            }
        })
        .collect()
}

/// The selected cells, in the order of the table.
fn cells(selection: &Selection) -> impl Iterator<Item = Cell> {
    let mut cells = Vec::new();
    for workload in selection.workloads() {
        for size in selection.sizes(workload) {
            for via in selection.vias() {
                for placement in selection.placements() {
                    cells.push(Cell {
                        workload,
                        size,
                        via,
                        placement,
                    });
                }
            }
        }
    }
    cells.into_iter()
}
