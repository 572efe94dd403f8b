//! `cargo xtask fuzz`: each target for some minutes.

use std::io;
use std::process::{Command, ExitCode};

use crate::process;
use crate::workspace;

pub(crate) fn run(minutes: u64, target: Option<&str>) -> io::Result<ExitCode> {
    let ready = process::succeeds(workspace::cargo_of("nightly").args(["fuzz", "--version"]));
    if !ready {
        println!("fuzzing needs nightly Rust and cargo-fuzz; to install them:");
        println!("  rustup toolchain install nightly --profile minimal");
        println!("  cargo install --locked cargo-fuzz");
        return Ok(if workspace::is_ci() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        });
    }
    let targets = match target {
        Some(name) => vec![name.to_owned()],
        None => targets()?,
    };
    let mut code = ExitCode::SUCCESS;
    for name in targets {
        println!("fuzz {name}: {minutes} min");
        let mut fuzz = workspace::cargo_of("nightly");
        fuzz.args(["fuzz", "run", &name, "--"]);
        fuzz.arg(format!("-max_total_time={}", minutes.saturating_mul(60)));
        if !process::run_in_the_open(&mut fuzz)? {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn targets() -> io::Result<Vec<String>> {
    let mut list: Command = workspace::cargo_of("nightly");
    let output = list.args(["fuzz", "list"]).output()?;
    let names = String::from_utf8_lossy(&output.stdout);
    Ok(names.lines().map(str::to_owned).collect())
}
