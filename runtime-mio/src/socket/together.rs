//! Many messages that are to leave in few writes.

use super::AnySocket;

/// While it lives, small messages that the socket sends leave together: see
/// [`AnySocket::together`].
#[derive(Debug)]
#[must_use = "what is sent leaves together for as long as this lives"]
pub struct Together<'a> {
    socket: &'a AnySocket,
}

impl AnySocket {
    /// For whoever has many messages to send at once. Of a burst the first ones leave
    /// each on its own, for nobody knows that more follow; while what this answers
    /// lives, they wait for 64 KiB, for a wait, or until they are 30 us old. Dropping
    /// it writes what is left. No message waits longer than without it would be usual
    /// within a burst. O(1), and a flush.
    ///
    /// ```
    /// # use ferromq_mio::{AnySocket, Error};
    /// fn give(push: &AnySocket, tasks: &[Vec<u8>]) -> Result<(), Error> {
    ///     let _together = push.together();
    ///     tasks.iter().try_for_each(|task| push.send_bytes(task))
    /// }
    /// ```
    pub fn together(&self) -> Together<'_> {
        self.core().enter().pace.begins_batch();
        Together { socket: self }
    }
}

impl Drop for Together<'_> {
    fn drop(&mut self) {
        self.socket.core().enter().pace.ends_batch();
        // A socket that was closed meanwhile has nothing to flush here.
        let _ = self.socket.flush();
    }
}
