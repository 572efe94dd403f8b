//! Whether anybody looks after a socket.

use super::flags::Flags;
use super::mode::level;

/// A socket as the I/O thread saw it last.
pub(crate) struct Presence {
    epoch: u64,
    taken: bool,
}

/// Who sees to a socket's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attendance {
    /// Its callers: they have called since the last look.
    Present,
    /// A caller who waits for them, or the I/O thread, which has taken it.
    Attended,
    /// Nobody, if the caller has gone away.
    Alone,
}

impl Presence {
    pub(crate) fn new(flags: &Flags) -> Self {
        Self {
            epoch: flags.epoch(),
            taken: false,
        }
    }

    /// Looks whether callers have come or gone. A socket that somebody has
    /// called is not taken any more: its events go to whoever sees them first.
    pub(crate) fn look(&mut self, flags: &Flags) -> Attendance {
        let epoch = flags.epoch();
        if std::mem::replace(&mut self.epoch, epoch) != epoch {
            self.taken = false;
            return Attendance::Present;
        }
        if self.taken || flags.is_waited_for() {
            Attendance::Attended
        } else {
            Attendance::Alone
        }
    }

    /// The thread takes the socket. It registers its epoll next.
    pub(crate) fn take(&mut self, flags: &Flags) {
        self.taken = true;
        flags.set_taken();
    }

    /// The thread has left the socket to its callers.
    pub(crate) fn give_back(&mut self) {
        self.taken = false;
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.taken
    }

    /// Whether an event of the taken socket is the thread's to see to.
    pub(crate) fn is_away(&self, flags: &Flags) -> bool {
        flags.epoch() == self.epoch && flags.is_taken() && !flags.is_waited_for()
    }

    /// The mode that the socket asks for.
    pub(super) fn needs(&self, flags: &Flags) -> u8 {
        if flags.deferred() {
            level::FINE
        } else if flags.epoch() != self.epoch {
            level::COARSE
        } else {
            level::PARKED
        }
    }
}
