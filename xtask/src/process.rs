//! Runs commands so that a person sees what goes on: quietly while all is
//! well, with a sign of life every twenty seconds, in full on failure.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, PipeReader};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Silence that a person puts up with.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

thread_local! {
    /// What this thread is at, beside others that speak too.
    static AT: Cell<&'static str> = const { Cell::new("") };
}

/// Has what this thread runs give its signs of life under a name.
pub(crate) fn speak_as(name: &'static str) {
    AT.set(name);
}

/// What a finished command left.
pub(crate) struct Finished {
    pub(crate) succeeded: bool,
    /// Everything it wrote to standard output and error, in order.
    pub(crate) lines: Vec<String>,
}

/// Runs `command` to its end, collecting its output.
pub(crate) fn run(command: &mut Command) -> io::Result<Finished> {
    let (reader, writer) = io::pipe()?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let mut child = command.spawn().map_err(|error| named(command, error))?;
    // Closes our copies of the writing end: the reader must see the end.
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut lines = collect(&follow(reader));
    let status: ExitStatus = child.wait()?;
    if !status.success() {
        // Who is killed says nothing itself.
        lines.push(format!("({status})"));
    }
    Ok(Finished {
        succeeded: status.success(),
        lines,
    })
}

/// Runs `command` with our own terminal, for what a person watches.
pub(crate) fn run_in_the_open(command: &mut Command) -> io::Result<bool> {
    command
        .status()
        .map(|status| status.success())
        .map_err(|error| named(command, error))
}

/// Whether `command` starts and succeeds; what it says is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Reads lines on a thread of its own, so that the caller can wait for either
/// a line or the time.
fn follow(reader: PipeReader) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).trim_end().to_owned())
                .is_err()
            {
                break;
            }
        }
    });
    lines
}

fn collect(incoming: &Receiver<String>) -> Vec<String> {
    let started = Instant::now();
    let mut spoken = started;
    let mut lines: Vec<String> = Vec::new();
    loop {
        let wait = SIGN_OF_LIFE.saturating_sub(spoken.elapsed());
        match incoming.recv_timeout(wait) {
            Ok(line) => lines.push(line),
            Err(RecvTimeoutError::Timeout) => {
                let last = lines.iter().rev().find(|line| !line.is_empty());
                let last = last.map_or("no output yet", |line| line.trim());
                let at = AT.get();
                println!("    … {at}{:>3} s: {last}", started.elapsed().as_secs());
                spoken = Instant::now();
            }
            Err(RecvTimeoutError::Disconnected) => return lines,
        }
    }
}

fn named(command: &Command, error: io::Error) -> io::Error {
    let program = command.get_program().to_string_lossy();
    io::Error::new(error.kind(), format!("cannot run {program}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_are_collected_in_order() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo one; echo two >&2; echo three"]);
        let finished = run(&mut shell).expect("sh runs");
        assert!(finished.succeeded);
        assert_eq!(finished.lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_failing_command_is_told_from_one_that_cannot_start() {
        assert!(
            !run(&mut Command::new("false"))
                .expect("false runs")
                .succeeded
        );
        let error = run(&mut Command::new("/nonexistent/program"))
            .err()
            .expect("cannot start");
        assert!(
            error.to_string().contains("/nonexistent/program"),
            "{error}"
        );
    }
}
