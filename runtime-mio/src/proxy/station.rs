//! One of a proxy's sockets, as the proxy calls it: never waiting.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::{ProxyError, ProxyRole};
use crate::hand_over::Looker;
use crate::poller::Waited;
use crate::socket::{AnySocket, Core, Patience};
use crate::{Error, Message};

/// A socket and what it is for.
#[derive(Clone)]
pub(super) struct Station {
    role: ProxyRole,
    socket: AnySocket,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Sent,
    /// There is no room: later, perhaps.
    Full,
    /// The pattern has no place for it, now or later.
    Refused,
}

impl Station {
    pub(super) fn new(role: ProxyRole, socket: AnySocket) -> Self {
        Self { role, socket }
    }

    pub(super) fn role(&self) -> ProxyRole {
        self.role
    }

    pub(super) fn socket(&self) -> &AnySocket {
        &self.socket
    }

    pub(super) fn is_same_socket(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.core(), other.core())
    }

    /// The next message of those that are known to have come. Events that wait
    /// in the socket's epoll are left there: see [`attend`](Self::attend).
    #[inline]
    pub(super) fn take(&self) -> Result<Option<Message>, ProxyError> {
        let core = self.core();
        let mut guard = core.enter();
        if let Some(frame) = guard.pop_short(core) {
            return Ok(Some(Message::from(frame)));
        }
        guard.check_open().map_err(|cause| self.failed(cause))?;
        Ok(guard.pop(core))
    }

    /// Whether a message would find room, as far as is known. A ROUTER, and a
    /// publisher that does not drop, know that of each message only.
    #[inline]
    pub(super) fn has_room(&self) -> bool {
        let guard = self.core().enter();
        guard.machine.may_send(guard.inbound.peeked.is_some())
    }

    /// Gives the socket a message, of which it keeps handles.
    #[inline]
    pub(super) fn put(&self, message: &Message) -> Result<Put, ProxyError> {
        match self.core().send(message, Patience::None) {
            Ok(()) => Ok(Put::Sent),
            Err(Error::WouldBlock) => Ok(Put::Full),
            // What a peer may cause ends nobody else's traffic.
            Err(
                Error::TooFewParts { .. }
                | Error::WrongParts { .. }
                | Error::HostUnreachable { .. }
                | Error::Group(_)
                | Error::Subscription { .. }
                | Error::State(_),
            ) => Ok(Put::Refused),
            Err(cause) => Err(self.failed(cause)),
        }
    }

    /// Writes what is deferred, and gives payloads back. True: there was something, and
    /// there may be room now.
    pub(super) fn flush(&self) -> Result<bool, ProxyError> {
        self.core().flush().map_err(|cause| self.failed(cause))
    }

    /// Takes notice of what the socket's epoll tells, as a waiting caller does.
    pub(super) fn attend(&self) -> Result<(), ProxyError> {
        let core = self.core();
        let mut guard = core.enter();
        guard.check_open().map_err(|cause| self.failed(cause))?;
        core.service_for(&mut guard, Looker::Poller);
        Ok(())
    }

    /// Has the socket's events for the proxy alone while the answer lives.
    pub(super) fn wait_begins(&self) -> Waited<'_> {
        Waited::begin(self.core())
    }

    /// What becomes readable when there is something to attend to.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.core().epoll_fd()
    }

    fn core(&self) -> &Arc<Core> {
        self.socket.core()
    }

    #[cold]
    fn failed(&self, cause: Error) -> ProxyError {
        let role = self.role;
        ProxyError::Socket { role, cause }
    }
}
