//! The loom models: the lock-free code under every interleaving.

use crate::group::Outcome;
use crate::process::{self, Finished};
use crate::workspace;

/// Builds the runtime against loom's atomics and runs its models, the tests in
/// modules called `models`.
///
/// Everything is compiled anew under `--cfg loom`, so in a target directory of
/// its own: else each run would undo the other builds.
pub(crate) fn check() -> Outcome {
    let mut command = workspace::cargo();
    command.args([
        "test",
        "--locked",
        "--release",
        "--package",
        "ferromq-mio",
        "--lib",
        "models",
    ]);
    command.env("RUSTFLAGS", "--cfg loom");
    command.env("CARGO_TARGET_DIR", workspace::target_dir().join("loom"));
    // The models are small: link-time optimisation would cost more than it saves.
    command.env("CARGO_PROFILE_RELEASE_LTO", "off");
    command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    match process::run(&mut command) {
        Ok(Finished {
            succeeded: true,
            lines,
        }) if models_run(&lines) == 0 => Outcome::failed("no model was run"),
        finished => finished.into(),
    }
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
    fn passed_tests_are_summed_over_binaries() {
        let lines = [
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out",
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out",
        ];
        assert_eq!(models_run(&lines.map(str::to_owned)), 2);
    }
}
