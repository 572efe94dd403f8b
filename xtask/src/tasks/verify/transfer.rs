//! One file, from the first start of both programs to their end.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};

use super::files::{Kill, Moment, in_units};
use super::source::{self, Source};
use super::{Failure, Interrupted};

/// Which of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// `ferromq receive`.
    Receiver,
    /// `ferromq send`.
    Sender,
}

/// What is sent, by what, and where to.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) program: &'a Path,
    pub(super) source: &'a Source,
    /// An empty directory.
    pub(super) inbox: &'a Path,
    pub(super) endpoint: &'a str,
}

/// A transfer on its way.
pub(super) struct Transfer<'a> {
    place: Place<'a>,
    interrupted: &'a Interrupted,
    began: Instant,
    receiver: Running,
    sender: Running,
    /// Bytes that receivers who are gone have written.
    written: u64,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(place: Place<'a>, interrupted: &'a Interrupted) -> Self {
        Self {
            place,
            interrupted,
            began: Instant::now(),
            receiver: Running(None),
            sender: Running(None),
            written: 0,
        }
    }

    /// Sends the file, killing and starting again as planned.
    pub(super) fn run(mut self, kills: &[Kill]) -> Result<(), Failure> {
        self.start(Side::Receiver)?;
        self.start(Side::Sender)?;
        for kill in kills {
            let started = Instant::now();
            self.wait_until("the moment of a kill", |transfer| {
                transfer.is_at(kill.moment, started)
            })?;
            self.kill(kill.side)?;
            self.start(kill.side)?;
        }
        self.wait_until("both have ended", |transfer| {
            transfer.expect_no_failure()?;
            Ok(transfer.receiver.has_ended()? && transfer.sender.has_ended()?)
        })?;
        self.judge(kills.len() as u64)
    }

    fn start(&mut self, side: Side) -> io::Result<()> {
        let Place {
            source,
            inbox,
            endpoint,
            ..
        } = self.place;
        let mut command = Command::new(self.place.program);
        match side {
            Side::Receiver => command
                .args(["receive", "--count", "1", "--at", endpoint, "--into"])
                .arg(inbox),
            Side::Sender => command
                .args(["send", "--to", endpoint, "--"])
                .arg(&source.path),
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        self.tell(&format!("{} starts, process {}", name(side), child.id()));
        self.running(side).0 = Some(child);
        Ok(())
    }

    /// As `kill -9` does it.
    fn kill(&mut self, side: Side) -> Result<(), Failure> {
        let process = self.running(side);
        process.child()?.kill()?;
        let written = process.written_at_the_end()?;
        process.0 = None;
        if side == Side::Receiver {
            self.written += written;
        }
        let len = self.partial_len()?;
        let percent = len * 100 / self.place.source.size.max(1);
        let len = in_units(len);
        self.tell(&format!(
            "{} is killed, {len} are there ({percent} %)",
            name(side)
        ));
        Ok(())
    }

    fn is_at(&mut self, moment: Moment, started: Instant) -> Result<bool, Failure> {
        let len = self.partial_len()?;
        for side in [Side::Receiver, Side::Sender] {
            if self.running(side).has_ended()? {
                return Err(self.end_of(side)?);
            }
        }
        Ok(match moment {
            Moment::Written(written) => len >= written,
            Moment::After(time, written) => len >= written || started.elapsed() >= time,
        })
    }

    /// Looks again and again, but not for ever.
    fn wait_until(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let limit = LIMIT + Duration::from_secs(self.place.source.size / SLOWEST);
        let mut told = Instant::now();
        while !holds(self)? {
            self.interrupted.check()?;
            if self.began.elapsed() > limit {
                return Err(format!("waited for {limit:?} until {what}").into());
            }
            if told.elapsed() > SIGN_OF_LIFE {
                told = Instant::now();
                self.tell("…");
            }
            std::thread::sleep(INTERVAL);
        }
        Ok(())
    }

    /// How much of the file is there while it has not got its name. It is an error
    /// if it has: only a whole file gets it, and then nobody is left to kill.
    fn partial_len(&self) -> Result<u64, Failure> {
        let mut len = 0;
        for entry in fs::read_dir(self.place.inbox)? {
            let entry = entry?;
            if entry.path() == self.received() {
                return Err(
                    match source::hash(&entry.path())? == self.place.source.hash {
                        true => "the file was whole before every kill was done: make it larger",
                        false => "the file got its name before it was whole",
                    }
                    .into(),
                );
            }
            // It may just be getting its name.
            len += entry.metadata().map_or(0, |found| found.len());
        }
        Ok(len)
    }

    /// An error when the file has its name and is not all there, or when one side
    /// has given up, for which the other one would wait.
    fn expect_no_failure(&mut self) -> Result<(), Failure> {
        let found = fs::metadata(self.received());
        if found.is_ok_and(|found| found.len() != self.place.source.size) {
            return Err("the file got its name before it was whole".into());
        }
        for side in [Side::Receiver, Side::Sender] {
            if self.running(side).has_failed()? {
                return Err(self.end_of(side)?);
            }
        }
        Ok(())
    }

    /// The error that is the end of a side.
    fn end_of(&mut self, side: Side) -> io::Result<Failure> {
        let output = self.running(side).output()?;
        Ok(format!("{} has ended: {output:?}", name(side)).into())
    }

    /// Whether all is as it should be when both have ended.
    fn judge(&mut self, kills: u64) -> Result<(), Failure> {
        self.written += self.receiver.written_at_the_end()?;
        let Source { size, hash, .. } = *self.place.source;
        for side in [Side::Receiver, Side::Sender] {
            let output = self.running(side).output()?;
            let said = String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned();
            if !output.status.success() || !said.ends_with(&source::hex(&hash)) {
                return Err(format!("{} has ended: {output:?}", name(side)).into());
            }
            self.tell(&format!("{} says: {said}", name(side)));
        }
        let entries = fs::read_dir(self.place.inbox)?.count();
        if source::hash(&self.received())? != hash || entries != 1 {
            return Err("what arrived is not what was sent".into());
        }
        self.tell("what arrived has the same SHA-256, and nothing else is there");
        let written = in_units(self.written);
        if self.written < size || self.written >= limit(size, kills) {
            return Err(format!("{written} were written for {}", in_units(size)).into());
        }
        let times = self.written as f64 / size.max(1) as f64;
        self.tell(&format!(
            "{written} were written in all, {times:.3} times its size"
        ));
        Ok(())
    }

    fn received(&self) -> std::path::PathBuf {
        let name = self.place.source.path.file_name().unwrap_or_default();
        self.place.inbox.join(name)
    }

    fn running(&mut self, side: Side) -> &mut Running {
        match side {
            Side::Receiver => &mut self.receiver,
            Side::Sender => &mut self.sender,
        }
    }

    fn tell(&self, event: &str) {
        println!("  {:>7.1} s  {event}", self.began.elapsed().as_secs_f32());
    }
}

