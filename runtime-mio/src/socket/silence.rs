//! A link that is looked at again and again tells nobody of what comes.
//!
//! Who spins for the next message, or takes back what it lent before each payload, finds
//! by itself what comes, and being woken for it costs the peer a system call. So it lets
//! the peer off that, and leaves it so when it has found something: it will look again.
//! Otherwise, with a few messages under way, each side would ring the other for every
//! second of them, which took a fifth of the time of both.
//!
//! The silence ends with [`State::count_on_events`]. Everybody calls that, under the
//! socket's lock, who counts on events from then on: who sleeps in the epoll or looks at
//! it, a poller, a user's loop, and the I/O thread where the caller has gone away. No link
//! is silenced while somebody besides the call counts on events. [`Awaited`] has that
//! order, and its models prove it.

use ferromq_patterns::PeerId;
use ferromq_transport::Wait;

use super::core::{Core, Entered};
use super::spin::{Spin, Turn};
use super::state::State;
use crate::hand_over::Awaited;
use crate::link::Link;
use crate::pipe::Pipe;

/// What is looked for again and again.
pub(super) struct Search {
    /// Whether it has paid lately.
    pub(super) spin: fn(&mut State) -> &mut Spin,
    /// A look at the link of the peer. True: it is there, or the link is gone.
    pub(super) look: fn(&mut State, &Core, PeerId) -> bool,
}

impl Core {
    /// Looks a little longer at the only link. The lock is free between two looks.
    #[cold]
    pub(super) fn spin<'a>(
        &'a self,
        mut guard: Entered<'a>,
        mut turn: Turn,
        search: &Search,
    ) -> Entered<'a> {
        // Not while somebody else waits: that one counts on being told.
        let Some(silenced) = self.silence(&mut guard) else {
            return guard;
        };
        let found = loop {
            if (search.look)(&mut guard, self, silenced) {
                break true;
            }
            let sleeper = guard.seat.is_taken();
            if sleeper || !(search.spin)(&mut guard).goes_on(&mut turn) {
                break guard.end_silence().is_some() || sleeper;
            }
            drop(guard);
            for _ in 0..4 {
                std::hint::spin_loop();
            }
            guard = self.enter();
        };
        (search.spin)(&mut guard).finish(&turn, found);
        guard
    }

    /// Lets the peer of the only link off telling of what comes, unless somebody else is
    /// to hear of that. Whose link it is.
    pub(super) fn silence(&self, guard: &mut Entered<'_>) -> Option<PeerId> {
        if !self.may_silence(guard) {
            return None;
        }
        let (id, link) = only_link(&mut guard.pipes)?;
        link.transport.begin_polling();
        guard.silenced = Some(id);
        Some(id)
    }
}

impl State {
    /// Has the link tell again. Whose it is, if it holds something already.
    fn end_silence(&mut self) -> Option<PeerId> {
        let silenced = self.silenced.take()?;
        let link = self.pipe(silenced)?.link.as_deref_mut()?;
        if link.transport.prepare_wait() == Wait::Sleep {
            return None;
        }
        link.drained = false;
        self.machine.peer_readable(silenced);
        Some(silenced)
    }

    /// The same for who counts on events: what is there already is as good as one.
    pub(super) fn count_on_events(&mut self, core: &Core) {
        if let Some(id) = self.end_silence() {
            self.unread.push(id);
            core.wake();
        }
    }
}

/// The link of a socket that has one, and whose it is.
pub(super) fn only_link(pipes: &mut [Option<Box<Pipe>>]) -> Option<(PeerId, &mut Link)> {
    let pipes = pipes.iter_mut().flatten();
    let mut linked = pipes.filter_map(|pipe| Some((pipe.id, pipe.link.as_deref_mut()?)));
    match (linked.next(), linked.next()) {
        (only, None) => only,
        _ => None,
    }
}
