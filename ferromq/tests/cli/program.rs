//! The built program as a child process whose every word can be waited for.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Longest wait for anything: only a hang lasts so long.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(60);

/// A running program. Dropping it ends it.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    command: String,
}

/// How a program ended, and what it printed that nobody had taken yet.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

/// Whether connections move to shared memory.
pub(crate) const SWITCH: &str = "FERROMQ_SWITCH";

impl Program {
    /// Starts `ferromq` with arguments as on a command line without quotes.
    pub(crate) fn start(line: &str) -> Self {
        Self::start_with(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub(crate) fn start_with(args: &[&str]) -> Self {
        Self::spawn(args, Stdio::piped())
    }

    /// Starts with standard output somewhere else.
    pub(crate) fn spawn(args: &[&str], stdout: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferromq"));
        command.args(args).stdout(stdout);
        Self::of(&mut command)
    }

    /// Starts with temporary files in `directory`.
    pub(crate) fn start_in(directory: &Path, line: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ferromq"));
        command.args(line.split_whitespace());
        command.env("TMPDIR", directory).stdout(Stdio::piped());
        Self::of(&mut command)
    }

    /// Starts any command, with standard output as it says. Most tests are about the
    /// connections that they ask for: those stay where they are, unless the command's
    /// environment says otherwise.
    pub(crate) fn of(command: &mut Command) -> Self {
        if command.get_envs().all(|(name, _)| name != SWITCH) {
            command.env(SWITCH, "0");
        }
        let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map_or_else(|| channel().1, lines_of);
        let stderr = lines_of(child.stderr.take().expect("stderr is piped"));
        let command = format!("{command:?}");
        Self {
            child,
            stdin,
            stdout,
            stderr,
            command,
        }
    }

    /// Starts and binds; gives the endpoint that it tells.
    pub(crate) fn bind(line: &str) -> (Self, String) {
        let mut program = Self::start(line);
        let told = program.error_line();
        let endpoint = told.strip_prefix("ferromq: listening on ");
        let endpoint = endpoint
            .unwrap_or_else(|| panic!("no endpoint but {told:?}"))
            .to_owned();
        (program, endpoint)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the program is ours")
            .is_some()
    }

    /// Sends a signal: `INT`, `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        assert!(send_signal(self.child.id(), signal));
    }

    /// Writes to standard input.
    pub(crate) fn say(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(text.as_bytes()).expect("the program reads");
    }

    /// Ends standard input.
    pub(crate) fn hush(&mut self) {
        self.stdin = None;
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(WATCHDOG) {
            Ok(line) => String::from_utf8(line).expect("a line of text"),
            Err(_) => panic!(
                "{}: no line came; {:?}",
                self.command,
                self.stderr.try_recv().map(text)
            ),
        }
    }

    /// The next line of standard error.
    pub(crate) fn error_line(&mut self) -> String {
        match self.stderr.recv_timeout(WATCHDOG) {
            Ok(line) => text(line),
            Err(_) => panic!("{}: nothing came on standard error", self.command),
        }
    }

    /// Ends standard input and waits for the end of the program.
    pub(crate) fn end(mut self) -> Ended {
        self.hush();
        let stdout = self.rest(|program| &program.stdout);
        let stderr = self.rest(|program| &program.stderr);
        let status = self.child.wait().expect("the program is ours to wait for");
        Ended {
            code: code(status),
            stdout,
            stderr,
        }
    }

    fn rest(&mut self, stream: impl Fn(&Self) -> &Receiver<Vec<u8>>) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match stream(self).recv_timeout(WATCHDOG) {
                Ok(line) => lines.push(text(line)),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return lines,
                Err(_) => panic!("{}: does not end; {lines:?}", self.command),
            }
        }
    }
}

impl Ended {
    /// It did its work, and had nothing to complain about.
    #[track_caller]
    pub(crate) fn well(self) -> Vec<String> {
        assert_eq!(
            (self.code, &self.stderr),
            (Some(0), &vec![]),
            "{:?}",
            self.stdout
        );
        self.stdout
    }

    /// It ended so, with exactly this line on standard error.
    #[track_caller]
    pub(crate) fn with(self, code: i32, line: &str) {
        assert_eq!(
            (self.code, self.stderr),
            (Some(code), vec![line.to_owned()])
        );
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to any process. False: it is gone.
#[must_use]
pub(crate) fn send_signal(process: u32, signal: &str) -> bool {
    let kill = ["-c", "kill -$0 $1", signal, &process.to_string()];
    Command::new("sh").args(kill).status().unwrap().success()
}

fn lines_of(stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, lines) = channel();
    thread::spawn(move || forward(stream, &sender));
    lines
}

fn forward(stream: impl Read, sender: &Sender<Vec<u8>>) {
    for line in BufReader::new(stream).split(b'\n') {
        // Nobody wants the rest: reading on keeps the program from blocking.
        let _ = sender.send(line.expect("the stream can be read"));
    }
}

fn text(line: Vec<u8>) -> String {
    String::from_utf8_lossy(&line).into_owned()
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}
