//! Links that were closed, until what they had written has arrived.
//!
//! A queue pair that is destroyed takes with it whatever its device has not sent, and no
//! kernel lingers for it. So the last message of a link says that it is the last, and the
//! queue stays until the peer's device has it. A thread sees to that, which exists while
//! there is such a link; a transport that is dropped waits for them, within bounds.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ferromq_transport::Lender;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::arena::Arena;
use crate::channel::{Awaited, Channel};
use crate::gather::Gathered;
use crate::link::Open;

/// How long a closed link is kept for a peer who does not answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a transport that is dropped waits for those.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Closer {
    state: Mutex<State>,
    /// Something of one of them has arrived.
    fewer: Condvar,
    arena: Arc<Arena>,
    this: std::sync::Weak<Self>,
}

#[derive(Default)]
struct State {
    /// Those that the thread has not seen yet.
    new: Vec<Closing>,
    /// Those of which something has not arrived.
    unsettled: usize,
    /// Wakes the thread, if it runs.
    bell: Option<Arc<std::os::fd::OwnedFd>>,
}

/// A link that says goodbye.
struct Closing {
    // Before the memory that it reads: dropped first.
    open: Box<Open>,
    gathered: Gathered,
    until: Instant,
}

impl Closer {
    pub(crate) fn new(arena: Arc<Arena>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::default(),
            fewer: Condvar::new(),
            arena,
            this: this.clone(),
        })
    }

    pub(crate) fn arena(&self) -> Arc<dyn Lender> {
        self.arena.clone()
    }

    /// Says that no more is coming, and keeps the link until that has arrived.
    pub(crate) fn close(&self, mut open: Box<Open>) {
        open.channel.look();
        if !open.channel.end() {
            return;
        }
        open.channel.look();
        let closing = Closing::new(open);
        if let Some(closing) = closing.filter(|closing| !closing.is_done()) {
            self.keep(closing);
        }
    }

    /// Waits until what all of them had written has arrived, or nobody can be expected to
    /// wait longer. Who may still fetch payloads is not waited for.
    pub(crate) fn finish(&self) {
        let until = Instant::now() + LAST_PATIENCE;
        let mut state = self.lock();
        while state.unsettled > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.fewer.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closed links of which something has not arrived yet.
    #[cfg(test)]
    pub(crate) fn unsettled(&self) -> usize {
        self.lock().unsettled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without a thread to be had, what is not under way yet is lost.
    fn keep(&self, closing: Closing) {
        let mut state = self.lock();
        if state.bell.is_none() && self.start(&mut state).is_err() {
            return;
        }
        state.new.push(closing);
        state.unsettled += 1;
        if let Some(bell) = &state.bell {
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
    }

    fn start(&self, state: &mut State) -> io::Result<()> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let bell = Arc::new(eventfd(0, flags)?);
        let here = self.this.upgrade().ok_or(io::ErrorKind::NotFound)?;
        let rung = bell.clone();
        thread::Builder::new()
            .name("ferromq-rdma".into())
            .spawn(move || here.run(&rung))?;
        state.bell = Some(bell);
        Ok(())
    }

    /// The thread: until there is nothing left to do.
    fn run(&self, bell: &std::os::fd::OwnedFd) {
        let mut all: Vec<Closing> = Vec::new();
        loop {
            let _ = rustix::io::read(bell, &mut [0_u8; 8]);
            all.append(&mut self.lock().new);
            all.retain_mut(|closing| !closing.go_on());
            let unsettled = all.iter().filter(|closing| !closing.is_settled());
            let mut state = self.lock();
            state.unsettled = unsettled.count() + state.new.len();
            if all.is_empty() && state.new.is_empty() {
                state.bell = None;
                self.fewer.notify_all();
                return;
            }
            drop(state);
            self.fewer.notify_all();
            sleep(bell, &all);
        }
    }
}

impl Closing {
    /// `None`: it cannot be waited for.
    fn new(open: Box<Open>) -> Option<Self> {
        let gathered = open.channel.gather().ok()?;
        let until = Instant::now() + PATIENCE;
        Some(Self {
            open,
            gathered,
            until,
        })
    }

    /// Looks; whether there is nothing left to wait for.
    fn go_on(&mut self) -> bool {
        self.open.channel.arm(&self.gathered, Awaited::Read);
        // What has arrived is kept no longer.
        let Open {
            channel, lending, ..
        } = &mut *self.open;
        lending.writing(channel);
        let done = self.is_done() || self.until <= Instant::now();
        if done {
            self.open.channel.disconnect();
        }
        done
    }

    fn is_settled(&self) -> bool {
        self.open.channel.is_settled()
    }

    /// Whether the peer's device has all of it, or nobody is left to have it. A peer that
    /// may still fetch payloads is waited for until it goes as well; so is one that would
    /// see the companion's end, for that must not overtake what it has not looked at.
    fn is_done(&self) -> bool {
        let Open {
            channel,
            lending,
            companion,
        } = &*self.open;
        let stays = lending.exported() > 0 || companion.is_some();
        self.is_settled() && (!stays || channel.over().is_some())
    }
}

/// Sleeps until something happens to one of them, or to the bell.
fn sleep(bell: &std::os::fd::OwnedFd, all: &[Closing]) {
    let now = Instant::now();
    let until = all.iter().map(|closing| closing.until).min();
    let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
    let timeout = Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    };
    let flags = PollFlags::IN;
    let mut fds = vec![PollFd::new(bell, flags)];
    fds.extend(
        all.iter()
            .map(|closing| PollFd::from_borrowed_fd(closing.fd(), flags)),
    );
    // Whatever it says, everything is looked at.
    let _ = poll(&mut fds, Some(&timeout));
}

impl Closing {
    fn fd(&self) -> BorrowedFd<'_> {
        self.gathered.as_fd()
    }
}

impl Channel {
    /// A descriptor of its own for both of the queue's.
    fn gather(&self) -> io::Result<Gathered> {
        let (completions, events) = self.descriptors();
        let gathered = Gathered::new(events)?;
        gathered.add_completions(completions)?;
        Ok(gathered)
    }
}
