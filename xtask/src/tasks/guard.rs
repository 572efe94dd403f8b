//! The guard: what small messages cost in instructions and allocations, against
//! stored figures that no noise of a machine can touch.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::group::Outcome;
use crate::process::{self, Finished};
use crate::setup;
use crate::workspace;

/// Compares what is counted with what is stored.
pub(crate) fn check() -> Outcome {
    if let Some(absent) = absent() {
        return absent;
    }
    match process::run(guard().arg("check")) {
        Ok(Finished {
            succeeded: true,
            lines,
        }) => {
            for note in lines.iter().filter(|line| line.starts_with("note: ")) {
                println!("    {note}");
            }
            Outcome::Passed
        }
        failed => failed.into(),
    }
}

/// Compares or, with `update`, stores. Callgrind's files stay in `keep`.
pub(crate) fn run(update: bool, keep: Option<&Path>) -> io::Result<ExitCode> {
    setup::debian_packages();
    if let Some(Outcome::Skipped { why, enable }) = absent() {
        return Err(io::Error::other(format!("{why}; to enable it: {enable}")));
    }
    let mut guard = guard();
    guard.arg(if update { "update" } else { "check" });
    if let Some(folder) = keep {
        guard.arg("--keep").arg(std::path::absolute(folder)?);
    }
    Ok(match process::run_in_the_open(&mut guard)? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn guard() -> Command {
    let mut guard = workspace::cargo();
    guard.args([
        "run",
        "--locked",
        "--release",
        "--package",
        "ferromq-guard",
        "--",
    ]);
    guard
}

/// What is missing here.
fn absent() -> Option<Outcome> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        let enable = "run it on x86_64 Linux";
        return Some(Outcome::skipped("figures are for x86_64 Linux", enable));
    }
    let present = process::succeeds(Command::new("valgrind").arg("--version"));
    let enable = "sudo apt-get install valgrind";
    (!present).then(|| Outcome::skipped("valgrind is missing", enable))
}
