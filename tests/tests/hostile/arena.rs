//! A socket under test, a peer of it that does nothing wrong, and all that a
//! hostile peer may not change for it.

use ferromq::{EventKind, Options, SocketType, Statistics};
use ferromq_tests::{
    Greeting, MORE, Ours, RawFrame, RawPeer, Sharing, Via, command_body, metadata,
};

/// The patterns that each row is tried on, where it can reach them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pull,
    Pub,
    Rep,
    Router,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Pull, Self::Pub, Self::Rep, Self::Router];

    pub(crate) fn socket_type(self) -> SocketType {
        match self {
            Self::Pull => SocketType::Pull,
            Self::Pub => SocketType::Pub,
            Self::Rep => SocketType::Rep,
            Self::Router => SocketType::Router,
        }
    }

    /// What a peer of it calls itself.
    pub(crate) fn peer_type(self) -> &'static str {
        match self {
            Self::Pull => "PUSH",
            Self::Pub => "SUB",
            Self::Rep => "REQ",
            Self::Router => "DEALER",
        }
    }

    /// What its peer puts in front of the application's frames.
    pub(crate) fn envelope(self) -> &'static [&'static [u8]] {
        match self {
            Self::Rep => &[b""],
            _ => &[],
        }
    }

    /// Whether what its peer sends reaches the application.
    pub(crate) fn receives(self) -> bool {
        self != Self::Pub
    }
}

/// A peer that does nothing wrong.
pub(crate) trait Neighbour {
    fn send_message(&mut self, parts: &[&[u8]]);
    fn read_message(&mut self) -> Vec<Vec<u8>>;
    fn subscribe(&mut self, topic: &[u8]);
    /// Waits until the socket has acted on all that was sent.
    fn settle(&mut self);
}

impl Neighbour for RawPeer {
    fn send_message(&mut self, parts: &[&[u8]]) {
        RawPeer::send_message(self, parts);
    }

    fn read_message(&mut self) -> Vec<Vec<u8>> {
        RawPeer::read_message(self)
    }

    fn subscribe(&mut self, topic: &[u8]) {
        self.send_command("SUBSCRIBE", topic);
    }

    fn settle(&mut self) {
        RawPeer::settle(self);
    }
}

/// A neighbour that is asked for signs of life, and gives them.
pub(crate) struct Alive(pub(crate) RawPeer);

impl Alive {
    /// Reads past the PINGs.
    fn read(&mut self) -> RawFrame {
        loop {
            let frame = self.0.read_frame();
            if !frame.is_command() || frame.command().0 != "PING" {
                return frame;
            }
            let context = &frame.command().1[2..];
            self.0.send_command("PONG", context);
        }
    }
}

impl Neighbour for Alive {
    fn send_message(&mut self, parts: &[&[u8]]) {
        self.0.send_message(parts);
    }

    fn read_message(&mut self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        loop {
            let frame = self.read();
            parts.push(frame.body);
            if frame.flags & MORE == 0 {
                return parts;
            }
        }
    }

    fn subscribe(&mut self, topic: &[u8]) {
        self.0.send_command("SUBSCRIBE", topic);
    }

    fn settle(&mut self) {
        self.0.send_command("PING", b"\0\0set");
        assert_eq!(self.read().command(), ("PONG".into(), b"set".to_vec()));
    }
}

/// The battlefield: what is counted must add up at any time, and the neighbour
/// is served all along.
pub(crate) struct Arena {
    pub(crate) ours: Ours,
    pub(crate) kind: Kind,
    neighbour: Box<dyn Neighbour>,
    rounds: u32,
    /// Strangers who never became peers, as far as we know.
    failed: u64,
    /// Peers who were thrown out.
    violations: u64,
}

impl Arena {
    /// Over tcp, with default options.
    pub(crate) fn new(kind: Kind) -> Self {
        Self::with(kind, Options::new())
    }

    /// Over tcp.
    pub(crate) fn with(kind: Kind, options: Options) -> Self {
        Self::via(kind, options, Via::Tcp)
    }

    pub(crate) fn via(kind: Kind, options: Options, via: Via) -> Self {
        let ours = Ours::bound(kind.socket_type(), options, via);
        let neighbour = RawPeer::identified(ours.endpoint(), kind.peer_type(), NEIGHBOUR);
        Self::around(kind, ours, neighbour)
    }

    /// One for each pattern, with its row tried on it.
    pub(crate) fn each(mut row: impl FnMut(Arena)) {
        for kind in Kind::ALL {
            row(Self::new(kind));
        }
    }

    /// A socket that has let this neighbour in.
    pub(crate) fn around(kind: Kind, ours: Ours, mut neighbour: impl Neighbour + 'static) -> Self {
        ours.await_peer();
        if kind == Kind::Pub {
            neighbour.subscribe(NEIGHBOUR);
        }
        neighbour.settle();
        let mut arena = Self {
            ours,
            kind,
            neighbour: Box::new(neighbour),
            rounds: 0,
            failed: 0,
            violations: 0,
        };
        arena.serves();
        arena
    }

