//! What lasts: the checks of tests/endurance, each in a process of its own.

use std::path::Path;

use crate::cli::EnduranceOptions;
use crate::group::Outcome;
use crate::process;
use crate::workspace;

use super::with_figures;

pub(super) fn connections(options: &EnduranceOptions, seed: u64) -> Outcome {
    let count = options.connections.to_string();
    let what = "connections: idle ones to one socket, twice, over tcp";
    run("connections", what, &["--count", &count], seed)
}

pub(super) fn kills(options: &EnduranceOptions, seed: u64) -> Outcome {
    let count = options.peers_killed.to_string();
    let over_shm = options.peers_killed_over_shm.to_string();
    let what = "kills: peers ended by `kill -9`, over tcp, ipc and shm";
    let arguments = ["--count", &count, "--over-shm", &over_shm];
    run("kills", what, &arguments, seed)
}

pub(super) fn descriptors(seed: u64) -> Outcome {
    let what = "descriptors: none for the process (EMFILE), none for the machine (ENFILE)";
    run("descriptors", what, &[], seed)
}

pub(super) fn storm(options: &EnduranceOptions, seed: u64) -> Outcome {
    let connectors = options.connectors.to_string();
    let what = "storm: a listener that goes and comes back";
    run("storm", what, &["--connectors", &connectors], seed)
}

pub(super) fn soak(options: &EnduranceOptions, seed: u64) -> Outcome {
    let seconds = options.soak_seconds.to_string();
    let what = "soak: clients of every pattern that come and go, over tcp, ipc and inproc";
    run("soak", what, &["--seconds", &seconds], seed)
}

fn run(check: &str, what: &str, arguments: &[&str], seed: u64) -> Outcome {
    let mut build = workspace::cargo();
    build.args(["build", "--locked", "--release"]);
    build.args(["--package", "ferromq-endurance"]);
    // Peers over shm die at labelled points, too.
    build.args(["--features", "kill-points"]);
    match Outcome::from(process::run(&mut build)) {
        Outcome::Passed => {}
        failed => return failed,
    }
    with_figures(check, what, |file| {
        let program = workspace::target_dir().join("release/ferromq-endurance");
        match said(&program, check, arguments, seed, file) {
            Ok(outcome) => outcome,
            Err(cause) => Outcome::failed(cause),
        }
    })
}

fn said(
    program: &Path,
    check: &str,
    arguments: &[&str],
    seed: u64,
    file: &Path,
) -> std::io::Result<Outcome> {
    let mut command = std::process::Command::new(program);
    command.arg(check).args(arguments);
    command.args(["--seed", &seed.to_string()]);
    command.arg("--figures").arg(file);
    // It says by itself how it goes on.
    let status = command.status()?;
    Ok(match status.code() {
        Some(0) => Outcome::Passed,
        // As automake's tests do.
        Some(77) => Outcome::skipped(
            "the line above says what is missing",
            "a higher hard limit on descriptors (ulimit -Hn)",
        ),
        _ => Outcome::failed(format!("{status}; the lines above say why")),
    })
}
