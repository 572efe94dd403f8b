//! Real ZeroMQ on the other end: the tests that need pyzmq.

use crate::group::Outcome;
use crate::process;
use crate::setup;
use crate::tasks::programs;
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
    let programs = match programs::built() {
        Ok(folder) => folder,
        Err(failed) => return failed,
    };
    // Of the whole workspace, as the group `tests` builds them.
    let mut test = workspace::cargo();
    test.args(["test", "--locked", "--workspace"]);
    test.args(["--test", "interop", "--test", "program"]);
    test.args(filter);
    test.env(PYTHON, python);
    test.env(PROGRAM, programs.join("ferromq"));
    process::run(&mut test).into()
}
