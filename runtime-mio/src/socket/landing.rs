//! Memory that the application offers for a long body.

use ferromq_patterns::PeerId;

use super::core::Core;
use super::state::State;
use crate::link::{LinkError, leave_frames};
use crate::memory::Landing;

impl Core {
    /// Offers memory; what was offered before and nothing came for.
    pub(super) fn offer(&self, landing: Landing) -> Option<Landing> {
        let mut guard = self.enter();
        // Whoever has the one before keeps it for himself.
        let before = guard.withdraw(self);
        guard.pools.offer.put(landing);
        before
    }

    /// Takes an offer back.
    pub(super) fn withdraw(&self) -> Option<Landing> {
        self.enter().withdraw(self)
    }
}

impl State {
    /// O(peers) where a body has come for it, or began to; else O(1).
    fn withdraw(&mut self, core: &Core) -> Option<Landing> {
        let unused = self.pools.offer.withdraw();
        if unused.is_some() {
            return unused;
        }
        let start = self.pools.offer.forget()?;
        for id in self.ids() {
            self.leave_landing(core, id, start);
        }
        let Self { inbound, pools, .. } = self;
        if let Some(message) = &mut inbound.peeked {
            // Without memory for a copy it stays where it is, which harms nothing:
            // it is written no more.
            let left = leave_frames(message.parts_mut(), start, pools);
            self.finished.extend(left.unwrap_or_default());
        }
        None
    }

    /// Nothing of this peer's lies in the application's memory afterwards.
    fn leave_landing(&mut self, core: &Core, id: PeerId, start: usize) {
        let Self { pipes, pools, .. } = self;
        let pipe = pipes.get_mut(id.index()).and_then(Option::as_deref_mut);
        let Some(pipe) = pipe else { return };
        let mut finished = Vec::new();
        for message in &mut pipe.inbound {
            let left = leave_frames(message.parts_mut(), start, pools);
            finished.append(&mut left.unwrap_or_default());
        }
        let left = match pipe.link.as_deref_mut() {
            Some(link) => link.leave_landing(start, pools),
            None => Ok(Vec::new()),
        };
        match left {
            Ok(mut left) => finished.append(&mut left),
            // What would go on to be written is not his any more.
            Err(cause) => self.link_lost(core, id, &LinkError::Memory(cause)),
        }
        self.finished.append(&mut finished);
    }
}
