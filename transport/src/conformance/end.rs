//! One end of a link, used as an edge-triggered event loop uses it, and held
//! to the contract at each call.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::verdict::{Finding, ensure};
use crate::link::{Link, Wait};

/// A descriptor, registered once and edge-triggered for both directions, and what
/// tells of input beside it.
pub(super) struct Watch {
    poll: Poll,
    events: Events,
    fd: RawFd,
}

/// What an event said.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Woken {
    pub(super) to_read: bool,
    pub(super) to_write: bool,
    /// The descriptor itself announced an end: short reads prove nothing now.
    pub(super) hangup: bool,
}

impl Watch {
    pub(super) fn new(fd: RawFd) -> io::Result<Self> {
        let poll = Poll::new()?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut SourceFd(&fd), Token(0), both)?;
        let events = Events::with_capacity(8);
        Ok(Self { poll, events, fd })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.fd
    }

    /// Watches a further descriptor, for input.
    fn add(&mut self, wake_fd: RawFd) -> io::Result<()> {
        let registry = self.poll.registry();
        registry.register(&mut SourceFd(&wake_fd), Token(1), Interest::READABLE)
    }

    /// The next event; `None` when none came until `deadline`.
    pub(super) fn wait(&mut self, deadline: Instant) -> io::Result<Option<Woken>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let woken = self.events.iter().map(Woken::by);
            if let Some(woken) = woken.reduce(Woken::and) {
                return Ok(Some(woken));
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}

impl Woken {
    fn by(event: &Event) -> Self {
        let hangup = event.is_read_closed() || event.is_error();
        Self {
            to_read: event.is_readable() || hangup,
            to_write: event.is_writable() || event.is_write_closed() || event.is_error(),
            hangup,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            to_read: self.to_read || other.to_read,
            to_write: self.to_write || other.to_write,
            hangup: self.hangup || other.hangup,
        }
    }
}

/// One end of a link.
pub(super) struct End {
    pub(super) link: Box<dyn Link>,
    /// For what is said about it.
    name: &'static str,
    watch: Watch,
    patience: Duration,
    /// Events that came since the last `WouldBlock`.
    seen: Woken,
    /// Bytes were read, and a further descriptor asked for.
    quickened: bool,
}

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(usize),
    Nothing,
    /// The end of the stream, or of the link.
    Over,
}

/// What a write gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Bytes(usize),
    Nothing,
    /// The link is over.
    Over,
}

impl End {
    pub(super) fn new(
        link: Box<dyn Link>,
        name: &'static str,
        patience: Duration,
    ) -> Result<Self, Finding> {
        Ok(Self {
            watch: Watch::new(link.fd())?,
            link,
            name,
            patience,
            seen: Woken::default(),
            quickened: false,
        })
    }

    pub(super) fn read(&mut self, buf: &mut [u8]) -> Result<Read, Finding> {
        let len = buf.len();
        let result = self.link.read(buf);
        self.was_read(result, len)
    }

