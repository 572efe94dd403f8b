//! Points at which a test may have this process killed: after every step that takes
//! something, or shows something to the peer.
//!
//! They exist with the feature `kill-points` only. Without it, [`passing`] is empty.

/// Declares the points with their labels, and the list of them.
macro_rules! kill_points {
    ($($(#[$doc:meta])* $point:ident = $label:literal,)*) => {
        /// A step behind which a process dies that was told to.
        ///
        /// The environment variable [`KILL_AT`] tells it, as it begins: a label, or a label,
        /// a colon and which passing of that point it is to die at, counted from 1. It dies
        /// by SIGKILL, as by `kill -9`. Of a label that does not exist nobody dies.
        #[cfg_attr(not(feature = "kill-points"), expect(unreachable_pub))]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum KillPoint {
            $($(#[$doc])* $point,)*
        }

        #[cfg(feature = "kill-points")]
        impl KillPoint {
            /// All of them, in the order in which a connection passes them.
            pub const ALL: &[Self] = &[$(Self::$point,)*];

            /// What [`KILL_AT`] calls it.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$point => $label,)*
                }
            }
        }
    };
}

kill_points! {
    /// The name is ours, and nobody can connect to it yet.
    NameBound = "name-bound",
    /// Others can connect to the name.
    Listening = "listening",
    /// The kernel has connected us; nothing is sent.
    SocketConnected = "socket-connected",
    /// A connection was taken from the listener's queue.
    SocketAccepted = "socket-accepted",
    /// The peer's greeting and its descriptor are here.
    GreetingReceived = "greeting-received",
    /// The peer's memory is mapped.
    PeerMapped = "peer-mapped",
    /// Our memory is a file without a length.
    MemoryCreated = "memory-created",
    /// It has all its pages.
    MemoryAllocated = "memory-allocated",
    /// It is mapped.
    MemoryMapped = "memory-mapped",
    /// Nobody can change its length, or map it for writing.
    MemorySealed = "memory-sealed",
    /// The greeting and the positions are in it.
    MemoryPrepared = "memory-prepared",
    /// The greeting and the descriptor are sent.
    GreetingSent = "greeting-sent",
    /// Bytes are in our ring, before the peer has greeted.
    EarlyBytesCopied = "early-bytes-copied",
    /// The head tells of them.
    EarlyHeadStored = "early-head-stored",
    /// We have closed, before the peer has greeted.
    EarlyClosedStored = "early-closed-stored",
    /// The first part of some bytes is in our ring; the rest belongs to its beginning.
    BytesCopiedInPart = "bytes-copied-in-part",
    /// Bytes are in our ring; the head does not tell of them.
    BytesCopied = "bytes-copied",
    /// The head tells of them; whether the peer sleeps was not looked at.
    HeadStored = "head-stored",
    /// The first part of some bytes was copied out of the peer's ring.
    BytesTakenInPart = "bytes-taken-in-part",
    /// Bytes were copied out of the peer's ring; the tail does not free their room.
    BytesTaken = "bytes-taken",
    /// The tail frees their room; whether the peer sleeps was not looked at.
    TailStored = "tail-stored",
    /// The peer sleeps, and is not rung for yet.
    BellDue = "bell-due",
    /// The peer is rung for.
    BellRung = "bell-rung",
    /// Bytes were taken off the bell.
    BellTaken = "bell-taken",
    /// We wait for input, and have not looked again.
    InputWanted = "input-wanted",
    /// We do not wait for input any more.
    InputUnwanted = "input-unwanted",
    /// We wait for room, and have not looked again.
    RoomWanted = "room-wanted",
    /// The peer knows on which processor we are about to sleep.
    CpuTold = "cpu-told",
    /// Memory of ours is lent to a payload, and nobody has heard of it.
    BlockLent = "block-lent",
    /// The peer has the descriptor of a region that we lend from.
    RegionLent = "region-lent",
    /// A region of the peer's is mapped.
    RegionMapped = "region-mapped",
    /// A payload of the peer's is found where it lies, and not given back.
    PayloadReached = "payload-reached",
    /// What was lent to a payload of ours has come back.
    BlockReturned = "block-returned",
    /// The peer was told that a region is not lent from any more.
    RegionEnded = "region-ended",
    /// Such a region of the peer's is forgotten.
    RegionUnmapped = "region-unmapped",
    /// We have said that nothing more is written or read.
    ClosedStored = "closed-stored",
    /// Both memories are unmapped; the socket is still there.
    MemoryUnmapped = "memory-unmapped",
    /// The socket is shut down, and not closed.
    SocketShut = "socket-shut",
}

#[cfg(not(feature = "kill-points"))]
pub(crate) const fn passing(_: KillPoint) {}

#[cfg(feature = "kill-points")]
pub use armed::KILL_AT;
#[cfg(feature = "kill-points")]
pub(crate) use armed::passing;

#[cfg(feature = "kill-points")]
mod armed {
    use std::sync::{Mutex, OnceLock};

    use rustix::process::{Signal, getpid, kill_process};

    use super::KillPoint;

    /// The environment variable that says at which [`KillPoint`] this process dies.
    pub const KILL_AT: &str = "FERROMQ_KILL_AT";

    /// Where this process dies, and how often it goes on before.
    struct Sentence {
        point: KillPoint,
        spared: Mutex<u64>,
    }

    impl Sentence {
        fn read() -> Option<Self> {
            let said = std::env::var(KILL_AT).ok()?;
            let (label, passing) = said.split_once(':').unwrap_or((&said, "1"));
            let point = KillPoint::ALL.iter().find(|it| it.label() == label)?;
            let passing: u64 = passing.parse().ok()?;
            Some(Self {
                point: *point,
                spared: Mutex::new(passing.saturating_sub(1)),
            })
        }

        fn is_due(&self) -> bool {
            let Ok(mut spared) = self.spared.lock() else {
                return false;
            };
            let due = *spared == 0;
            *spared = spared.saturating_sub(1);
            due
        }
    }

    /// Dies, if it was told to.
    pub(crate) fn passing(point: KillPoint) {
        static SENTENCE: OnceLock<Option<Sentence>> = OnceLock::new();
        let sentence = SENTENCE.get_or_init(Sentence::read);
        if let Some(sentence) = sentence.as_ref().filter(|it| it.point == point)
            && sentence.is_due()
        {
            // A signal to oneself is always allowed; no code of ours runs behind it.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}
