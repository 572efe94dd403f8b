//! A group of tests, its outcome, and the tally of a run.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use crate::process::Finished;
use crate::workspace;

/// How a group ended.
pub(crate) enum Outcome {
    Passed,
    /// With what there is to show for it.
    Failed(Vec<String>),
    /// It cannot run here: why, and the command that changes that.
    Skipped {
        why: String,
        enable: String,
    },
}

impl Outcome {
    pub(crate) fn skipped(why: impl Into<String>, enable: impl Into<String>) -> Self {
        Self::Skipped {
            why: why.into(),
            enable: enable.into(),
        }
    }

    pub(crate) fn failed(reason: impl ToString) -> Self {
        Self::Failed(reason.to_string().lines().map(str::to_owned).collect())
    }
}

impl From<std::io::Result<Finished>> for Outcome {
    fn from(finished: std::io::Result<Finished>) -> Self {
        match finished {
            Ok(Finished {
                succeeded: true, ..
            }) => Self::Passed,
            Ok(Finished { lines, .. }) => Self::Failed(lines),
            Err(error) => Self::failed(error),
        }
    }
}

/// Counts of groups.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    /// Runs one group and prints its line.
    pub(crate) fn run(&mut self, name: &str, body: impl FnOnce() -> Outcome) {
        println!("{name:<10} …");
        // What runs shows only at its end: the line above is the sign of life.
        let _ = std::io::stdout().flush();
        let started = Instant::now();
        let outcome = body();
        let seconds = started.elapsed().as_secs_f32();
        match outcome {
            Outcome::Passed => {
                self.passed += 1;
                println!("{name:<10} {seconds:>6.1} s  passed");
            }
            Outcome::Failed(lines) => {
                self.failed += 1;
                println!("──────── output of {name}");
                lines.iter().for_each(|line| println!("{line}"));
                println!("──────── end of output of {name}");
                println!("{name:<10} {seconds:>6.1} s  FAILED");
            }
            Outcome::Skipped { why, enable } => {
                self.skipped += 1;
                println!("{name:<10} {seconds:>6.1} s  skipped: {why}; to enable it: {enable}");
            }
        }
    }

    /// Prints the last line and says how the process ends.
    pub(crate) fn finish(self) -> ExitCode {
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
        if self.failed > 0 || (self.skipped > 0 && workspace::is_ci()) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_counted_once() {
        let mut tally = Tally::default();
        tally.run("good", || Outcome::Passed);
        tally.run("bad", || Outcome::failed("expected by the test"));
        tally.run("absent", || Outcome::skipped("nothing here", "true"));
        assert_eq!(
            tally,
            Tally {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
    }
}
