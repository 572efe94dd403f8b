//! One peer process, held by its handle.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use super::act::{Act, Side};
use super::conductor::News;
use super::word::GO;
use crate::cli::Failure;

/// A running peer. Dropping it ends the process, waits for it and for the
/// thread that reads its output.
pub(crate) struct Process {
    child: Child,
    /// Closed when we are gone, which ends the peer.
    stdin: ChildStdin,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts this program again as one side of an act.
    pub(crate) fn start(
        act: Act,
        side: Side,
        endpoint: &str,
        size: usize,
        news: Sender<News>,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(Failure::system("find this program"))?;
        let mut child = Command::new(program)
            .args(["demo-peer", "--act", &act.word(), "--side", &side.word()])
            .args(["--endpoint", endpoint, "--size", &size.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Failure::system("start a process"))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for")
        };
        let read = move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = news.send(News::Told(side, line));
            }
            let _ = news.send(News::Ended(side));
        };
        // From here on an error ends the child.
        let mut process = Self {
            child,
            stdin,
            reader: None,
        };
        let reader = thread::Builder::new()
            .name(format!("{} side", side.word()))
            .spawn(read);
        process.reader = Some(reader.map_err(Failure::system("start a thread"))?);
        Ok(process)
    }

    /// Lets the peer go on. One that is gone already tells so by its output.
    pub(crate) fn go(&mut self) {
        let _ = writeln!(self.stdin, "{GO}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
