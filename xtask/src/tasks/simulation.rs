//! The simulator of whole sockets: for a while, or for millions of schedules.

use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::thread::{self, JoinHandle};

use crate::cli::SimulationOptions;
use crate::group::Outcome;
use crate::tasks::verify::with_figures;
use crate::{process, workspace};

/// Of the short form: one core's work, 90 seconds of two.
const SHORT: u64 = 180;

/// As many schedules as fit, the same ones each time.
pub(crate) fn check() -> Outcome {
    simulate(&["--core-seconds", &SHORT.to_string()])
}

/// The same, beside other groups: it takes what they leave of the machine.
pub(crate) struct Beside(JoinHandle<io::Result<Output>>);

impl Beside {
    /// Begins to build it, and then to run it.
    pub(crate) fn begun() -> Self {
        let simulation = command(&["--core-seconds", &SHORT.to_string()]);
        let mut idle = with_what_is_left();
        idle.arg(simulation.get_program())
            .args(simulation.get_args());
        for (name, value) in simulation.get_envs() {
            match value {
                Some(value) => idle.env(name, value),
                None => idle.env_remove(name),
            };
        }
        idle.current_dir(workspace::root());
        Self(thread::spawn(move || idle.output()))
    }

    /// Waits for what is left of it.
    pub(crate) fn finish(self) -> Outcome {
        match self.0.join() {
            Ok(Ok(output)) => outcome(&output),
            Ok(Err(error)) => Outcome::failed(error),
            Err(_) => Outcome::failed("nobody waited for it"),
        }
    }
}

/// Begins a command line that runs on what the others leave of the machine.
fn with_what_is_left() -> Command {
    let chrt = || {
        let mut chrt = Command::new("chrt");
        chrt.args(["--idle", "0"]);
        chrt
    };
    // The scheduler's class for what has time: it gives way at once, not after a slice.
    if process::succeeds(chrt().arg("true")) {
        return chrt();
    }
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]);
    nice
}

/// What it said, in one piece.
fn outcome(output: &Output) -> Outcome {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    if output.status.success() {
        lines.next().into_iter().for_each(|it| println!("    {it}"));
        return Outcome::Passed;
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Outcome::failed(format!("{errors}{text}({})", output.status))
}

/// As many schedules as the options say, from a seed on.
pub(crate) fn check_many(options: &SimulationOptions, seed: u64) -> Outcome {
    let (schedules, seed) = (options.schedules.to_string(), seed.to_string());
    let counted = |file: &Path| {
        let file = file.to_string_lossy();
        let arguments = ["--schedules", &schedules, "--seed", &seed];
        simulate(&[&arguments[..], &["--figures", &file]].concat())
    };
    let what = "simulation: whole sockets over a virtual network and clock";
    with_figures("simulation", what, counted)
}

fn command(arguments: &[&str]) -> Command {
    let mut cargo = workspace::cargo();
    cargo
        .args(["run", "--quiet", "--release", "--locked"])
        .args(["--package", "ferromq-simulation", "--"])
        .args(arguments);
    cargo
}

fn simulate(arguments: &[&str]) -> Outcome {
    // It says by itself how it goes on.
    match process::run_in_the_open(&mut command(arguments)) {
        Ok(true) => Outcome::Passed,
        Ok(false) => Outcome::failed("the lines above say which schedule, and how to see it"),
        Err(error) => Outcome::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_beside_others_is_told_in_one_piece() {
        let said = |script: &str| {
            let output = Command::new("sh").args(["-c", script]).output();
            outcome(&output.expect("sh runs"))
        };
        assert!(matches!(said("echo 7 schedules"), Outcome::Passed));
        let Outcome::Failed(lines) = said("echo seed 7; echo why >&2; exit 1") else {
            panic!("that is no success");
        };
        assert_eq!(lines, ["why", "seed 7", "(exit status: 1)"]);
    }
}
