//! The loom models: the lock-free code under every interleaving.

use std::process::Command;

use crate::group::Outcome;
use crate::process::{self, Finished};
use crate::reliability::Figures;
use crate::workspace;

/// Builds the runtime and the rings against loom's atomics and runs its models, the tests in
/// modules called `models`.
///
/// Everything is compiled anew under `--cfg loom`, so in a target directory of
/// its own: else each run would undo the other builds.
pub(crate) fn check() -> Outcome {
    let mut command = command();
    match process::run(&mut command) {
        Ok(Finished {
            succeeded: true,
            lines,
        }) if models_run(&lines) == 0 => Outcome::failed("no model was run"),
        finished => finished.into(),
    }
}

/// The same with one preemption more, for so many seconds a model at most.
pub(crate) fn check_long(seconds: u64) -> Outcome {
    let mut command = command();
    command.args(["--", "--nocapture"]);
    command.env("FERROMQ_MODEL_SECONDS", seconds.to_string());
    let finished = match process::run(&mut command) {
        Ok(finished) if finished.succeeded => finished,
        failed => return failed.into(),
    };
    let interleavings: u64 = finished.lines.iter().filter_map(|it| explored(it)).sum();
    let models = models_run(&finished.lines);
    if models == 0 || interleavings == 0 {
        return Outcome::failed("no model was run");
    }
    let mut figures = Figures::new("loom: the lock-free code under its models' interleavings");
    figures.tool("loom 0.7");
    figures.set("tests of models, with planted bugs that they find", models);
    figures.set("interleavings explored", interleavings);
    match figures.store("loom") {
        Ok(()) => Outcome::Passed,
        Err(cause) => Outcome::failed(cause),
    }
}

/// Interleavings, from a line of a model that found nothing.
fn explored(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("explored ")?;
    rest.strip_suffix(" interleavings")?.parse().ok()
}

fn command() -> Command {
    let mut command = workspace::cargo();
    command.args([
        "test",
        "--locked",
        "--release",
        "--package",
        "ferromq-mio",
        "--package",
        "ferromq-transport-shm",
        "--lib",
        "models",
    ]);
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", workspace::target_dir().join("loom"));
    // The models are small, and most of their time is the system's: what makes programs
    // fast would cost more than it saves.
    for (name, value) in [
        ("LTO", "off"),
        ("CODEGEN_UNITS", "16"),
        ("OPT_LEVEL", "1"),
        ("DEBUG", "false"),
    ] {
        command.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    command
}

/// Models that passed, from the lines that libtest ends each binary with.
fn models_run(lines: &[String]) -> u32 {
    let passed = |line: &String| -> Option<u32> {
        line.strip_prefix("test result: ok. ")?
            .split(' ')
            .next()?
            .parse()
            .ok()
    };
    lines.iter().filter_map(passed).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleavings_are_those_that_a_model_tells() {
        assert_eq!(explored("explored 36561 interleavings"), Some(36_561));
        assert_eq!(explored("test a ... explored 7 interleavings"), Some(7));
        assert_eq!(explored("test result: ok. 2 passed"), None);
    }

    #[test]
    fn passed_tests_are_summed_over_binaries() {
        let lines = [
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out",
        ];
        assert_eq!(models_run(&lines.map(str::to_owned)), 2);
    }
}
