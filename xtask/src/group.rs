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

/// A group that was run.
pub(crate) struct Ended {
    name: String,
    seconds: f32,
    outcome: Outcome,
}

impl Ended {
    /// Runs a group, and says that it begins.
    pub(crate) fn of(name: &str, body: impl FnOnce() -> Outcome) -> Self {
        println!("{name:<11} …");
        // What runs shows only at its end: the line above is the sign of life.
        let _ = std::io::stdout().flush();
        let started = Instant::now();
        let outcome = body();
        Self {
            name: name.to_owned(),
            seconds: started.elapsed().as_secs_f32(),
            outcome,
        }
    }
}

/// Counts of groups, and what each took.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Counts,
    /// A line for each group.
    summary: Vec<String>,
    /// Some groups run beside others.
    begun: Instant,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    pub(crate) fn begun() -> Self {
        Self {
            counts: Counts::default(),
            summary: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// Runs one group and prints its line.
    pub(crate) fn run(&mut self, name: &str, body: impl FnOnce() -> Outcome) {
        self.note(Ended::of(name, body));
    }

    /// Prints the line of a group that was run.
    pub(crate) fn note(&mut self, ended: Ended) {
        let Ended {
            name,
            seconds,
            outcome,
        } = ended;
        let ended = match outcome {
            Outcome::Passed => {
                self.counts.passed += 1;
                "passed".to_owned()
            }
            Outcome::Failed(lines) => {
                self.counts.failed += 1;
                println!("──────── output of {name}");
                lines.iter().for_each(|line| println!("{line}"));
                println!("──────── end of output of {name}");
                "FAILED".to_owned()
            }
            Outcome::Skipped { why, enable } => {
                self.counts.skipped += 1;
                format!("skipped: {why}; to enable it: {enable}")
            }
        };
        let line = format!("{name:<11} {seconds:>6.1} s  {ended}");
        println!("{line}");
        self.summary.push(line);
    }

    /// Prints what each group took, if there were several, and the counts in the last
    /// line; says how the process ends.
    pub(crate) fn finish(self) -> ExitCode {
        let Counts {
            passed,
            failed,
            skipped,
        } = self.counts;
        if self.summary.len() > 1 {
            println!("────────");
            self.summary.iter().for_each(|line| println!("{line}"));
            let together = self.begun.elapsed().as_secs_f32();
            println!("{:<11} {together:>6.1} s", "together");
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 || (skipped > 0 && workspace::is_ci()) {
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
        let mut tally = Tally::begun();
        tally.run("good", || Outcome::Passed);
        tally.run("bad", || Outcome::failed("expected by the test"));
        tally.run("absent", || Outcome::skipped("nothing here", "true"));
        assert_eq!(
            tally.counts,
            Counts {
                passed: 1,
                failed: 1,
                skipped: 1
            }
        );
        assert_eq!(tally.summary.len(), 3);
        assert!(tally.summary[1].starts_with("bad"), "{:?}", tally.summary);
        assert!(tally.summary[1].ends_with("FAILED"), "{:?}", tally.summary);
    }
}
