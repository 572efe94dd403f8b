//! Payloads of peers' that nobody looks at any more, on their way back.
//!
//! The last handle of a frame may be dropped on any thread, inside the socket's lock
//! or long after the socket. So it only leaves a token here, and whoever works for the
//! socket next sends it: the call that is being made, or the next one, before it
//! sleeps; the I/O thread, if it has the socket. Somebody who sleeps is woken.
//!
//! No token is left behind: `hand_over/left.rs` says why, and its models prove it.

use std::sync::{Arc, Mutex, Weak};

use ferromq_patterns::PeerId;
use ferromq_transport::Lender;

use super::core::{Core, Entered};
use super::silence::{Search, only_link};
use super::spin::Turn;
use super::state::State;
use crate::hand_over::{Leaving, Left};
use crate::link::References;
use crate::monitor::EventKind;
use crate::pipe::Pipe;
use crate::sync::lock_unpoisoned;
use crate::{Error, Frame};

/// A token, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GivenBack {
    pub(crate) peer: PeerId,
    /// Which of the peer's links: a later one does not know it.
    pub(crate) link: u64,
    pub(crate) token: u64,
}

/// The tokens that wait to be sent, of all links of a socket.
pub(crate) struct Returns {
    waiting: Mutex<Vec<GivenBack>>,
    left: Left,
    socket: Weak<Core>,
}

impl Returns {
    pub(super) fn new(socket: Weak<Core>) -> Self {
        Self {
            waiting: Mutex::default(),
            left: Left::new(),
            socket,
        }
    }

    /// Leaves a token to be sent.
    pub(crate) fn give(&self, token: GivenBack) {
        lock_unpoisoned(&self.waiting).push(token);
        if let Some(socket) = self.socket.upgrade() {
            match self.left.leave(&socket.flags) {
                Leaving::More => {}
                // This thread makes its calls, and is expected to make another one.
                Leaving::Unattended if socket.state.belongs_to_this_thread() => {}
                Leaving::Unattended | Leaving::Awaited => socket.wake_epoll(),
            }
        }
    }

    /// Whether there are any, for one who looks again before he sleeps.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.left.any()
    }

    /// The same for one who is about to sleep.
    pub(super) fn any_after_all(&self) -> bool {
        self.left.any_after_all()
    }

    fn take(&self) -> Vec<GivenBack> {
        self.left.clear();
        std::mem::take(&mut *lock_unpoisoned(&self.waiting))
    }
}

/// A sender looks for what it lent.
const RETURNS: Search = Search {
    spin: |state| &mut state.spin_for_returns,
    look: State::look_for_room_of,
};

impl Core {
    /// Takes back what peers are done with, of what events tell.
    pub(super) fn look_for_returns(&self) {
        let mut guard = self.enter();
        self.service(&mut guard);
        guard.look_for_returns(self, |_| true);
    }

    /// For a sender without room: looks what peers give back, a little longer if that may
    /// make room. From who receives without a pause it comes as quickly as an answer.
    #[cold]
    pub(super) fn await_returns<'a>(
        &'a self,
        mut guard: Entered<'a>,
    ) -> Result<Entered<'a>, Error> {
        self.look_for_warm_memory(&mut guard);
        guard.flush_deferred(self);
        if let Some(turn) = guard.start_spin_for_returns(self) {
            guard = self.spin(guard, turn, &RETURNS);
            guard.check_open()?;
            guard.pace.begins_burst();
        }
        Ok(guard)
    }

    /// Takes back what peers are done with, for a payload that is put into such memory
    /// next: what came back last is in the caches, the next block is not. A copy of
    /// 10 MiB into six in turn takes a third longer than into the same two.
    pub(super) fn look_for_warm_memory(&self, guard: &mut Entered<'_>) {
        if guard.by_reference > 0 {
            // As before each payload: nobody has to wake us for it.
            self.silence(guard);
            guard.look_for_returns(self, |_| true);
        }
    }
}

