//! A whole socket, fed by a hostile peer.
//!
//! ```text
//!   neighbour ──handshake, PING──▶ ┌────────┐
//!            ◀──────────────PONG── │ socket │ ◀── an application that calls it
//!   hostile peer ──whatever──────▶ └────────┘
//! ```
//! Whatever is sent: nothing panics; the end of the hostile connection is noticed;
//! what waits stays within the limits; the neighbour is answered before and after.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, EventKind, Message, Monitor, Options, SocketType};

use super::raw::{self, RawPeer, Security};

/// How long something that has to happen may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages that may wait in each direction.
const HIGH_WATER_MARK: usize = 8;
/// What the neighbour's PING holds.
const SERVED: &[u8] = b"served?";
/// Rounds in which a peer that is not read may hope for room.
const ROUNDS: u32 = 64;

/// Target `socket`. Settings: socket type; bits for security, limits, a handshake in
/// front, the end; length of the pieces.
pub(crate) fn fuzz_socket(data: &[u8]) {
    let [kind, settings, piece, stream @ ..] = data else {
        return;
    };
    let stream = stream.get(..16 * 1024).unwrap_or(stream);
    let all = SocketType::ALL;
    let socket_type = all[usize::from(*kind) % all.len()];
    let security = match settings & 1 {
        0 => Security::Null,
        _ => Security::Plain,
    };
    let mut bench = Bench::new(socket_type, options(security, settings & 2 != 0), security);
    let mut neighbour = (!is_alone(socket_type)).then(|| bench.neighbour());
    let mut attack = stream.to_vec();
    if settings & 4 == 0 {
        let prefix = raw::handshake(security, counterpart(socket_type));
        attack.splice(0..0, prefix);
    }
    bench.attack(&attack, usize::from(*piece).max(1));
    let mut neighbour = neighbour.take().unwrap_or_else(|| bench.neighbour());
    bench.served(&mut neighbour);
    bench.check_memory();
}

fn options(security: Security, limited: bool) -> Options {
    let mut options = Options::new()
        .receive_high_water_mark(HIGH_WATER_MARK)
        .send_high_water_mark(HIGH_WATER_MARK)
        .linger(Some(Duration::ZERO))
        .handshake_timeout(PATIENCE * 10);
    if security == Security::Plain {
        options = options.plain_server([(raw::USER, raw::PASSWORD)]);
    }
    if limited {
        options = options
            .max_frame_size(600)
            .max_message_size(1_200)
            .max_parts(4);
    }
    options
}

/// Whether such a socket has one peer at a time.
fn is_alone(socket_type: SocketType) -> bool {
    matches!(socket_type, SocketType::Pair | SocketType::Channel)
}

/// Who talks to such a socket.
fn counterpart(socket_type: SocketType) -> &'static str {
    match socket_type {
        SocketType::Pair => "PAIR",
        SocketType::Pub | SocketType::XPub => "SUB",
        SocketType::Sub | SocketType::XSub => "PUB",
        SocketType::Req => "REP",
        SocketType::Rep => "REQ",
        SocketType::Dealer => "ROUTER",
        SocketType::Router => "DEALER",
        SocketType::Pull => "PUSH",
        SocketType::Push => "PULL",
        SocketType::Server => "CLIENT",
        SocketType::Client => "SERVER",
        SocketType::Radio => "DISH",
        SocketType::Dish => "RADIO",
        SocketType::Gather => "SCATTER",
        SocketType::Scatter => "GATHER",
        SocketType::Peer => "PEER",
        SocketType::Channel => "CHANNEL",
    }
}

/// The socket under test and its application.
struct Bench {
    socket: AnySocket,
    monitor: Monitor,
    name: String,
    security: Security,
}

impl Bench {
    fn new(socket_type: SocketType, options: Options, security: Security) -> Self {
        static CONTEXT: OnceLock<Context> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let context = CONTEXT.get_or_init(|| Context::new().expect("a context"));
        let socket = context.any_socket(socket_type, options);
        let socket = socket.expect("a socket");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("ferromq-fuzz-{}-{count}", std::process::id());
        let monitor = socket.monitor();
        socket.bind(&format!("ipc://@{name}")).expect("a free name");
        let _ = socket.subscribe(""); // who cannot, need not
        let _ = socket.join("group");
        Self {
            socket,
            monitor,
            name,
            security,
        }
    }

    /// A peer that behaves, and is answered. A PAIR closes it, before or right after its
    /// handshake, until the application has taken what the last one left: then it comes
    /// again.
    fn neighbour(&self) -> RawPeer {
        let alone = is_alone(self.socket.socket_type());
        let mut bytes = raw::handshake(self.security, counterpart(self.socket.socket_type()));
        bytes.extend(raw::ping(SERVED));
        let connect = || {
            let mut peer = RawPeer::connect(&self.name);
            peer.write(&bytes);
            peer
        };
        let (mut peer, mut established) = (connect(), false);
        self.until("the neighbour is let in", || {
            let open = peer.read();
            established = established || peer.take_handshake();
            let served = established && peer.take_pong(SERVED);
            if !open && !served {
                assert!(alone, "the neighbour was turned away");
                (peer, established) = (connect(), false);
            }
            served
        });
        while self.monitor.try_next().is_some() {}
        peer
    }

    /// A PING of the neighbour is answered.
    fn served(&self, neighbour: &mut RawPeer) {
        let bytes = raw::ping(SERVED);
        assert_eq!(neighbour.write(&bytes), bytes.len());
        self.until("the neighbour is served", || {
            let open = neighbour.read();
            let served = neighbour.take_pong(SERVED);
            assert!(open || served, "the neighbour was closed");
            served
        });
    }

    /// Sends it all, as far as it is taken, and goes away.
    fn attack(&mut self, stream: &[u8], piece: usize) {
        let mut peer = RawPeer::connect(&self.name);
        for mut piece in stream.chunks(piece) {
            for _ in 0..ROUNDS {
                self.work();
                piece = &piece[peer.write(piece)..];
                if piece.is_empty() {
                    break;
                }
            }
            let open = peer.read();
            peer.discard();
            if !open || !piece.is_empty() {
                break;
            }
        }
        drop(peer);
        self.until("the end is noticed", || {
            let mut ended = false;
            while let Some(event) = self.monitor.try_next() {
                ended |= matches!(
                    event.kind,
                    EventKind::Disconnected { .. } | EventKind::HandshakeFailed { .. }
                );
            }
            ended
        });
    }

    /// What an application does: it takes what has come, and answers.
    fn work(&self) {
        for _ in 0..4 {
            let Ok(message) = self.socket.try_recv() else {
                break;
            };
            let _ = self.socket.try_send(message);
        }
        let _ = self.socket.try_send(Message::from("news"));
        let _ = self.socket.readiness();
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition() {
            assert!(Instant::now() < end, "{what}: not within {PATIENCE:?}");
            self.work();
            thread::yield_now();
        }
    }

    /// What waits is within the marks, for each peer.
    fn check_memory(&self) {
        let statistics = self.socket.statistics();
        assert!(statistics.peers.len() <= 2, "{statistics:?}");
        for peer in &statistics.peers {
            assert!(peer.queued_messages <= HIGH_WATER_MARK, "{peer:?}");
        }
    }
}
