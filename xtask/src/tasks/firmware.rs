//! Builds firmware for a Cortex-M4.
//!
//! Where rustup has the target, that is all. Elsewhere Debian's `rustc-web` can do
//! it, from the sources of `core`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::group::Outcome;
use crate::process::{self, Finished};
use crate::tasks::debian_rust::{self, DebianRust};
use crate::workspace;

/// Cortex-M4 without its floating-point unit, which we do not need.
const TARGET: &str = "thumbv7em-none-eabi";
const RUST: &str = "rustup target add thumbv7em-none-eabi";
const QEMU: &str = "qemu-system-arm";

/// Builds the firmware of a folder whose package is called `package`. Without QEMU
/// to run it in it is skipped.
pub(crate) fn build(folder: &str, package: &str) -> Result<PathBuf, Outcome> {
    if !process::succeeds(Command::new(QEMU).arg("--version")) {
        let enable = format!("sudo apt-get install {QEMU}");
        return Err(Outcome::skipped(format!("{QEMU} is missing"), enable));
    }
    let target_dir = workspace::target_dir().join("firmware");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--release", "--target", TARGET]);
    cargo.arg("--manifest-path");
    cargo.arg(workspace::root().join(folder).join("Cargo.toml"));
    cargo.env("CARGO_TARGET_DIR", &target_dir);
    let ours = sysroot().join("lib/rustlib");
    if !ours.join(TARGET).exists() {
        let debian = debian_rust::unpacked().map_err(|error| {
            let why = format!("Rust has no target {TARGET}, and Debian's no help: {error}");
            Outcome::skipped(why, RUST)
        })?;
        build_core(&mut cargo, &debian);
        cargo.env("CARGO_TARGET_THUMBV7EM_NONE_EABI_LINKER", linker(&ours));
    }
    match process::run(&mut cargo) {
        Ok(Finished {
            succeeded: true, ..
        }) => Ok(target_dir.join(TARGET).join("release").join(package)),
        failed => Err(failed.into()),
    }
}

/// Makes `cargo` use Debian's compiler, and build `core` with it.
fn build_core(cargo: &mut Command, debian: &DebianRust) {
    cargo.arg("-Zbuild-std=core");
    cargo.env("RUSTC_BOOTSTRAP", "1"); // build-std is for nightly only
    cargo.env("RUSTC", &debian.rustc);
    cargo.env("LD_LIBRARY_PATH", &debian.libraries);
}

/// Where the Rust in use is.
fn sysroot() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output();
    let path = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    PathBuf::from(path.unwrap_or_default())
}

/// A linker for other processors: Rust's own, or else Debian's of that name.
fn linker(rustlib: &Path) -> PathBuf {
    let rust_lld = rustlib.join(debian_rust::HOST).join("bin/rust-lld");
    if rust_lld.exists() {
        rust_lld
    } else {
        PathBuf::from("ld.lld")
    }
}
