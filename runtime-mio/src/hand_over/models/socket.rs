//! A socket to wait for.
//!
//! It has one link, on which messages come and which has room or not.
//! Its epoll is edge-triggered: an event is told once, to who takes it; poll(2)
//! and the descriptor of a user's loop only see whether one is there.

use std::time::Duration;

use crate::hand_over::{Awaited, Flags, Leaving, Left, Looker, Seat, Turnstile};
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

pub(super) struct Socket {
    flags: Flags,
    turnstile: Turnstile,
    state: Mutex<State>,
    kernel: Mutex<Kernel>,
    changed: Condvar,
    /// What threads leave that do not enter, and how much of it.
    left: Left,
    pile: Mutex<u32>,
}

impl Default for Socket {
    fn default() -> Self {
        Self {
            flags: Flags::default(),
            turnstile: Turnstile::default(),
            state: Mutex::default(),
            kernel: Mutex::default(),
            changed: Condvar::default(),
            left: Left::new(),
            pile: Mutex::default(),
        }
    }
}

/// What the socket's lock protects.
#[derive(Default)]
pub(super) struct State {
    seat: Seat,
    closed: bool,
    /// The link was read since it last became readable.
    drained: bool,
    /// A look was over before the link was read to its end.
    cut: bool,
    inbound: u32,
    has_room: bool,
    /// The link tells of nothing.
    silenced: bool,
    /// Of what was left, so much was taken.
    taken: u32,
}

/// Taken from the epoll.
#[derive(Clone, Copy, Default)]
struct Events {
    readable: bool,
    writable: bool,
}

#[derive(Default)]
pub(super) struct Kernel {
    /// Messages in the link's buffer.
    unread: u32,
    // Events that are not yet taken.
    readable: bool,
    writable: bool,
    woken: bool,
    /// What comes makes nothing readable.
    silent: bool,
    /// The counter of the exported descriptor.
    raised: bool,
    /// Somebody has the epoll's lock. Here, for loom's `try_lock` waits.
    locked: bool,
    /// Calls that sleep in the epoll, or are about to.
    sleepers: u32,
    /// What the epoll of the I/O thread, in which this one is nested, has to tell.
    edge: bool,
    /// Nobody makes calls any more.
    ended: bool,
}

impl Kernel {
    fn is_ready(&self) -> bool {
        self.readable || self.writable || self.woken
    }
}

pub(super) struct Epoll<'a> {
    socket: &'a Socket,
    events: Events,
    /// Of a call that sleeps there, or is about to.
    sleeps: bool,
}

impl Drop for Epoll<'_> {
    fn drop(&mut self) {
        // A thread that waits for ever unwinds, and loom is gone.
        if !std::thread::panicking() {
            self.socket.happens(|kernel| kernel.locked = false);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

impl Awaited for Socket {
    type Inside<'a> = MutexGuard<'a, State>;
    type Epoll<'a> = Epoll<'a>;
    type Error = Closed;

    fn flags(&self) -> &Flags {
        &self.flags
    }

    fn turnstile(&self) -> &Turnstile {
        &self.turnstile
    }

    fn enter_call(&self) -> Self::Inside<'_> {
        self.state.lock().unwrap()
    }

    fn enter_io(&self) -> Self::Inside<'_> {
        self.state.lock().unwrap()
    }

    fn seat<'i>(inside: &'i mut Self::Inside<'_>) -> &'i mut Seat {
        &mut inside.seat
    }

    fn check(inside: &Self::Inside<'_>) -> Result<(), Closed> {
        if inside.closed { Err(Closed) } else { Ok(()) }
    }

    fn write_deferred(&self, inside: &mut Self::Inside<'_>) -> bool {
        let some = self.left.any();
        if some {
            self.take_left(inside);
        }
        some
    }

    fn count_on_events(&self, inside: &mut Self::Inside<'_>) {
        if !std::mem::take(&mut inside.silenced) {
            return;
        }
        let mut kernel = self.kernel.lock().unwrap();
        kernel.silent = false;
        let found = kernel.unread > 0;
        drop(kernel);
        if found {
            inside.drained = false;
            self.wake();
            self.raise();
        }
    }

    fn may_sleep(&self, _: &mut Self::Inside<'_>) -> bool {
        !self.left.any_after_all()
    }

    /// For a call that will sleep.
    fn lock_epoll(&self) -> Epoll<'_> {
        let mut kernel = self.kernel.lock().unwrap();
        kernel.sleepers += 1;
        assert_eq!(kernel.sleepers, 1, "two sleep in the epoll");
        while std::mem::replace(&mut kernel.locked, true) {
            kernel = self.changed.wait(kernel).unwrap();
        }
        self.epoll(true)
    }

    fn try_lock_epoll(&self) -> Option<Epoll<'_>> {
        let locked = std::mem::replace(&mut self.kernel.lock().unwrap().locked, true);
        (!locked).then(|| self.epoll(false))
    }

    /// epoll_wait(2).
    fn take_events(epoll: &mut Epoll<'_>, timeout: Option<Duration>) {
        let mut kernel = epoll.socket.kernel.lock().unwrap();
        while timeout.is_none() && !kernel.is_ready() {
            kernel = epoll.socket.changed.wait(kernel).unwrap();
        }
        kernel.sleepers -= u32::from(std::mem::take(&mut epoll.sleeps));
        kernel.woken = false;
        epoll.events = Events {
            readable: std::mem::take(&mut kernel.readable),
            writable: std::mem::take(&mut kernel.writable),
        };
    }

    fn handle(&self, inside: &mut Self::Inside<'_>, epoll: &Epoll<'_>) -> bool {
        let Events { readable, writable } = epoll.events;
        inside.drained &= !readable;
        inside.has_room |= writable;
        readable || writable
    }

    fn release(&self) {}

    fn wake(&self) {
        self.happens(|kernel| {
            kernel.woken = true;
            kernel.edge = true;
        });
    }

    fn raise(&self) {
        self.happens(|kernel| kernel.raised = true);
    }

    fn lower(&self) {
        self.kernel.lock().unwrap().raised = false;
    }
}

