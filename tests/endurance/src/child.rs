//! Peers in processes of their own, which can be killed.
//!
//! ```text
//!   check ── a command a line ──▶ peer       its end ends the peer
//!         ◀── an answer a line ──
//! ```

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::{Failure, PATIENCE};

/// A peer, seen from the check.
pub(crate) struct Peer {
    process: Child,
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
    reader: Option<JoinHandle<()>>,
}

impl Peer {
    /// This program again, as the peer that the arguments say.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self, Failure> {
        Self::start_in(arguments, None)
    }

    /// The same, with one more variable in its environment.
    pub(crate) fn start_in(
        arguments: &[&str],
        variable: Option<(&str, String)>,
    ) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("peer")
            .args(arguments)
            .envs(variable)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = process.stdin.take();
        let output = process.stdout.take().ok_or("no output of the peer")?;
        let (tell, answers) = channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            process,
            commands,
            answers,
            reader: Some(reader),
        })
    }

    /// Gives it a command.
    pub(crate) fn tell(&mut self, command: &str) -> Result<(), Failure> {
        let commands = self.commands.as_mut().ok_or("the peer is gone")?;
        Ok(writeln!(commands, "{command}")?)
    }

    /// Its next answer, which has to begin with `word`: what follows it.
    pub(crate) fn answer(&self, word: &str) -> Result<String, Failure> {
        let answer = self.answers.recv_timeout(PATIENCE);
        let answer = answer.map_err(|_| format!("the peer did not say {word:?}"))?;
        match answer.strip_prefix(word) {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => Err(format!("the peer said {answer:?}, not {word:?}").into()),
        }
    }

    /// Ends it without warning, `kill -9`, and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.strike()?;
        self.end()
    }

    /// Ends it without warning and waits for nothing. When that was; `None`: it had died
    /// before, by its own hand.
    ///
    /// # Errors
    /// It ended in any other way: it has found something to complain of.
    pub(crate) fn strike(&mut self) -> Result<Option<Instant>, Failure> {
        match self.process.try_wait()? {
            None => {
                let now = Instant::now();
                self.process.kill()?;
                Ok(Some(now))
            }
            Some(status) if status.signal() == Some(SIGKILL) => Ok(None),
            Some(status) => Err(format!("the peer ended by itself: {status}").into()),
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.process.kill()?;
        self.process.wait()?;
        self.commands = None;
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_| "the reader panicked")?;
        }
        Ok(())
    }
}

/// What `kill -9` sends.
const SIGKILL: i32 = 9;

impl Drop for Peer {
    fn drop(&mut self) {
        if self.reader.is_some() {
            // Nobody is left to tell.
            let _ = self.end();
        }
    }
}

/// The commands that a peer is given, one after the other. When there is nobody
/// any more to give them, the process ends.
pub(crate) fn commands() -> Receiver<String> {
    let (tell, commands) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    commands
}

/// What a peer answers.
pub(crate) fn say(answer: &str) -> Result<(), Failure> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{answer}")?;
    Ok(output.flush()?)
}
