//! Options of a socket that exists change.

use std::sync::Arc;

use ferromq_patterns::PeerId;

use super::core::Core;
use super::state::State;
use crate::hand_over::Awaited;
use crate::machine::Machine;
use crate::{Error, Options};

impl Core {
    /// Replaces the options, and lets the queues know.
    pub(crate) fn configure(&self, change: impl FnOnce(Options) -> Options) -> Result<(), Error> {
        let old = self.settings.current();
        // A user's code, so not under the lock: of two changes at once one wins.
        let new = change((*old).clone());
        new.check(self.socket_type)?;
        let mut guard = self.enter();
        guard.check_open()?;
        // As they are by now: the machine has to be what the options say.
        let now = self.settings.current();
        if let Some(option) = new.settled_option_changed(&now) {
            if guard.in_use {
                return Err(Error::Option {
                    option,
                    reason: "settled once the socket is bound, connected or subscribed".into(),
                });
            }
            guard.machine = Machine::new(self.socket_type, &new);
        }
        guard.machine.set_mandatory(new.router_mandatory);
        self.settings.replace(Arc::new(new));
        for id in guard.ids() {
            guard.limits_changed(self, id);
        }
        let wake = self.is_heard(&mut guard);
        drop(guard);
        if wake {
            self.wake();
        }
        Ok(())
    }
}

impl State {
    /// A pipe is full, or not, by the limits that hold now.
    fn limits_changed(&mut self, core: &Core, id: PeerId) {
        let Some(pipe) = self.pipe(id) else { return };
        if pipe.broken || pipe.ending || pipe.departing {
            return;
        }
        let Some(link) = pipe.link.as_deref_mut() else {
            return self.wait_for_link(core, id);
        };
        link.set_capacity(core.settings.receive_high_water_mark());
        let full = pipe.over(&core.settings);
        if std::mem::replace(&mut pipe.full, full) != full {
            match full {
                true => self.machine.peer_full(id),
                false => self.machine.peer_has_room(id),
            }
        }
        self.news = true;
    }
}
