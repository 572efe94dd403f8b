//! What goes wrong when it is asked to.

use super::Fabric;

/// Sends and reads are tried so often beside the first time.
const RETRIES: u32 = 7;

/// Whether the network carries anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    /// It does.
    #[default]
    Up,
    /// It does not: whoever sends has no answer, and gives up.
    Down,
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    link: LinkState,
    /// Transmissions that are lost next.
    lost: u32,
    /// One in so many transmissions is lost; 0: none.
    lossy: u32,
    sent: u32,
    /// Retransmissions so far.
    pub(super) repeated: u64,
    /// Bytes that may be registered, of all queues.
    pub(super) registered_max: Option<usize>,
    /// What registrations and their ends fail with.
    pub(super) register: Option<i32>,
    pub(super) deregister: Option<i32>,
}

impl Faults {
    /// Whether a transmission arrives, tried as often as a device tries.
    pub(super) fn arrives(&mut self) -> bool {
        if self.link == LinkState::Down {
            return false;
        }
        for _ in 0..=RETRIES {
            self.sent = self.sent.wrapping_add(1);
            let unlucky = self.lossy > 0 && self.sent.is_multiple_of(self.lossy);
            if self.lost == 0 && !unlucky {
                return true;
            }
            self.lost = self.lost.saturating_sub(1);
            self.repeated += 1;
        }
        false
    }
}

impl Fabric {
    /// Loses the next transmissions. One that is lost 8 times is given up, and its queue
    /// fails ([`RetryExceeded`](crate::Status::RetryExceeded)).
    pub fn lose(&self, transmissions: u32) {
        self.with(|state| state.faults.lost = transmissions);
    }

    /// Loses one in so many transmissions from now on; 0: none.
    pub fn lose_one_in(&self, transmissions: u32) {
        self.with(|state| state.faults.lossy = transmissions);
    }

    /// How often something was sent again.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.lock().faults.repeated
    }

    /// Takes the network down, or up again.
    pub fn set_link(&self, link: LinkState) {
        self.with(|state| state.faults.link = link);
    }

    /// Lets so many bytes be registered at a time, of all links together (as the limit
    /// of locked memory does); `None`: any number.
    pub fn limit_registrations(&self, bytes: Option<usize>) {
        self.with(|state| state.faults.registered_max = bytes);
    }

    /// Fails registrations with this error number of the system's; `None`: none.
    pub fn fail_registrations(&self, errno: Option<i32>) {
        self.with(|state| state.faults.register = errno);
    }

    /// Fails the ends of registrations with this error number of the system's, so that
    /// their keys stay good; `None`: none.
    pub fn fail_deregistrations(&self, errno: Option<i32>) {
        self.with(|state| state.faults.deregister = errno);
    }

    /// Bytes that are registered now.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.lock().registered()
    }

    /// Has what is posted wait, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.with(|state| state.paused = true);
    }

    /// Carries out what waits.
    pub fn resume(&self) {
        self.with(|state| state.paused = false);
    }

    /// Takes all devices away while they are used.
    pub fn remove_devices(&self) {
        self.with(|state| state.remove_devices());
    }

    /// Ends every connection as the death of the process that accepted it does: without a
    /// word, and its peers hear of it from the system.
    pub fn kill_accepted(&self) {
        self.with(|state| state.kill_accepted());
    }
}
