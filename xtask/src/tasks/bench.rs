//! `cargo xtask bench`: the benchmark program, a workspace of its own because
//! it builds libzmq (C++) to compare with.

use std::io;
use std::process::ExitCode;

use crate::process;
use crate::setup;
use crate::workspace;

pub(crate) fn run(quick: bool, arguments: &[String]) -> io::Result<ExitCode> {
    setup::debian_packages();
    let mut bench = workspace::cargo();
    bench.args(["run", "--locked", "--release", "--manifest-path"]);
    bench
        .arg(workspace::root().join("bench/Cargo.toml"))
        .arg("--");
    bench.args(quick.then_some("--quick")).args(arguments);
    let succeeded = process::run_in_the_open(&mut bench)?;
    Ok(if succeeded {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
