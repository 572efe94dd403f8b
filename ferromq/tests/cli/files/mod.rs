//! `ferromq send` and `ferromq receive`: files arrive whole or not at all,
//! whatever happens on the way, and whoever is on the other side.

mod arriving;
mod hostile;
mod hostile_receiver;
mod raw;
mod refused;
mod resumed;
#[cfg(target_os = "linux")]
mod switched;
mod wire;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;

use crate::program::{Program, WATCHDOG};

/// A scratch directory with one to send from and one to receive into.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.0.path().join("from")).unwrap();
        std::fs::create_dir(place.inbox()).unwrap();
        place
    }

    fn inbox(&self) -> PathBuf {
        self.0.path().join("inbox")
    }

    /// A path to send from.
    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join("from").join(name)
    }

    /// A file to send.
    fn file(&self, name: impl AsRef<Path>, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn endpoint(&self) -> String {
        format!("ipc://{}", self.0.path().join("socket").display())
    }

    /// A receiver on tcp, and where it listens.
    fn receiver(&self, rest: &str) -> (Program, String) {
        let inbox = self.inbox();
        Program::bind(&format!(
            "receive --at tcp://127.0.0.1:* --into {} {rest}",
            inbox.display()
        ))
    }

    /// What was received under the name.
    fn received(&self, name: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.inbox().join(name)).unwrap()
    }

    /// All names in the directory to receive into.
    fn names(&self) -> Vec<OsString> {
        let entries = std::fs::read_dir(self.inbox()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    /// The length of the only partial file; 0 when there is none.
    fn partial_len(&self) -> u64 {
        let partial = |name: &&OsString| name.to_string_lossy().ends_with(".ferromq-part");
        let names = self.names();
        let found: Vec<_> = names.iter().filter(partial).collect();
        assert!(found.len() < 2, "{found:?}");
        // It may be gone by now.
        let metadata = |name: &&OsString| std::fs::metadata(self.inbox().join(name)).ok();
        found
            .first()
            .and_then(metadata)
            .map_or(0, |found| found.len())
    }
}

fn send(paths: &[&Path], to: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferromq"));
    command.arg("send").args(paths).args(["--to", to]);
    Program::of(command.stdout(Stdio::piped()))
}

/// Bytes that do not repeat, other ones for each seed.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Waits for a condition, giving others the core in between.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < WATCHDOG, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