/// A program, if it has been started. It does not outlive us.
struct Running(Option<Child>);

impl Running {
    fn child(&mut self) -> io::Result<&mut Child> {
        self.0
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Whether it has. What it leaves can still be asked for.
    fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.end()?.is_some())
    }

    /// Whether it has, otherwise than well.
    fn has_failed(&mut self) -> io::Result<bool> {
        Ok(self.end()?.is_some_and(|end| end.exit_status() != Some(0)))
    }

    fn end(&mut self) -> io::Result<Option<WaitIdStatus>> {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        Ok(waitid(WaitId::Pid(self.pid()?), ended)?)
    }

    /// Waits for its end, and tells how many bytes it has written until then.
    fn written_at_the_end(&mut self) -> Result<u64, Failure> {
        let pid = self.pid()?;
        waitid(
            WaitId::Pid(pid),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        )?;
        let counters = fs::read_to_string(format!("/proc/{}/io", pid.as_raw_pid()))?;
        let written = counters
            .lines()
            .find_map(|line| line.strip_prefix("wchar: "));
        Ok(written.ok_or("no wchar in /proc/…/io")?.parse()?)
    }

    fn pid(&mut self) -> io::Result<Pid> {
        Ok(Pid::from_child(self.child()?))
    }

    /// How it ended and what it said.
    fn output(&mut self) -> io::Result<Output> {
        match self.0.take() {
            Some(child) => child.wait_with_output(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended before.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn name(side: Side) -> &'static str {
    match side {
        Side::Receiver => "receive",
        Side::Sender => "send",
    }
}

/// What all that is written must not reach. What is on the disk is not sent again,
/// but for the chunk that was being written at a kill; the counters may know the
/// words to the peer as well, so a window of 16 MiB each is granted.
fn limit(size: u64, kills: u64) -> u64 {
    (size + (kills + 1) * (16 << 20)).min(size * 2)
}

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(1);

/// Silence that a person puts up with.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// What a transfer may take, and one second more for so many bytes.
const LIMIT: Duration = Duration::from_secs(120);
const SLOWEST: u64 = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_transfer_that_began_again_has_written_too_much() {
        // A kill at a fifth of 5 GiB, without resuming.
        assert!(limit(5 << 30, 1) < 6 << 30);
        // However small the file is: not twice.
        assert_eq!(limit(1 << 20, 6), 2 << 20);
    }

    #[test]
    fn a_program_is_asked_what_it_wrote_after_it_was_killed() {
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running(Some(cat.spawn().expect("cat runs")));
        let child = running.child().expect("it was started");
        let mut input = child.stdin.take().expect("piped");
        let mut output = child.stdout.take().expect("piped");
        input.write_all(b"12345").expect("cat reads");
        output.read_exact(&mut [0; 5]).expect("cat writes");
        assert!(!running.has_ended().expect("it can be asked"));
        running
            .child()
            .expect("there")
            .kill()
            .expect("ours to kill");
        assert_eq!(running.written_at_the_end().expect("it is counted"), 5);
        assert!(running.has_ended().expect("it can be asked"));
        assert!(running.has_failed().expect("it can be asked"));
        let left = running.output().expect("still there");
        assert_eq!(left.status.signal(), Some(9));
    }
}
