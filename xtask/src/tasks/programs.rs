//! The programs that people run: the workspace's own and the examples'.

use std::path::PathBuf;

use crate::group::Outcome;
use crate::process;
use crate::workspace;

/// Packages with programs that tests talk to.
const PACKAGES: [&str; 4] = [
    "ferromq",
    "example-own-loop",
    "example-programs",
    "example-tokio",
];

/// Builds all of them; answers where they are.
///
/// In one command: what they are made of has the same features then and is compiled
/// once. (Tests have more features and are built apart.)
pub(crate) fn built() -> Result<PathBuf, Outcome> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--bins"]);
    cargo.args(PACKAGES.iter().flat_map(|name| ["--package", name]));
    match process::run(&mut cargo) {
        Ok(finished) if finished.succeeded => Ok(workspace::target_dir().join("debug")),
        failed => Err(failed.into()),
    }
}