/// The world.
impl Socket {
    fn happens(&self, what: impl FnOnce(&mut Kernel)) {
        what(&mut self.kernel.lock().unwrap());
        self.changed.notify_all();
    }

    fn epoll(&self, sleeps: bool) -> Epoll<'_> {
        Epoll {
            socket: self,
            events: Events::default(),
            sleeps,
        }
    }

    pub(super) fn messages_come(&self, count: u32) {
        self.happens(|kernel| {
            kernel.unread += count;
            kernel.readable |= !kernel.silent;
            kernel.edge |= !kernel.silent;
        });
    }

    pub(super) fn room_comes(&self) {
        self.happens(|kernel| kernel.writable = true);
    }

    /// poll(2), or a user's loop.
    fn await_kernel(&self, ready: impl Fn(&Kernel) -> bool) {
        // It may be ready for as long as another thread is about to act.
        thread::yield_now();
        let mut kernel = self.kernel.lock().unwrap();
        while !ready(&kernel) {
            kernel = self.changed.wait(kernel).unwrap();
        }
    }
}

/// What a poller waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Interest {
    Message,
    Room,
}

/// The socket's calls, as in `recv.rs`, `send.rs`, `away.rs` and `poller.rs`.
impl Socket {
    /// Reads the link into the queue.
    fn read(&self, state: &mut State) -> bool {
        if std::mem::replace(&mut state.drained, true) {
            return false;
        }
        let count = std::mem::take(&mut self.kernel.lock().unwrap().unread);
        state.inbound += count;
        count > 0
    }

    fn has_message(&self, state: &mut State) -> bool {
        if state.inbound == 0 {
            self.read(state);
        }
        state.inbound > 0
    }

    fn pop(&self, state: &mut State) -> bool {
        let some = self.has_message(state);
        state.inbound -= u32::from(some);
        some
    }

    /// Spins a little before it sleeps.
    pub(super) fn recv(&self) -> Result<(), Closed> {
        self.recv_after(|inside| self.spin(inside))
    }

    /// Sleeps at once.
    pub(super) fn recv_asleep(&self) -> Result<(), Closed> {
        self.recv_after(|inside| inside)
    }

    fn recv_after<'a>(
        &'a self,
        spin: impl FnOnce(MutexGuard<'a, State>) -> MutexGuard<'a, State>,
    ) -> Result<(), Closed> {
        let mut inside = self.enter_call();
        Self::check(&inside)?;
        if !self.has_message(&mut inside) {
            inside = spin(inside);
        }
        while !self.pop(&mut inside) {
            inside = self.rest(inside, || Ok(None))?;
        }
        Ok(())
    }

