//! The proof that `wire` and `patterns` need neither std nor an allocator: a
//! program that has none links, runs and exchanges a message.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::group::Outcome;
use crate::process;
use crate::workspace;

/// The one platform whose system calls the program knows.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A static program without libc and without start-up code: whatever would
/// need std or an allocator does not link.
const LINK: [&str; 8] = [
    "-C",
    "link-arg=-nostartfiles",
    "-C",
    "link-arg=-nostdlib",
    "-C",
    "link-arg=-static",
    "-C",
    "relocation-model=static",
];

pub(crate) fn check() -> Outcome {
    build("freestanding", "freestanding").map_or_else(|not_built| not_built, |it| start(&it))
}

/// Builds the program of a folder whose package is called `package`.
pub(crate) fn build(folder: &str, package: &str) -> Result<PathBuf, Outcome> {
    if !cfg!(all(
        target_arch = "x86_64",
        target_os = "linux",
        target_env = "gnu"
    )) {
        let enable = "run it on such a machine";
        return Err(Outcome::skipped("it is written for x86_64 Linux", enable));
    }
    let target_dir = workspace::target_dir().join("freestanding");
    let built = process::run(
        workspace::cargo()
            .args(["rustc", "--locked", "--release", "--manifest-path"])
            .arg(workspace::root().join(folder).join("Cargo.toml"))
            .args(["--target", TARGET, "--"])
            .args(LINK)
            .env("CARGO_TARGET_DIR", &target_dir),
    );
    match built {
        Ok(finished) if finished.succeeded => {
            Ok(target_dir.join(TARGET).join("release").join(package))
        }
        failed => Err(failed.into()),
    }
}

fn start(program: &Path) -> Outcome {
    match Command::new(program).status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::failed(format!(
            "{} ended with {status}: the exit code is the step that failed",
            program.display()
        )),
        Err(error) => Outcome::failed(format!("cannot run {}: {error}", program.display())),
    }
}
