//! A link that cuts, stalls and breaks.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::{Faults, Random};
use crate::endpoint::Endpoint;
use crate::joined::Joined;
use crate::link::{Link, PeerAddress, Wait};
use crate::memory::{Bytes, Lender, Loan, Memory, NoMemory, Place, Source};

pub(super) struct FaultyLink {
    inner: Box<dyn Link>,
    joined: Joined,
    random: Random,
    faults: Faults,
    reading: Stall,
    writing: Stall,
    fetching: Stall,
    /// Bytes until it breaks.
    left: Option<u64>,
    /// The inner link's.
    lender: Option<Arc<dyn Lender>>,
    /// The inner link ended: that is told without delay from now on.
    over: bool,
}

impl FaultyLink {
    pub(super) fn new(mut inner: Box<dyn Link>, faults: &Faults, number: u64) -> io::Result<Self> {
        let mut random = Random::new(Random::new(faults.seed).number() ^ number);
        let joined = Joined::new()?;
        joined.watch(inner.fd())?;
        let left = faults
            .reset_after
            .as_ref()
            .map(|range| range.start() + random.below(range.end() - range.start() + 1));
        Ok(Self {
            reading: Stall::new(&joined)?,
            writing: Stall::new(&joined)?,
            fetching: Stall::new(&joined)?,
            lender: inner.memory().map(|memory| memory.lender()),
            inner,
            joined,
            random,
            faults: faults.clone(),
            left,
            over: false,
        })
    }

