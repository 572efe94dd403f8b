//! What the owner of a receiving socket and the thread of a file tell each
//! other.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};

use crate::Frame;

use super::protocol::Digest;
use super::refusal::Refusal;

/// Which partial file belongs to an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The same for the same file, whenever it is offered.
    Known(Vec<u8>),
    /// Of this one offer. What came of it is not kept.
    Unknown(Vec<u8>),
}

impl Source {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Known(bytes) | Self::Unknown(bytes) => bytes,
        }
    }
}

/// What the owner of the socket tells an intake, in the order in which the
/// sender said it.
#[derive(Debug)]
pub(crate) enum Order {
    /// Begin, or begin again for another connection.
    Offer { ticket: u64, size: u64 },
    /// The sender's hash of as many bytes as were asked for.
    Proof { digest: Digest },
    /// The next bytes; that they are the next was checked.
    Chunk { data: Frame },
    /// All bytes were sent.
    End { digest: Digest },
}

/// What an intake says about the offer of this ticket.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) ticket: u64,
    pub(crate) told: Told,
}

#[derive(Debug)]
pub(crate) enum Told {
    /// The sender must show that it has the same first bytes.
    Prove { length: u64 },
    /// Chunks are awaited from there on.
    Accept { offset: u64 },
    /// Bytes are written up to there.
    Written { offset: u64 },
    /// The file is there, whole. An end.
    Done { digest: Digest },
    /// It will not be. An end.
    Refused(Refusal),
}

/// Orders in their order, with a look ahead.
pub(crate) struct Inbox {
    orders: Receiver<Order>,
    waiting: VecDeque<Order>,
}

impl Inbox {
    pub(crate) fn new(orders: Receiver<Order>) -> Self {
        Self {
            orders,
            waiting: VecDeque::new(),
        }
    }

    /// The next order; `None` once there will be none.
    pub(crate) fn next(&mut self) -> Option<Order> {
        self.waiting.pop_front().or_else(|| self.orders.recv().ok())
    }

    /// Whether what is being done is for nobody any more.
    pub(crate) fn overtakes(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.waiting.push_back(order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
        let newer = |order: &Order| matches!(order, Order::Offer { .. });
        self.waiting.iter().any(newer)
    }
}
