//! The `ferromq` program as a child process.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use crate::Watchdog;

/// Where `cargo xtask interop` says which program to test.
const PROGRAM: &str = "FERROMQ_PROGRAM";

/// A running `ferromq`.
#[derive(Debug)]
pub struct Program {
    process: Child,
    _watchdog: Watchdog,
}

impl Program {
    /// The program under test, or `None` where the tests are not enabled.
    #[must_use]
    pub fn path() -> Option<OsString> {
        std::env::var_os(PROGRAM)
    }

    /// Starts it with these arguments.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or [`path`](Self::path) is `None`.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        let path = Self::path().expect("the program under test is named");
        let process = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        Self {
            process,
            _watchdog: Watchdog::start(),
        }
    }

    /// Reads its standard error up to where it tells what a wildcard became.
    #[must_use]
    pub fn listening_on(&mut self) -> String {
        let mut complaint = String::new();
        let mut stderr = self.process.stderr.take().expect("it is piped");
        let mut byte = [0];
        let endpoint = loop {
            // Byte by byte: what follows stays for `output`.
            stderr
                .read_exact(&mut byte)
                .unwrap_or_else(|_| panic!("it ended: {complaint}"));
            complaint.push(char::from(byte[0]));
            if let Some((_, told)) = complaint.rsplit_once("listening on ")
                && let Some((endpoint, _)) = told.split_once('\n')
            {
                break endpoint.to_owned();
            }
        };
        self.process.stderr = Some(stderr);
        endpoint
    }

    /// Reads one line of its standard output.
    #[must_use]
    pub fn read_line(&mut self) -> Vec<u8> {
        let stdout = self.process.stdout.as_mut().expect("it is piped");
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            // Byte by byte: what follows stays for `output`.
            let mut byte = [0];
            stdout.read_exact(&mut byte).expect("another line");
            line.extend(byte);
        }
        line
    }

    /// Whether it has ended by now.
    #[must_use]
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("it is our child").is_some()
    }

    /// Says that nothing more will be typed in.
    pub fn end_input(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Writes to its standard input.
    pub fn type_in(&mut self, text: &[u8]) {
        let input = self.process.stdin.as_mut().expect("its input is open");
        input
            .write_all(text)
            .and_then(|()| input.flush())
            .expect("the program reads");
    }

    /// Waits for its end; what it wrote to standard output.
    ///
    /// # Panics
    ///
    /// When it fails, with what it wrote to standard error.
    #[must_use]
    pub fn output(mut self) -> Vec<u8> {
        drop(self.process.stdin.take());
        let mut output = Vec::new();
        let mut stdout = self.process.stdout.take().expect("it is piped");
        stdout.read_to_end(&mut output).expect("it can be read");
        let status = self.process.wait().expect("it ends");
        let mut complaint = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            stderr
                .read_to_string(&mut complaint)
                .expect("it can be read");
        }
        assert!(status.success(), "{status}: {complaint}");
        output
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
