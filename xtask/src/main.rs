//! The one tool runner of this repository: what CI does, a newcomer does.
//!
//! ```text
//!   cargo xtask test ──► setup ──► groups, in order ──► "N passed, N failed, N skipped"
//!                        apt, venv   one line each
//! ```
//!
//! Nothing here is needed to build or to use FerroMQ; it only drives cargo,
//! python3 and, where it is installed, cargo-fuzz.

mod cli;
mod group;
mod process;
mod reliability;
mod setup;
mod tasks;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match tasks::run(arguments.task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
