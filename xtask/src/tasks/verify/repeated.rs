//! What other tasks do once, or for a minute, done again and for longer.

use std::process::{Command, ExitCode};

use crate::group::Outcome;
use crate::process;
use crate::reliability::Figures;
use crate::setup;
use crate::tasks::fuzz as fuzzing;
use crate::workspace;

/// The hostile rows, so often.
pub(super) fn hostile(rounds: u64) -> Outcome {
    let mut passed = 0;
    for round in 1..=rounds {
        let mut cargo = workspace::cargo();
        cargo.args(["test", "--locked", "--lib", "--test", "hostile"]);
        // Those of queue pairs are beside the code.
        cargo.args(["--package", "ferromq-tests"]);
        cargo.args(["--package", "ferromq-transport-rdma", "--", "::row_"]);
        match process::run(&mut cargo) {
            Ok(finished) if finished.succeeded => {
                passed = finished.lines.iter().filter(|line| is_row(line)).count();
                println!("hostile: round {round} of {rounds}, {passed} rows' tests passed");
            }
            failed => return failed.into(),
        }
    }
    if passed == 0 {
        return Outcome::failed("no row was tried");
    }
    super::store(Outcome::Passed, "hostile", || {
        let mut figures = Figures::new("hostile: rows of hostile and broken input, as above");
        figures.set("tests of rows", passed);
        figures.set("times that each passed", rounds);
        figures
    })
}

/// A line of libtest's about a row that passed.
fn is_row(line: &str) -> bool {
    let test = line.strip_prefix("test ");
    test.is_some_and(|test| test.contains("::row_") && test.ends_with(" ok"))
}

/// What CURVE's tests say with the cryptography of libsodium.
pub(super) fn libsodium() -> Outcome {
    setup::debian_packages_with_libsodium();
    let mut installed = Command::new("pkg-config");
    if !process::succeeds(installed.args(["--exists", "libsodium"])) {
        let enable = "sudo apt-get install libsodium-dev pkg-config";
        return Outcome::skipped("libsodium is not installed", enable);
    }
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--locked", "--package", "ferromq-mio"]);
    cargo.args(["--features", "libsodium", "--lib", "--test", "scenarios"]);
    cargo.args(["--", "security", "curve"]);
    let finished = match process::run(&mut cargo) {
        Ok(finished) if finished.succeeded => finished,
        failed => return failed.into(),
    };
    let has_passed = |line: &&String| line.starts_with("test ") && line.ends_with(" ok");
    let passed = finished.lines.iter().filter(has_passed).count();
    super::store(Outcome::Passed, "libsodium", || {
        let mut figures = Figures::new("libsodium: CURVE with the system's cryptography");
        figures.set("tests that passed", passed);
        figures
    })
}

/// Every fuzz target, for so many minutes. Its figures are its own task's.
pub(super) fn fuzz(minutes: u64) -> Outcome {
    if !process::succeeds(Command::new("g++").arg("--version")) {
        return Outcome::skipped("libFuzzer is C++", "sudo apt-get install g++");
    }
    match fuzzing::run(minutes, None, None) {
        Ok(code) if code == ExitCode::SUCCESS => Outcome::Passed,
        Ok(_) => Outcome::failed("the lines above say which target, and how to see it"),
        Err(cause) => Outcome::failed(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_passed_are_told_from_the_rest() {
        assert!(is_row("test framing::row_12_a_frame_of_2_40_bytes ... ok"));
        assert!(!is_row(
            "test framing::row_12_a_frame_of_2_40_bytes ... FAILED"
        ));
        assert!(!is_row("test lists::the_lists_are_current ... ok"));
    }
}
