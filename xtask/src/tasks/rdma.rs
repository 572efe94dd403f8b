//! What is for real RDMA devices, run on soft-RoCE in a virtual machine.
//!
//! `tests/rdma-vm` makes the machine of Debian's packages, and brings the headers that
//! the feature `verbs` is built with. Nothing is installed.

use std::process::Command;

use crate::group::Outcome;
use crate::process;
use crate::setup;
use crate::workspace;

/// Arguments of `cargo test`: its programs run in machines of their own.
pub(crate) type Suite = &'static [&'static str];

/// All of it, by name.
pub(crate) const SUITES: [(&str, Suite); 3] = [
    ("provider", &[VERBS, TRANSPORT, "--lib", "sys::"]),
    ("transport", &[VERBS, TRANSPORT, "--test=verbs"]),
    (
        "sockets",
        &[VERBS, "--package=ferromq-tests", "--test=rdma"],
    ),
];

/// What every run of all tests has of it. Of the whole workspace, so that what the other
/// tests were built with serves here too.
pub(crate) const SHORT: Suite = &[
    "--workspace",
    "--features=ferromq-transport-rdma/verbs",
    "--test=verbs",
    "--",
    "--skip=with_faults",
];

const VERBS: &str = "--features=verbs";
const TRANSPORT: &str = "--package=ferromq-transport-rdma";

/// Builds programs and runs them in the machine. Without what Debian has for it, they
/// are skipped.
pub(crate) fn check(suite: Suite) -> Outcome {
    if let Some(absent) = prepare() {
        return absent;
    }
    let mut command = machine();
    command.args(["with", "cargo", "test", "--locked"]);
    // The emulated machine's share of a busy one may be small.
    command.env("FERROMQ_RDMA_VM_TIMEOUT", "900");
    process::run(command.args(suite)).into()
}

/// The Python package, built with verbs, in the machine.
pub(crate) fn check_python() -> Outcome {
    if let Some(absent) = prepare() {
        return absent;
    }
    let mut build = machine();
    build.args(["with", "cargo", "build", "--locked", "--profile=quick"]);
    build.args([VERBS, "--manifest-path=python/Cargo.toml", "--target-dir"]);
    let target = workspace::target_dir().join("python-verbs");
    build.arg(&target);
    match process::run(&mut build) {
        Ok(finished) if finished.succeeded => {}
        failed => return failed.into(),
    }
    let mut run = machine();
    run.args(["python", "python/tests/over_rdma.py"]);
    run.arg("ferromq=python/package/ferromq");
    let module = target.join("quick/lib_native.so");
    run.arg(format!("ferromq/_native.abi3.so={}", module.display()));
    process::run(&mut run).into()
}

/// Makes the machine, on first use. `None`: it is there.
fn prepare() -> Option<Outcome> {
    let _turn = setup::apt();
    let mut lines = match set_up() {
        Ok(()) => return None,
        Err(lines) => lines,
    };
    if lines.iter().any(|line| line.contains(UPDATE)) {
        setup::update_index();
        lines = match set_up() {
            Ok(()) => return None,
            Err(lines) => lines,
        };
    }
    let why = lines.pop().unwrap_or_default();
    Some(Outcome::skipped(
        why,
        "sudo apt-get update && tests/rdma-vm/rdma-vm setup --headers",
    ))
}

/// What it said, if it failed.
fn set_up() -> Result<(), Vec<String>> {
    match process::run(machine().args(["setup", "--headers"])) {
        Ok(finished) if finished.succeeded => Ok(()),
        Ok(finished) => {
            let said = finished.lines.into_iter();
            Err(said.filter(|line| line.starts_with("rdma-vm:")).collect())
        }
        Err(error) => Err(vec![error.to_string()]),
    }
}

fn machine() -> Command {
    let mut command = Command::new("python3");
    command.arg(workspace::root().join("tests/rdma-vm/rdma-vm"));
    command.current_dir(workspace::root());
    command
}

/// What it asks for when apt's index is empty or old.
const UPDATE: &str = "apt-get update";
