//! The tests of what has `unsafe` in it, under AddressSanitizer, with its search for
//! leaks at each program's end.
//!
//! The flag is for developers of the compiler, but the compiler in use has it, and
//! brings the sanitizer's library: it is let to by an environment variable.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::group::Outcome;
use crate::process;
use crate::reliability::Figures;
use crate::workspace;

/// The only one for which the library is always there.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const FLAGS: &str = "-Zsanitizer=address";
/// Packages whose tests run, those of which that are there.
const PACKAGES: [(&str, &str); 5] = [
    ("ferromq-transport", "transport"),
    ("ferromq-transport-tcp", "transport-tcp"),
    ("ferromq-transport-shm", "transport-shm"),
    ("ferromq-transport-rdma", "transport-rdma"),
    ("ferromq-mio", "runtime-mio"),
];
/// Tests that leak on purpose, to see that a suite notices.
const LEFT_OUT: [&str; 2] = ["a_listener_that_stays", "a_file_that_stays"];

pub(super) fn check() -> Outcome {
    if !is_there() {
        return Outcome::skipped(
            "the Rust in use has no AddressSanitizer",
            format!("the toolchain of rustup for {TARGET}"),
        );
    }
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--locked", "--lib", "--tests", "--no-fail-fast"]);
    cargo.args(["--target", TARGET]);
    for (package, folder) in PACKAGES {
        if workspace::root().join(folder).exists() {
            cargo.args(["--package", package]);
        }
    }
    cargo.args(["--"]);
    for test in LEFT_OUT {
        cargo.args(["--skip", test]);
    }
    cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
    cargo.env("CARGO_TARGET_DIR", workspace::target_dir().join("asan"));
    // A body that is longer than memory is an error, and tested to be one.
    cargo.env("ASAN_OPTIONS", "allocator_may_return_null=1");
    let finished = match process::run(&mut cargo) {
        Ok(finished) if finished.succeeded => finished,
        failed => return failed.into(),
    };
    let tests = finished
        .lines
        .iter()
        .filter(|line| has_passed(line))
        .count();
    super::store(Outcome::Passed, "sanitizers", || {
        let mut figures = Figures::new(
            "sanitizers: tests of transports and runtime under AddressSanitizer and LeakSanitizer",
        );
        figures.set("tests that passed", tests);
        figures
    })
}

fn has_passed(line: &str) -> bool {
    line.starts_with("test ") && line.ends_with(" ... ok")
}

/// Whether a program can be built and linked with it.
fn is_there() -> bool {
    let Ok(folder) = tempfile::tempdir() else {
        return false;
    };
    let mut rustc = Command::new("rustc");
    rustc.args([FLAGS, "--target", TARGET, "-", "-o"]);
    rustc.arg(folder.path().join("probe"));
    rustc.env("RUSTC_BOOTSTRAP", "1");
    rustc.stdin(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = rustc.spawn() else {
        return false;
    };
    let source = child.stdin.take();
    let written = source.is_some_and(|mut source| source.write_all(b"fn main() {}").is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
}
