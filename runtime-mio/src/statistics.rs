//! Counts, so that nothing is lost silently.

/// Why a message, or a part of what a peer sent, was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(usize)]
pub enum DropCause {
    /// PUB, XPUB, RADIO: this subscriber's pipe was full.
    SubscriberFull,
    /// PUB, XPUB, RADIO: nobody subscribed to it, or joined its group.
    NoPeer,
    /// ROUTER: the peer of this identity was full; XSUB: a publisher was.
    PeerFull,
    /// ROUTER: no peer has the identity; REP: the requester is gone.
    Unroutable,
    /// The connection ended with the message partly written, so that nobody
    /// knows whether it arrived.
    LinkLost,
    /// The peer of a bound endpoint went away with messages queued for it.
    PeerGone,
    /// `close` or `disconnect` gave up sending it (linger).
    Linger,
    /// A newer one took its place (conflate).
    Conflated,
    /// Received, but its shape breaks the pattern's rules (a request without
    /// delimiter, a reply nobody asked for, traffic in the wrong direction, the
    /// cancellation of what was not subscribed to). Of a REP that connected, a
    /// request whose connection ended before it was taken; of a relaxed REQ, the
    /// abandoned request that had not left, and its reply.
    Refused,
    /// Received, but no subscription matches any more, or no group is joined.
    Unsubscribed,
}

impl DropCause {
    /// Every cause, in the order of [`Drops`].
    pub const ALL: [Self; 10] = [
        Self::SubscriberFull,
        Self::NoPeer,
        Self::PeerFull,
        Self::Unroutable,
        Self::LinkLost,
        Self::PeerGone,
        Self::Linger,
        Self::Conflated,
        Self::Refused,
        Self::Unsubscribed,
    ];

    /// The cause as a word for machines: `subscriber_full`, `link_lost`, …
    pub const fn name(self) -> &'static str {
        match self {
            Self::SubscriberFull => "subscriber_full",
            Self::NoPeer => "no_peer",
            Self::PeerFull => "peer_full",
            Self::Unroutable => "unroutable",
            Self::LinkLost => "link_lost",
            Self::PeerGone => "peer_gone",
            Self::Linger => "linger",
            Self::Conflated => "conflated",
            Self::Refused => "refused",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// Messages dropped, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drops([u64; DropCause::ALL.len()]);

impl Drops {
    /// Messages dropped for this cause.
    pub fn of(&self, cause: DropCause) -> u64 {
        self.0[cause as usize]
    }

    /// The causes that dropped any, and how many messages each.
    pub fn iter(&self) -> impl Iterator<Item = (DropCause, u64)> {
        let all = DropCause::ALL.into_iter().zip(self.0);
        all.filter(|(_, messages)| *messages > 0)
    }

    /// Messages dropped for any cause.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, cause: DropCause, messages: u64) {
        self.0[cause as usize] += messages;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(sum, more)| *sum += more);
    }
}

/// Traffic in both directions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Whole messages taken by the application.
    pub messages_received: u64,
    /// Payload bytes of these messages.
    pub bytes_received: u64,
    /// Whole messages accepted for sending.
    pub messages_sent: u64,
    /// Payload bytes of these messages.
    pub bytes_sent: u64,
    /// Payloads that went by reference: the peer reads them where they lie.
    pub references_sent: u64,
    /// Payloads that came by reference.
    pub references_received: u64,
    /// Payloads that would have gone by reference, had there been memory for them.
    /// They went through the connection.
    pub references_refused: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, other: &Self) {
        self.messages_received += other.messages_received;
        self.bytes_received += other.bytes_received;
        self.messages_sent += other.messages_sent;
        self.bytes_sent += other.bytes_sent;
        self.references_sent += other.references_sent;
        self.references_received += other.references_received;
        self.references_refused += other.references_refused;
    }
}

/// Whether a peer's connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// It does.
    Connected,
    /// It does not, or not yet, and is being made: messages wait for it.
    Unconnected,
    /// It ended, and nothing brings it back: what it sent is still received.
    Leaving,
}

/// What waits in a pipe, each way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queued {
    pub(crate) messages_out: usize,
    pub(crate) bytes_out: usize,
    pub(crate) messages_in: usize,
    pub(crate) bytes_in: usize,
}

/// The state of one peer, or of one endpoint that was connected and has no
/// connection right now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStatistics {
    /// Tells the peers of a socket apart; never used again. A peer that was
    /// accepted and comes back is another one.
    pub id: u64,
    /// The endpoint that was bound or connected.
    pub endpoint: String,
    /// The peer's address, while a connection stands.
    pub address: Option<String>,
    /// The scheme of the transport that carries the connection, where that is not the
    /// endpoint's: `shm` after a switch.
    pub via: Option<&'static str>,
    /// The identity that the peer gave, or that ROUTER knows it by; SERVER and
    /// PEER: its routing id.
    pub identity: Vec<u8>,
    /// Whether its connection stands.
    pub state: PeerState,
    /// What passed.
    pub traffic: Traffic,
    /// What was dropped.
    pub drops: Drops,
    /// Messages that wait to be written.
    pub queued_messages: usize,
    /// Bytes that wait to be written.
    pub queued_bytes: usize,
    /// Messages that were decoded and that the application has not received.
    /// While it makes calls this is 0: messages are decoded when they are asked
    /// for.
    pub received_messages: usize,
    /// Bytes that were read and that the application has not received: those of
    /// these messages, and up to a receive block (128 KiB) or a long message
    /// that is under way.
    pub received_bytes: usize,
    /// Connections made after the first.
    pub reconnects: u64,
    /// Unknown commands that the peer sent and that were ignored.
    pub ignored_commands: u32,
}

/// The state of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// One entry a peer, in no particular order.
    pub peers: Vec<PeerStatistics>,
    /// What passed, with the peers that are gone.
    pub traffic: Traffic,
    /// What was dropped, with the peers that are gone.
    pub drops: Drops,
    /// Handshakes that failed, both ways.
    pub handshakes_failed: u64,
    /// Of these, the ones in which a peer was not let in for who it is, or a
    /// peer did not let us in and told the status.
    pub authentications_failed: u64,
    /// Of these in turn, the peers that nobody decided on: no handler was there,
    /// it did not answer in time, or its reply was malformed.
    pub authentications_undecided: u64,
    /// Peers that were turned away for their addresses, or on `ipc://` for their
    /// user, before a byte of theirs was read.
    pub addresses_refused: u64,
    /// Peers that were let in without saying which type of socket they are
    /// (37/ZMTP wants a Socket-Type; some that do without are harmless).
    pub untyped_peers: u64,
    /// Connections that took a shorter path than their endpoint's
    /// ([`Options::switch`](crate::Options::switch)).
    pub switched: u64,
    /// Connections that stayed where they were, though both ends were on one machine
    /// and did that: it failed, or the context had as many as it may.
    pub switches_refused: u64,
    /// Connections ended because the peer broke the protocol, or exceeded a
    /// limit, after its handshake.
    pub violations: u64,
}

impl Statistics {
    /// Peers whose connection stands.
    pub fn connected(&self) -> usize {
        self.peers
            .iter()
            .filter(|peer| peer.address.is_some())
            .count()
    }
}
