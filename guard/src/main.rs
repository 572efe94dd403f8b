//! A guard that noise cannot touch: counts instructions and allocations, and
//! compares them with what they were.
//!
//! ```text
//!  check ──▶ allocations: this process, natively          must be none
//!    │
//!    └─────▶ valgrind ──▶ this program again, `count`
//!              │             section: warm-up, batches ──▶ a file each
//!              └──▶ cheapest batch of each ──▶ figures.json, margin ──▶ verdict
//! ```
//!
//! Time is told by a clock that is as slow as valgrind makes the program
//! ([`clock`]), so that what depends on pauses between calls does not depend on
//! the machine. Instructions of the kernel and of other threads do not count.
//! System calls a round trip are the benchmark's to count (`bench/src/syscalls.rs`).

mod allocations;
mod allocator;
mod callgrind;
mod cli;
mod clock;
mod figures;
mod meter;
mod pair;
mod sections;
mod storage;
mod valgrind;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::callgrind::Instructions;
use crate::cli::{Arguments, Task};
use crate::figures::{Figures, Origin, Verdict};
use crate::sections::{Failure, several_cores};

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Check { keep } => check(keep),
        Task::Update { keep } => update(keep),
        Task::Allocations => check_allocations(),
        Task::Count => clock::slow_down()
            .and_then(|()| sections::run())
            .map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("ferromq-guard: {error}");
        ExitCode::FAILURE
    })
}

fn check(keep: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let allocations = check_allocations()?;
    let figures = Figures::load()?;
    let here = Origin::here()?;
    let margin = figures.margin(&here);
    println!("\nInstructions of one operation; {margin} % more is too many");
    println!("   stored   counted");
    let rows = figures.compare(&count(keep)?, margin);
    for (name, row) in &rows {
        println!("{row} {name}");
    }
    let any = |verdict| rows.values().any(|row| row.verdict() == verdict);
    if any(Verdict::Less) {
        println!(
            "note: some figures are less than stored; to guard that: {}",
            cli::UPDATE
        );
    }
    if !several_cores() {
        println!("note: with one core, receives that wait are not counted");
    }
    let gone = any(Verdict::Gone) && several_cores();
    if !(any(Verdict::More) || any(Verdict::New) || gone) {
        return Ok(allocations);
    }
    println!("stored:  {}", figures.counted_by);
    println!("counted: {here}");
    println!("to see who executes them: {}", cli::PROFILE);
    println!("to store what was counted: {}", cli::UPDATE);
    Ok(ExitCode::FAILURE)
}

fn update(keep: Option<PathBuf>) -> Result<ExitCode, Failure> {
    if !several_cores() {
        return Err("figures are stored on machines with several cores only".into());
    }
    let counted = count(keep)?;
    let figures = Figures::load()?;
    let margin = figures.margin(&Origin::here()?);
    for (name, row) in figures.compare(&counted, margin) {
        println!("{row} {name}");
    }
    figures.update(&counted)?;
    Ok(ExitCode::SUCCESS)
}

/// Counts in a folder that goes away, unless it is to be kept.
fn count(keep: Option<PathBuf>) -> Result<Instructions, Failure> {
    match keep {
        Some(folder) => {
            std::fs::create_dir(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
            callgrind::count(&folder)
        }
        None => callgrind::count(tempfile::tempdir()?.path()),
    }
}

fn check_allocations() -> Result<ExitCode, Failure> {
    println!("Allocations of one message of 64 B\n  allowed   counted");
    let rows = allocations::count()?;
    for row in &rows {
        print!("{row}");
    }
    Ok(match rows.iter().all(allocations::Row::is_kept) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