    /// Sees that the neighbour is served as if it were alone.
    pub(crate) fn serves(&mut self) {
        self.rounds += 1;
        let number = self.rounds.to_be_bytes();
        let said = [NEIGHBOUR, &number];
        let (ours, neighbour) = (&self.ours, &mut self.neighbour);
        match self.kind {
            Kind::Pull => {
                neighbour.send_message(&said);
                assert_eq!(ours.recv_parts(), said);
            }
            Kind::Pub => {
                ours.send(said).expect("a PUB never waits");
                assert_eq!(neighbour.read_message(), said);
            }
            Kind::Rep => {
                neighbour.send_message(&[b"", &number[..]]);
                assert_eq!(ours.recv_parts(), [number]);
                ours.send(number.as_slice()).expect("a reply");
                assert_eq!(neighbour.read_message(), [b"", &number[..]]);
            }
            Kind::Router => {
                neighbour.send_message(&[&number]);
                assert_eq!(ours.recv_parts(), said);
                ours.send(said).expect("a known identity");
                assert_eq!(neighbour.read_message(), [number]);
            }
        }
    }

    /// The same while others may be heard as well.
    pub(crate) fn serves_among_noise(&mut self) {
        self.rounds += 1;
        let number = self.rounds.to_be_bytes();
        let said: [&[u8]; 2] = [NEIGHBOUR, &number];
        let (ours, neighbour) = (&self.ours, &mut self.neighbour);
        let hears = |wanted: &[&[u8]]| while ours.recv_parts() != wanted {};
        match self.kind {
            Kind::Pull => {
                neighbour.send_message(&said);
                hears(&said);
            }
            Kind::Rep => {
                neighbour.send_message(&[b"", &number[..]]);
                // Whoever asks is answered, or nobody else is heard.
                loop {
                    let asked = ours.recv_parts();
                    ours.send(number.as_slice()).expect("a reply");
                    if asked == [number] {
                        break;
                    }
                }
                assert_eq!(neighbour.read_message(), [b"", &number[..]]);
            }
            Kind::Router => {
                neighbour.send_message(&[&number]);
                hears(&said);
            }
            Kind::Pub => self.serves(),
        }
    }

    /// Waits until the last peer has left, however it went, and throws away what it
    /// said.
    pub(crate) fn forget_last(&mut self) {
        let _ = self.ours.await_disconnect();
        while self.kind.receives() && self.ours.try_recv().is_ok() {
            if self.kind == Kind::Rep {
                self.ours.send("a reply").expect("somebody asked");
            }
        }
        self.violations = self.ours.statistics().violations;
        self.serves();
    }

    /// Sees that a stranger was turned away before it said anything, is told of
    /// with this in the cause, and counted.
    pub(crate) fn refused(&mut self, cause: &str) {
        let told = self.ours.await_handshake_failure();
        assert!(told.contains(cause), "{told:?} does not say {cause:?}");
        self.failed += 1;
        self.adds_up();
    }

    /// A connection on which nothing was sent.
    pub(crate) fn stranger(&self) -> RawPeer {
        RawPeer::connect(self.ours.endpoint())
    }

    /// A connection on which both sides have greeted.
    pub(crate) fn greeted(&self) -> RawPeer {
        let mut stranger = self.stranger();
        stranger.send(&Greeting::default().bytes());
        let _ = stranger.read_greeting();
        stranger
    }

    /// A peer that is let in, and has nothing in mind yet.
    pub(crate) fn peer(&self) -> RawPeer {
        self.let_in(RawPeer::established(
            self.ours.endpoint(),
            self.kind.peer_type(),
        ))
    }

    /// The same over `shm://`, with this greeting.
    pub(crate) fn sharing(&self, sharing: &Sharing) -> RawPeer {
        let (endpoint, peer_type) = (self.ours.endpoint(), self.kind.peer_type());
        self.let_in(RawPeer::sharing(endpoint, sharing, peer_type))
    }

    fn let_in(&self, mut peer: RawPeer) -> RawPeer {
        self.ours.await_peer();
        peer.settle();
        peer
    }

    /// The body of the READY that a peer of this pattern sends.
    pub(crate) fn ready(&self, more: &[(&str, &[u8])]) -> Vec<u8> {
        let mut properties = vec![("Socket-Type", self.kind.peer_type().as_bytes())];
        properties.extend_from_slice(more);
        command_body("READY", &metadata(&properties))
    }

    /// A whole message with this as its last frame, as a peer sends it.
    pub(crate) fn message(&self, body: &[u8]) -> Vec<Vec<u8>> {
        let mut parts: Vec<Vec<u8>> = self.kind.envelope().iter().map(|e| e.to_vec()).collect();
        parts.push(body.to_vec());
        parts
    }

