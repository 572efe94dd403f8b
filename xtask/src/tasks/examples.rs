//! The examples, each against a peer that is real ZeroMQ.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::group::Outcome;
use crate::process;
use crate::setup;
use crate::tasks::{firmware, freestanding};
use crate::workspace;

/// The folders below `examples/` with a program and a `check.py`, and how the
/// programs are built. (The firmware is a group of its own: it needs more.)
const EXAMPLES: [(&str, Build); 3] = [
    ("own-loop", || member("example-own-loop")),
    ("tokio", || member("example-tokio")),
    ("freestanding", || {
        freestanding::build("examples/freestanding", "example-freestanding")
    }),
];
type Build = fn() -> Result<PathBuf, Outcome>;

/// Builds and checks the examples with this text in their names.
pub(crate) fn check(filter: Option<&str>) -> Outcome {
    let filter = filter.unwrap_or_default();
    let mut outcome = Outcome::Passed;
    for (name, build) in EXAMPLES {
        if name.contains(filter) && matches!(outcome, Outcome::Passed) {
            println!("    examples/{name}");
            outcome = build().map_or_else(|not_built| not_built, |it| converse(name, &it));
        }
    }
    outcome
}

/// The example that is the firmware of a Cortex-M4, under QEMU.
pub(crate) fn check_firmware() -> Outcome {
    let built = firmware::build("examples/cortex-m4", "example-cortex-m4");
    built.map_or_else(|not_built| not_built, |it| converse("cortex-m4", &it))
}

/// Runs the example's `check.py`, which starts the program, is its peer, and ends
/// by itself after a minute at the latest.
fn converse(example: &str, program: &Path) -> Outcome {
    let python = match setup::python() {
        Ok(python) => python,
        Err(missing) => return Outcome::skipped(missing.why, missing.enable),
    };
    let folder = workspace::root().join("examples").join(example);
    let mut check = Command::new(python);
    check.arg("-B").arg(folder.join("check.py")).arg(program);
    match process::run(&mut check) {
        Ok(finished) if finished.succeeded => {
            if let Some(line) = finished.lines.last() {
                println!("      {line}");
            }
            Outcome::Passed
        }
        failed => failed.into(),
    }
}

/// A program of the workspace.
fn member(package: &str) -> Result<PathBuf, Outcome> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--package", package]);
    match process::run(&mut cargo) {
        Ok(finished) if finished.succeeded => {
            Ok(workspace::target_dir().join("debug").join(package))
        }
        failed => Err(failed.into()),
    }
}
