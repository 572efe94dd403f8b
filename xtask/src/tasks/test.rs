//! `cargo xtask test`: every group, most of them in order.

use std::process::{Command, ExitCode};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;

use crate::cli::GroupName;
use crate::group::{Ended, Outcome, Tally};
use crate::process;
use crate::setup;
use crate::tasks::simulation::Beside;
use crate::tasks::{
    examples, freestanding, guard, interop, loom, manual, python, rdma, simulation,
};
use crate::workspace;

/// Packages with a manifest of their own, outside the workspace.
const OUTSIDERS: [&str; 6] = [
    "python",
    "bench",
    "fuzz",
    "freestanding",
    "examples/freestanding",
    "examples/cortex-m4",
];

/// Those that leave a core idle: one program, or a machine of one processor.
const NARROW: [GroupName; 2] = [GroupName::Python, GroupName::Rdma];
/// From this one on they run: others have built and installed what they have in common.
const NARROW_FROM: GroupName = GroupName::Loom;

pub(crate) fn run(only: &[GroupName], require: &[GroupName]) -> ExitCode {
    setup::debian_packages();
    let mut tally = Tally::begun();
    let wanted = |group: &GroupName| only.is_empty() || only.contains(group);
    let mut groups: Vec<_> = GroupName::value_variants().to_vec();
    groups.retain(wanted);
    // Tests wait for peers: what they leave of the machine is the simulation's.
    let simulation = take_beside(&mut groups, &[GroupName::Simulation]);
    let simulation = (!simulation.is_empty()).then(|| {
        println!("{:<11} goes on beside what follows", "simulation");
        Beside::begun()
    });
    let narrow = take_beside(&mut groups, &NARROW);
    let ended = |group: GroupName| {
        Ended::of(&name(group), || match check(group) {
            Outcome::Skipped { why, enable } if require.contains(&group) => {
                Outcome::failed(format!("skipped: {why}; to enable it: {enable}"))
            }
            outcome => outcome,
        })
    };
    let (first, then): (Vec<_>, Vec<_>) = groups.iter().partition(|it| **it < NARROW_FROM);
    for group in first {
        tally.note(ended(group));
    }
    let shared = Mutex::new(&mut tally);
    let note = |group: GroupName| {
        let ended = ended(group);
        shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note(ended);
    };
    let lane = std::thread::scope(|scope| {
        let lane = scope.spawn(|| {
            process::speak_as("beside: ");
            narrow.into_iter().for_each(note);
        });
        then.into_iter().for_each(note);
        lane.join()
    });
    if lane.is_err() {
        tally.run("beside", || Outcome::failed("a group of it panicked"));
    }
    if let Some(simulation) = simulation {
        tally.run("simulation", || simulation.finish());
    }
    tally.finish()
}

/// Takes those groups out that are to go on beside the others, if there are others.
fn take_beside(groups: &mut Vec<GroupName>, which: &[GroupName]) -> Vec<GroupName> {
    let (beside, others): (Vec<_>, Vec<_>) = groups.iter().partition(|it| which.contains(it));
    if others.is_empty() {
        return Vec::new();
    }
    *groups = others;
    beside
}

fn name(group: GroupName) -> String {
    let value = group.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// All that is for real devices.
pub(crate) fn run_rdma() -> ExitCode {
    let mut tally = Tally::begun();
    for (name, suite) in rdma::SUITES {
        tally.run(name, || rdma::check(suite));
    }
    tally.run("python", rdma::check_python);
    tally.finish()
}

fn check(group: GroupName) -> Outcome {
    match group {
        GroupName::Format => format(),
        GroupName::Clippy => clippy(),
        GroupName::Tests => cargo(&["test", "--locked", "--workspace", "--all-targets"]),
        GroupName::Doctests => cargo(&["test", "--locked", "--workspace", "--doc"]),
        GroupName::Docs => docs(),
        GroupName::Manual => manual::check(),
        GroupName::Loom => loom::check(),
        GroupName::Simulation => simulation::check(),
        GroupName::NoStd => freestanding::check(),
        GroupName::Interop => interop::check(None),
        GroupName::Examples => examples::check(None),
        GroupName::Firmware => examples::check_firmware(),
        GroupName::Guard => guard::check(),
        GroupName::Python => python::check(),
        GroupName::Rdma => rdma::check(rdma::SHORT),
    }
}

fn cargo(arguments: &[&str]) -> Outcome {
    process::run(workspace::cargo().args(arguments)).into()
}

fn format() -> Outcome {
    if let Some(absent) = absent_component("fmt", "rustfmt") {
        return absent;
    }
    let mut command = workspace::cargo();
    command.args(["fmt", "--all", "--check"]);
    let mut outcome: Outcome = process::run(&mut command).into();
    for package in OUTSIDERS {
        let manifest = workspace::root().join(package).join("Cargo.toml");
        if matches!(outcome, Outcome::Passed) && manifest.exists() {
            let mut command = workspace::cargo();
            command
                .args(["fmt", "--check", "--manifest-path"])
                .arg(manifest);
            outcome = process::run(&mut command).into();
        }
    }
    outcome
}

fn clippy() -> Outcome {
    if let Some(absent) = absent_component("clippy", "clippy") {
        return absent;
    }
    let clippy = |arguments: &[&str]| -> Outcome {
        let mut command = workspace::cargo();
        command
            .args(["clippy", "--locked"])
            .args(arguments)
            .args(["--", "-D", "warnings"]);
        // The packages outside the workspace share its target directory.
        command.env("CARGO_TARGET_DIR", workspace::target_dir());
        process::run(&mut command).into()
    };
    match clippy(&["--workspace", "--all-targets"]) {
        Outcome::Passed => {}
        failed => return failed,
    }
    match clippy(&["--manifest-path", "freestanding/Cargo.toml"]) {
        Outcome::Passed => clippy(&["--manifest-path", "examples/freestanding/Cargo.toml"]),
        failed => failed,
    }
}

fn docs() -> Outcome {
    let mut command = workspace::cargo();
    command.args(["doc", "--locked", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    process::run(&mut command).into()
}

/// A distribution's Rust may come without rustfmt and clippy.
fn absent_component(subcommand: &str, component: &str) -> Option<Outcome> {
    let present = process::succeeds(
        Command::new("cargo")
            .args([subcommand, "--version"])
            .current_dir(workspace::root()),
    );
    (!present).then(|| {
        Outcome::skipped(
            format!("cargo {subcommand} is not installed"),
            format!("rustup component add {component}"),
        )
    })
}
