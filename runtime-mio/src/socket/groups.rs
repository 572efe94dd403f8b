//! A DISH's groups (48/RADIO-DISH).

use ferromq_patterns::Subscription;

use super::AnySocket;
use crate::Error;

impl AnySocket {
    /// DISH: receive the messages to this group, and only to the very group: one
    /// of up to 255 bytes, none of them zero. A message is received as the group
    /// and the body.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on other types, [`Error::AlreadyJoined`],
    /// [`Error::Group`], [`Error::Subscription`], [`Error::Closed`],
    /// [`Error::Terminated`].
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), Error> {
        self.change_membership(Subscription::Subscribe, group.as_ref())
    }

    /// Takes one [`join`](Self::join) back.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on other types, [`Error::NotJoined`],
    /// [`Error::Closed`], [`Error::Terminated`].
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), Error> {
        self.change_membership(Subscription::Cancel, group.as_ref())
    }

    fn change_membership(&self, change: Subscription, group: &[u8]) -> Result<(), Error> {
        let core = self.core();
        let mut guard = core.enter();
        guard.check_open()?;
        guard.in_use = true;
        match change {
            Subscription::Subscribe => guard.machine.join(group)?,
            Subscription::Cancel => guard.machine.leave(group)?,
        }
        guard.spread_subscription(core, change, group);
        Ok(())
    }
}
