//! `cargo xtask test`: every group in order.

use std::process::{Command, ExitCode};

use clap::ValueEnum;

use crate::cli::GroupName;
use crate::group::{Outcome, Tally};
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

pub(crate) fn run(only: &[GroupName], require: &[GroupName]) -> ExitCode {
    setup::debian_packages();
    let mut tally = Tally::default();
    let wanted = |group: &&GroupName| only.is_empty() || only.contains(group);
    let mut groups: Vec<_> = GroupName::value_variants().iter().filter(wanted).collect();
    let mut beside = None;
    // The others leave cores idle: they wait for peers, or have one thread.
    if let Some(at) = groups.iter().position(|it| **it == GroupName::Simulation)
        && groups.len() > 1
    {
        groups.remove(at);
        println!("{:<11} goes on beside what follows", "simulation");
        beside = Some(Beside::begun());
    }
    for group in groups {
        let value = group.to_possible_value();
        let name = value.as_ref().map_or("group", |value| value.get_name());
        tally.run(name, || match check(*group) {
            Outcome::Skipped { why, enable } if require.contains(group) => {
                Outcome::failed(format!("skipped: {why}; to enable it: {enable}"))
            }
            outcome => outcome,
        });
    }
    if let Some(simulation) = beside {
        tally.run("simulation", || simulation.finish());
    }
    tally.finish()
}

/// All that is for real devices.
pub(crate) fn run_rdma() -> ExitCode {
    let mut tally = Tally::default();
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