    /// Looks once more, and leaves the lock before that.
    fn spin<'a>(&'a self, mut inside: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if !self.may_silence(&mut inside) {
            return inside;
        }
        inside.silenced = true;
        self.kernel.lock().unwrap().silent = true;
        drop(inside);
        let mut inside = self.enter_call();
        inside.drained = false;
        if !self.has_message(&mut inside) {
            self.count_on_events(&mut inside);
        }
        inside
    }

    pub(super) fn try_recv(&self) -> Result<bool, Closed> {
        let mut inside = self.enter_call();
        Self::check(&inside)?;
        if self.pop(&mut inside) {
            return Ok(true);
        }
        self.look(&mut inside, Looker::Call, |_, _| {});
        Ok(self.pop(&mut inside))
    }

    /// A send on a socket that also receives looks now and then, and reads.
    pub(super) fn send(&self) {
        let mut inside = self.enter_call();
        self.look(&mut inside, Looker::Sender, |inside, _| {
            self.read(inside);
        });
    }

    /// Reads one message, as a peer's share of a look ends. What is left is come back to.
    fn pump(&self, state: &mut State) {
        if state.drained && !state.cut {
            return;
        }
        let more = {
            let mut kernel = self.kernel.lock().unwrap();
            state.inbound += kernel.unread.min(1);
            kernel.unread = kernel.unread.saturating_sub(1);
            kernel.unread > 0
        };
        (state.drained, state.cut) = (!more, more);
        if more {
            self.wake();
        }
    }

    /// A send on a publisher, which reads what it is told of.
    pub(super) fn publish(&self) {
        let mut inside = self.enter_call();
        self.look(&mut inside, Looker::Call, |inside, _| self.pump(inside));
    }

    /// Who made calls is gone.
    pub(super) fn callers_end(&self) {
        self.happens(|kernel| kernel.ended = true);
    }

    /// The I/O thread, to which a caller seems away, does his work until nothing is
    /// told any more.
    pub(super) fn attend(&self) {
        self.flags.set_taken();
        loop {
            self.work(|inside, epoll| {
                self.pump(inside);
                Self::take_events(epoll, Some(Duration::ZERO));
                self.handle(inside, epoll);
                self.pump(inside);
                (!inside.cut, false)
            });
            if !self.await_edge() {
                return;
            }
        }
    }

    /// False: there will be none.
    fn await_edge(&self) -> bool {
        let mut kernel = self.kernel.lock().unwrap();
        loop {
            if std::mem::take(&mut kernel.edge) {
                return true;
            }
            if kernel.ended {
                return false;
            }
            kernel = self.changed.wait(kernel).unwrap();
        }
    }

    /// Messages that nobody has read.
    pub(super) fn unread(&self) -> u32 {
        self.kernel.lock().unwrap().unread
    }

    /// Whether the next receive has no need to wait.
    pub(super) fn holds_message(&self) -> bool {
        self.enter_call().inbound > 0
    }

    fn is_ready(&self, interest: Interest) -> Result<bool, Closed> {
        let mut inside = self.enter_call();
        Self::check(&inside)?;
        let ready = |state: &mut State| match interest {
            Interest::Message => self.has_message(state),
            Interest::Room => state.has_room,
        };
        if ready(&mut inside) {
            return Ok(true);
        }
        self.look(&mut inside, Looker::Poller, |_, _| {});
        Ok(ready(&mut inside))
    }

    pub(super) fn poll(&self, interest: Interest) -> Result<(), Closed> {
        self.poll_begins();
        self.poll_on(interest)
    }

    pub(super) fn poll_on(&self, interest: Interest) -> Result<(), Closed> {
        let result = loop {
            match self.is_ready(interest) {
                Ok(false) => self.await_kernel(Kernel::is_ready),
                Ok(true) => break Ok(()),
                Err(Closed) => break Err(Closed),
            }
        };
        self.poll_ends();
        result
    }

    /// Receives as a user's loop does.
    pub(super) fn recv_by_descriptor(&self) -> Result<(), Closed> {
        self.export_begins();
        while !self.try_recv()? {
            self.await_descriptor();
        }
        Ok(())
    }

    /// The same, and waits before it looks.
    pub(super) fn recv_when_told(&self) -> Result<(), Closed> {
        self.export_begins();
        self.await_descriptor();
        while !self.try_recv()? {
            self.await_descriptor();
        }
        Ok(())
    }

    fn await_descriptor(&self) {
        self.await_kernel(|kernel| kernel.raised || kernel.is_ready());
    }

    pub(super) fn close(&self) {
        let inside = self.enter_call();
        self.end_waits(inside, |inside| inside.closed = true);
    }

    /// Leaves something, as `Returns::give`.
    pub(super) fn leave(&self) {
        *self.pile.lock().unwrap() += 1;
        if self.left.leave(&self.flags) == Leaving::Awaited {
            self.wake();
        }
    }

    fn take_left(&self, inside: &mut State) {
        self.left.clear();
        inside.taken += std::mem::take(&mut *self.pile.lock().unwrap());
    }

    /// Waits until so much was left.
    pub(super) fn await_left(&self, count: u32) {
        let mut inside = self.enter_call();
        while inside.taken < count {
            inside = self.rest(inside, || Ok(None)).unwrap();
        }
    }

    /// The I/O thread takes the socket, looks once, and would again if woken.
    pub(super) fn take_over_for_good(&self) {
        self.flags.set_taken();
        self.work(|inside, _| {
            if self.left.any_after_all() {
                self.take_left(inside);
            }
            (true, false)
        });
    }

    /// Whether all that was left is taken, or the I/O thread woken for it.
    pub(super) fn is_left_seen(&self) -> bool {
        *self.pile.lock().unwrap() == 0 || self.kernel.lock().unwrap().woken
    }

    /// The I/O thread has taken the socket, or thinks so.
    pub(super) fn take_over(&self) {
        self.work(|inside, epoll| {
            let mut news = self.read(inside);
            Self::take_events(epoll, Some(Duration::ZERO));
            self.handle(inside, epoll);
            news |= self.read(inside);
            (true, news)
        });
    }
}