    /// Sees that what this peer sent last reaches the application where that
    /// receives: its frames, without what the pattern adds.
    pub(crate) fn delivers(&mut self, peer: &mut RawPeer) -> Option<Vec<Vec<u8>>> {
        if !self.kind.receives() {
            return None;
        }
        let mut parts = self.ours.recv_parts();
        match self.kind {
            Kind::Rep => {
                self.ours.send("a reply").expect("somebody asked");
                assert_eq!(peer.read_message(), [&b""[..], b"a reply"]);
            }
            Kind::Router => drop(parts.remove(0)),
            _ => {}
        }
        Some(parts)
    }

    /// Sees that a stranger is turned away before its handshake is over: it is
    /// closed, told with this in the cause, and counted; what it read before.
    pub(crate) fn turned_away(&mut self, mut stranger: RawPeer, cause: &str) -> Vec<u8> {
        self.serves();
        let read = stranger.read_to_close();
        let told = self.ours.await_handshake_failure();
        assert!(told.contains(cause), "{told:?} does not say {cause:?}");
        self.failed += 1;
        self.adds_up();
        read
    }

    /// As [`turned_away`](Self::turned_away), while others of its kind may be
    /// turned away as well.
    pub(crate) fn turned_away_among_others(
        &mut self,
        mut stranger: RawPeer,
        cause: &str,
    ) -> Vec<u8> {
        self.serves();
        let read = stranger.read_to_close();
        let told = self.ours.await_handshake_failure();
        assert!(told.contains(cause), "{told:?} does not say {cause:?}");
        self.failed += 1;
        assert_eq!(self.ours.statistics().violations, self.violations);
        self.serves();
        read
    }

    /// Waits until one more connection was accepted.
    pub(crate) fn accepted(&self) {
        let accepted = |kind: &EventKind| matches!(kind, EventKind::Accepted);
        self.ours.await_event("one more", accepted);
    }

    /// Sees that a stranger who ended the connection itself is told of.
    pub(crate) fn walked_away(&mut self) {
        self.walks_away();
        self.adds_up();
    }

    /// As [`walked_away`](Self::walked_away), of one of several.
    pub(crate) fn walks_away(&mut self) {
        let _ = self.ours.await_handshake_failure();
        self.failed += 1;
        self.serves();
    }

    /// Sees that a peer that we connected to is there, too.
    pub(crate) fn serves_beside(&mut self, peer: &mut RawPeer) {
        peer.settle();
        self.serves();
    }

    /// Sees that a peer that broke the protocol is thrown out, told of with
    /// this in the cause, and counted.
    pub(crate) fn thrown_out(&mut self, mut peer: RawPeer, cause: &str) {
        self.serves();
        peer.read_to_close();
        self.violations += 1;
        self.disconnected(cause);
    }

    /// As [`thrown_out`](Self::thrown_out), while other peers are still there.
    pub(crate) fn thrown_out_among_others(&mut self, mut peer: RawPeer, cause: &str) {
        self.serves();
        peer.read_to_close();
        self.blame(cause);
    }

    /// Sees that a peer, whose connection ended, is told of and counted.
    pub(crate) fn blame(&mut self, cause: &str) {
        self.violations += 1;
        self.leaves(cause);
        assert!(self.statistics_as_expected().connected() > 1);
    }

    /// As [`leaves`](Self::leaves), of this one, which we end.
    pub(crate) fn leaves_to(&mut self, mut peer: RawPeer, cause: &str) {
        peer.read_to_close();
        self.leaves(cause);
    }

    /// Sees that the last peer left, that it is told of with this in the cause,
    /// and that nobody is blamed.
    pub(crate) fn disconnected(&mut self, cause: &str) {
        self.leaves(cause);
        self.adds_up();
    }

    /// As [`disconnected`](Self::disconnected), of one of several.
    pub(crate) fn leaves(&mut self, cause: &str) {
        let ended = |kind: &EventKind| matches!(kind, EventKind::Disconnected { .. });
        let event = self.ours.await_event("the end", ended);
        assert!(event.peer.is_some(), "of whom: {event:?}");
        let EventKind::Disconnected { cause: told } = event.kind else {
            unreachable!("nothing else was waited for");
        };
        assert!(told.contains(cause), "{told:?} does not say {cause:?}");
        self.serves();
    }

    /// Sees that a peer is still one, and that nobody is blamed.
    pub(crate) fn still_peers(&mut self, peer: &mut RawPeer) {
        peer.settle();
        self.serves();
        assert_eq!(self.statistics_as_expected().connected(), 2);
    }

    /// Sees that nothing but what is known has happened, that the neighbour is
    /// the only one left, and that it is served.
    pub(crate) fn adds_up(&mut self) {
        assert_eq!(
            self.statistics_as_expected().connected(),
            1,
            "the neighbour"
        );
        self.serves();
    }

    fn statistics_as_expected(&self) -> Statistics {
        let statistics = self.ours.statistics();
        assert_eq!(
            (statistics.handshakes_failed, statistics.violations),
            (self.failed, self.violations),
            "handshakes failed and violations at {:?}",
            self.kind
        );
        statistics
    }
}

/// What the neighbour calls itself, and what it subscribes to.
pub(crate) const NEIGHBOUR: &[u8] = b"neighbour";
