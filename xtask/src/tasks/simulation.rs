//! The simulator of whole sockets: for a while, or for millions of schedules.

use std::path::Path;

use crate::cli::SimulationOptions;
use crate::group::Outcome;
use crate::tasks::verify::with_figures;
use crate::{process, workspace};

/// Seconds of the short form.
const SHORT: u64 = 45;

/// As many schedules as fit, the same ones each time.
pub(crate) fn check() -> Outcome {
    simulate(&["--seconds", &SHORT.to_string()])
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

fn simulate(arguments: &[&str]) -> Outcome {
    let mut cargo = workspace::cargo();
    cargo
        .args(["run", "--quiet", "--release", "--locked"])
        .args(["--package", "ferromq-simulation", "--"])
        .args(arguments);
    // It says by itself how it goes on.
    match process::run_in_the_open(&mut cargo) {
        Ok(true) => Outcome::Passed,
        Ok(false) => Outcome::failed("the lines above say which schedule, and how to see it"),
        Err(error) => Outcome::failed(error),
    }
}