    /// How many of `len` bytes the next call may move.
    fn allowance(&mut self, len: usize, direction: Direction) -> io::Result<usize> {
        if self.over {
            return Ok(len);
        }
        if self.left == Some(0) {
            self.inner.shutdown();
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let stall = match direction {
            Direction::Read => &mut self.reading,
            Direction::Write => &mut self.writing,
        };
        if stall.holds(&mut self.random, &self.faults)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let cut = match self.random.one_in(self.faults.cut_one_in) {
            true => self.random.length(len).min(len),
            false => len,
        };
        let left = self
            .left
            .map_or(cut, |left| cut.min(usize::try_from(left).unwrap_or(cut)));
        Ok(left)
    }

    /// Takes notice of what came of a call.
    fn done(&mut self, result: &io::Result<usize>) {
        match result {
            Ok(moved) => {
                if let Some(left) = &mut self.left {
                    *left -= *moved as u64;
                }
            }
            Err(error) => self.over |= error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// The same of a read into `len` bytes. A short count has to be followed by
    /// an event, for there may be more, or the end.
    fn was_read(&mut self, result: &io::Result<usize>, len: usize) {
        self.done(result);
        match result {
            Ok(0) => self.over |= len > 0,
            Ok(read) if *read < len => self.joined.ring(),
            _ => {}
        }
    }
}

impl Link for FaultyLink {
    fn fd(&self) -> RawFd {
        self.joined.fd()
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len();
        let allowed = self.allowance(len, Direction::Read)?;
        let result = self.inner.read(&mut buf[..allowed]);
        self.was_read(&result, len);
        result
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let mut allowed = self.allowance(len, Direction::Read)?;
        let mut cut: Vec<_> = bufs
            .iter_mut()
            .map(|buf| {
                let here = buf.len().min(allowed);
                allowed -= here;
                IoSliceMut::new(&mut buf[..here])
            })
            .collect();
        let result = self.inner.read_vectored(&mut cut);
        self.was_read(&result, len);
        result
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let allowed = self.allowance(buf.len(), Direction::Write)?;
        let result = self.inner.write(&buf[..allowed]);
        self.done(&result);
        result
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        let mut allowed = self.allowance(len, Direction::Write)?;
        let cut: Vec<_> = bufs
            .iter()
            .map(|buf| {
                let here = buf.len().min(allowed);
                allowed -= here;
                IoSlice::new(&buf[..here])
            })
            .collect();
        let result = self.inner.write_vectored(&cut);
        self.done(&result);
        result
    }

    fn needs_prepare(&self) -> bool {
        self.inner.needs_prepare()
    }

    fn prepare_wait(&mut self) -> Wait {
        match self.inner.prepare_wait() {
            // The timer of the stall wakes the sleeper.
            Wait::Ready if self.reading.until.is_some() => Wait::Sleep,
            wait => wait,
        }
    }

    fn begin_polling(&mut self) {
        self.inner.begin_polling();
    }

    fn handle_hangup(&mut self) {
        self.inner.handle_hangup();
    }

    fn after_wake(&mut self) {
        self.inner.after_wake();
    }

    fn set_read_low_water(&mut self, bytes: usize) {
        self.inner.set_read_low_water(bytes);
    }

    fn shares_core(&self) -> bool {
        self.inner.shares_core()
    }

    fn has_room(&self) -> bool {
        self.inner.has_room()
    }

    fn longest_write(&self) -> usize {
        self.inner.longest_write()
    }

    fn peer(&self) -> &PeerAddress {
        self.inner.peer()
    }

    fn local_endpoint(&self) -> Option<Endpoint> {
        self.inner.local_endpoint()
    }

    fn memory(&mut self) -> Option<&mut dyn Memory> {
        match self.inner.memory() {
            Some(_) => Some(self),
            None => None,
        }
    }

    fn unsent(&self) -> usize {
        self.inner.unsent()
    }

    fn shutdown(&mut self) {
        self.inner.shutdown();
    }

    fn shutdown_before(&mut self, other: Box<dyn Link>) {
        self.inner.shutdown_before(other);
    }
}

/// What is imported may take its time, over a carrier that has it at once too.
impl Memory for FaultyLink {
    fn lender(&self) -> Arc<dyn Lender> {
        self.lender.clone().unwrap_or_else(|| Arc::new(Nothing))
    }

    fn export(&mut self, bytes: &[u8]) -> Option<Place> {
        self.inner.memory()?.export(bytes)
    }

    fn returned(&mut self, bytes: &[u8]) {
        if let Some(memory) = self.inner.memory() {
            memory.returned(bytes);
        }
    }

    fn import(&mut self, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>> {
        if !self.over && self.fetching.holds(&mut self.random, &self.faults)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.inner.memory() {
            Some(memory) => memory.import(place, len),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn open(&mut self, loan: Loan) -> Result<Place, Loan> {
        match self.inner.memory() {
            Some(memory) => memory.open(loan),
            None => Err(loan),
        }
    }

    fn close(&mut self, place: Place) -> Option<Loan> {
        self.inner.memory()?.close(place)
    }

    fn write(&mut self, place: Place, sources: &[Source], skip: usize) -> io::Result<usize> {
        match self.inner.memory() {
            Some(memory) => memory.write(place, sources, skip),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn writing(&mut self) -> io::Result<usize> {
        match self.inner.memory() {
            Some(memory) => memory.writing(),
            None => Ok(0),
        }
    }
}

/// Of a link that has no memory.
struct Nothing;

impl Lender for Nothing {
    fn loan(&self, len: usize) -> Result<Loan, NoMemory> {
        let (lent, limit) = (0, 0);
        Err(NoMemory::Limit {
            wanted: len,
            lent,
            limit,
        })
    }

    fn lends(&self, _: &[u8]) -> bool {
        false
    }

    fn abandon(&self, _: &[u8]) {}
}

#[derive(Clone, Copy)]
enum Direction {
    Read,
    Write,
}

/// A direction's standstill, and the timer that ends it.
struct Stall {
    timer: OwnedFd,
    until: Option<Instant>,
}

impl Stall {
    fn new(joined: &Joined) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        joined.watch(timer.as_raw_fd())?;
        Ok(Self { timer, until: None })
    }

    /// Whether the direction stands still. The call after a standstill always
    /// goes through, so that there is progress.
    fn holds(&mut self, random: &mut Random, faults: &Faults) -> io::Result<bool> {
        if let Some(until) = self.until {
            let holds = Instant::now() < until;
            self.until = self.until.filter(|_| holds);
            return Ok(holds);
        }
        if !random.one_in(faults.stall_one_in) {
            return Ok(false);
        }
        let longest = u64::try_from(faults.stall_up_to.as_nanos()).unwrap_or(u64::MAX);
        let pause = Duration::from_nanos(random.below(longest) + 1);
        // Taken before the timer starts: when it rings, the time has passed.
        self.until = Instant::now().checked_add(pause);
        self.start(pause)?;
        Ok(true)
    }

    fn start(&self, pause: Duration) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec {
                tv_sec: pause.as_secs() as _,
                tv_nsec: pause.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}