    pub(super) fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> Result<Read, Finding> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let result = self.link.read_vectored(bufs);
        self.was_read(result, len)
    }

    pub(super) fn write(&mut self, buf: &[u8]) -> Result<Written, Finding> {
        let result = self.link.write(buf);
        self.was_written(result, buf.len())
    }

    pub(super) fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> Result<Written, Finding> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let result = self.link.write_vectored(bufs);
        self.was_written(result, len)
    }

    fn was_read(&mut self, result: io::Result<usize>, len: usize) -> Result<Read, Finding> {
        self.is_sound(&result, len, "read")?;
        Ok(match result {
            Ok(0) => Read::Over,
            Ok(read) => {
                self.quicken()?;
                Read::Bytes(read)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.seen.to_read = false;
                Read::Nothing
            }
            Err(_) => Read::Over,
        })
    }

    /// Asks for a further descriptor when a runtime may.
    fn quicken(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.quickened, true)
            && let Some(wake_fd) = self.link.wake_fd()
        {
            self.watch.add(wake_fd)?;
            self.link.wake_by_it();
        }
        Ok(())
    }

    fn was_written(&mut self, result: io::Result<usize>, len: usize) -> Result<Written, Finding> {
        self.is_sound(&result, len, "write")?;
        Ok(match result {
            Ok(0) => return Err(self.finds("a write answered 0 instead of WouldBlock")),
            Ok(written) => Written::Bytes(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.seen.to_write = false;
                Written::Nothing
            }
            Err(_) => Written::Over,
        })
    }

    /// What holds for every call.
    fn is_sound(&self, result: &io::Result<usize>, len: usize, call: &str) -> Result<(), Finding> {
        ensure(self.link.fd() == self.watch.fd(), || {
            format!("{}: a {call} changed the descriptor", self.name)
        })?;
        match result {
            Ok(moved) => ensure(*moved <= len, || {
                format!("{}: a {call} of {len} bytes answered {moved}", self.name)
            }),
            Err(error) => ensure(error.kind() != io::ErrorKind::Interrupted, || {
                format!("{}: a {call} answered Interrupted", self.name)
            }),
        }
    }

    /// Sleeps until an event says that reading is worth a try.
    pub(super) fn await_input(&mut self) -> Result<(), Finding> {
        let deadline = Instant::now() + self.patience;
        while !self.seen.to_read {
            if self.prepare() == Wait::Ready {
                return Ok(());
            }
            self.sleep(deadline, "input")?;
        }
        Ok(())
    }

    /// Sleeps until an event says that writing is worth a try.
    pub(super) fn await_room(&mut self) -> Result<(), Finding> {
        let deadline = Instant::now() + self.patience;
        while !self.seen.to_write {
            if self.prepare() == Wait::Ready {
                self.seen.to_read = true;
            }
            self.sleep(deadline, "room")?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Wait {
        match self.link.needs_prepare() {
            true => self.link.prepare_wait(),
            false => Wait::Sleep,
        }
    }

    fn sleep(&mut self, deadline: Instant, what: &str) -> Result<(), Finding> {
        let Some(woken) = self.watch.wait(deadline)? else {
            let patience = self.patience;
            return Err(self.finds(&format!("no event told of {what} in {patience:?}")));
        };
        if self.link.needs_prepare() {
            self.link.after_wake();
        }
        self.seen.to_read |= woken.to_read;
        self.seen.to_write |= woken.to_write;
        self.seen.to_write |= woken.to_read && self.link.room_makes_readable();
        self.seen.hangup |= woken.hangup;
        if woken.hangup {
            self.link.handle_hangup();
        }
        Ok(())
    }

    /// Forgets that input was announced, as one does after a short read.
    pub(super) fn trust_short_read(&mut self) {
        self.seen.to_read = self.seen.hangup;
    }

    /// Takes the events that came so far, and forgets them.
    pub(super) fn forget_events(&mut self) -> Result<(), Finding> {
        while self.watch.wait(Instant::now())?.is_some() {}
        self.seen = Woken::default();
        Ok(())
    }

    /// Writes all of it, waiting where it must.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> Result<(), Finding> {
        while !bytes.is_empty() {
            match self.write(bytes)? {
                Written::Bytes(written) => bytes = &bytes[written..],
                Written::Nothing => self.await_room()?,
                Written::Over => return Err(self.finds("the link ended in the middle of a write")),
            }
        }
        Ok(())
    }

    /// Reads exactly as much, waiting where it must.
    pub(super) fn read_exact(&mut self, len: usize) -> Result<Vec<u8>, Finding> {
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match self.read(&mut bytes[filled..])? {
                Read::Bytes(read) => filled += read,
                Read::Nothing => self.await_input()?,
                Read::Over => {
                    let text = format!("the end after {filled} of {len} bytes");
                    return Err(self.finds(&text));
                }
            }
        }
        Ok(bytes)
    }

    /// Reads exactly as much by looking again and again, without waiting for an event.
    pub(super) fn look_for(&mut self, len: usize) -> Result<(), Finding> {
        let deadline = Instant::now() + self.patience;
        // More room than there is to read: no read fills it.
        let mut bytes = vec![0; len + 64];
        let mut left = len;
        while left > 0 {
            match self.read(&mut bytes)? {
                Read::Bytes(read) if read <= left => left -= read,
                Read::Nothing if Instant::now() < deadline => std::thread::yield_now(),
                other => {
                    let text = format!("{left} of {len} bytes were not found: {other:?}");
                    return Err(self.finds(&text));
                }
            }
        }
        Ok(())
    }

    /// Counts on events from now on.
    pub(super) fn end_polling(&mut self) {
        self.seen.to_read |= self.link.prepare_wait() == Wait::Ready;
    }

    /// What the first read that does not have to wait gives.
    pub(super) fn read_once(&mut self, buf: &mut [u8]) -> Result<Read, Finding> {
        loop {
            match self.read(buf)? {
                Read::Nothing => self.await_input()?,
                other => return Ok(other),
            }
        }
    }

    /// A finding about this end.
    pub(super) fn finds(&self, text: &str) -> Finding {
        Finding::new(format!("{}: {text}", self.name))
    }
}
