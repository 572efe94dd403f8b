//! Real ZeroMQ on the other end: the tests that need pyzmq.

use crate::group::Outcome;
use crate::process::{self, Finished};
use crate::setup;
use crate::workspace;

/// The interpreter that the tests start their peers with.
const PYTHON: &str = "FERROMQ_PYTHON";
/// The `ferromq` program under test.
const PROGRAM: &str = "FERROMQ_PROGRAM";

pub(crate) fn check(filter: Option<&str>) -> Outcome {
    let python = match setup::python() {
        Ok(python) => python,
        Err(missing) => return Outcome::skipped(missing.why, missing.enable),
    };
    let mut build = workspace::cargo();
    build.args([
        "build",
        "--locked",
        "--package",
        "ferromq",
        "--bin",
        "ferromq",
    ]);
    match process::run(&mut build) {
        Ok(Finished {
            succeeded: true, ..
        }) => {}
        failed => return failed.into(),
    }
    let mut test = workspace::cargo();
    test.args(["test", "--locked", "--package", "ferromq-tests"]);
    test.args(["--test", "interop", "--test", "program"]);
    test.args(filter);
    test.env(PYTHON, python);
    test.env(PROGRAM, workspace::target_dir().join("debug/ferromq"));
    process::run(&mut test).into()
}
