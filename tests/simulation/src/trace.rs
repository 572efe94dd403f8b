//! What happens, as numbers that are hashed, and as text when somebody reads it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io::Write;

use crate::message::Number;
use crate::random::mix;

/// One thing that happened. Sockets and connections go by their numbers.
#[derive(Clone, Copy, Debug, Hash)]
#[allow(missing_docs)] // the fields are what Display says
pub(crate) enum Step {
    Dial {
        socket: u8,
        target: u8,
        connection: u32,
    },
    Accepted {
        socket: u8,
        connection: u32,
    },
    Refused {
        connection: u32,
    },
    Attached {
        socket: u8,
        connection: u32,
        peer: u64,
    },
    TurnedAway {
        socket: u8,
        connection: u32,
    },
    Moved {
        connection: u32,
        from: u8,
        bytes: usize,
    },
    LinkLost {
        socket: u8,
        connection: u32,
        cause: Lost,
        requeued: usize,
        cut: u64,
    },
    Detached {
        socket: u8,
        peer: u64,
    },
    Sent {
        socket: u8,
        number: Number,
    },
    Blocked {
        socket: u8,
        number: Number,
    },
    Queued {
        socket: u8,
        peer: u64,
        number: Number,
    },
    Received {
        socket: u8,
        peer: u64,
        number: Number,
    },
    Dropped {
        socket: u8,
        cause: crate::drops::Cause,
    },
    Subscription {
        socket: u8,
        peer: u64,
        subscribes: bool,
        topic: u64,
    },
    Topic {
        socket: u8,
        subscribes: bool,
        topic: u64,
    },
    Cut {
        connection: u32,
        kept: [usize; 2],
    },
    Stall {
        connection: u32,
        from: u8,
        until: u64,
    },
    Partition {
        nodes: u32,
        until: u64,
    },
    Crash {
        node: u8,
    },
    Close {
        node: u8,
        linger: u64,
    },
    Closed {
        node: u8,
    },
    Start {
        node: u8,
        incarnation: u32,
    },
    Jump {
        node: u8,
        by: u64,
    },
    Pause {
        node: u8,
        until: u64,
    },
    Planted,
    FaultsStop,
    Probe,
    Leave,
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The peer closed in good order.
    Closed,
    /// The network broke it.
    Reset,
    /// The peer fell silent.
    Silent,
    /// The handshake came to nothing.
    Handshake,
    /// The peer broke the protocol.
    Protocol,
    /// We do not want it any more.
    Unwanted,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The derived form is made of words already: `Sent { socket: 0, number: 3 }`.
        write!(f, "{self:?}")
    }
}

/// The trace of a schedule.
pub(crate) struct Trace {
    hash: Fold,
    print: bool,
}

impl Trace {
    pub(crate) fn new(print: bool) -> Self {
        Self {
            hash: Fold(0),
            print,
        }
    }

    pub(crate) fn note(&mut self, at: u64, step: Step) {
        at.hash(&mut self.hash);
        step.hash(&mut self.hash);
        if self.print {
            // Whoever reads may stop reading.
            let _ = writeln!(std::io::stdout(), "{at:>9} us  {step}");
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.finish()
    }
}

/// A hash that is the same on every machine and with every compiler.
struct Fold(u64);

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        mix(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}