impl State {
    /// Sends the tokens that wait.
    #[inline]
    pub(super) fn give_back(&mut self, core: &Core) {
        if core.returns.any_after_all() {
            self.send_returns(core);
        }
    }

    #[cold]
    fn send_returns(&mut self, core: &Core) {
        let mut touched: Vec<PeerId> = Vec::new();
        for GivenBack { peer, link, token } in core.returns.take() {
            let pipe = self.pipe(peer).filter(|pipe| !pipe.broken);
            let Some(of) = pipe.and_then(|pipe| pipe.link.as_deref_mut()) else {
                continue;
            };
            if of.release(link, token) && touched.last() != Some(&peer) {
                touched.push(peer);
            }
        }
        for peer in touched {
            let link = self.pipe(peer).and_then(|pipe| pipe.link.as_deref());
            if link.is_some_and(|link| !link.output.blocked) {
                self.flush(core, peer);
            }
        }
    }

    /// Tells when what a peer keeps is what fills its pipe.
    pub(super) fn tell_if_kept(&mut self, core: &Core, id: PeerId) {
        let Some(pipe) = self.pipe(id).filter(|pipe| pipe.full) else {
            return;
        };
        let Some((payloads, bytes)) = pipe.full_of_kept(&core.settings) else {
            return;
        };
        let peer = pipe.link.as_ref().map(|link| &*link.peer);
        core.tell(&pipe.endpoint, peer, || EventKind::Keeps {
            payloads,
            bytes,
        });
    }

    /// A peer gave a payload back: there may be room for another.
    pub(super) fn was_given_back(&mut self, core: &Core, id: PeerId, frame: Frame) {
        self.finished.push(frame);
        let Some(pipe) = self.pipe(id).filter(|pipe| pipe.full) else {
            return;
        };
        if !pipe.departing && !pipe.broken && pipe.recovered(&core.settings) {
            pipe.full = false;
            self.news = true;
            self.machine.peer_has_room(id);
        }
    }

    /// Reads what those of the peers have sent that were lent something, whether or not
    /// an event told of it: what they gave back is room.
    #[cold]
    pub(super) fn look_for_returns(&mut self, core: &Core, whose: impl Fn(&Pipe) -> bool) {
        for index in 0..self.pipes.len() {
            let pipe = self.pipes[index].as_deref_mut();
            let Some(pipe) = pipe.filter(|pipe| whose(pipe)) else {
                continue;
            };
            let id = pipe.id;
            let Some(link) = pipe.link.as_deref_mut().filter(|link| link.lends()) else {
                continue;
            };
            link.drained = false;
            self.pump(core, id);
        }
    }

    /// Whether to look a little longer at what the only peer was lent: if that is what
    /// fills its pipe.
    fn start_spin_for_returns(&mut self, core: &Core) -> Option<Turn> {
        let (id, _) = only_link(&mut self.pipes)?;
        let pipe = self.pipe(id)?;
        if !pipe.full || pipe.full_of_kept(&core.settings).is_none() {
            return None;
        }
        let link = self.pipes.get(id.index())?.as_deref()?.link.as_deref()?;
        self.spin_for_returns.start(|| link.transport.shares_core())
    }

    /// Whether a peer has given back what makes room.
    fn look_for_room_of(&mut self, core: &Core, peer: PeerId) -> bool {
        self.look_for_returns(core, |pipe| pipe.id == peer);
        self.pipe(peer).is_none_or(|pipe| !pipe.full)
    }

    /// Where memory comes from that a peer reads in place, if one of them does.
    pub(super) fn lender(&self) -> Option<Arc<dyn Lender>> {
        if self.by_reference == 0 {
            return None;
        }
        let links = self
            .pipes
            .iter()
            .flatten()
            .filter_map(|pipe| pipe.link.as_deref());
        links
            .filter_map(|link| link.references.as_deref())
            .map(References::lender)
            .next()
    }
}
