//! The socket that outlives them all.

use std::time::Duration;

use ferromq::{AnySocket, Context, Error, EventKind, Message, Monitor, SocketType, Traffic};
use ferromq_transport_shm::KillPoint;

use crate::child::{Child, Ended, Role, options};
use crate::holdings::Holdings;
use crate::message::read;

/// How long it listens before it looks after its child.
const TICK: Duration = Duration::from_millis(1);

pub(crate) struct Survivor {
    socket: AnySocket,
    monitor: Monitor,
    /// Connections that were made, and that are over.
    connections: [u64; 2],
    /// What its children are.
    role: Role,
    endpoint: String,
    lives: u64,
    /// The last message, which is there as long as somebody looks at it.
    kept: Option<Message>,
    /// What is held when there is no child.
    at_rest: Holdings,
    /// Ends last.
    _context: Context,
}

impl Survivor {
    /// The other side of children of this role. It has served one.
    pub(crate) fn new(role: Role, context: Context) -> Self {
        let socket = context.any_socket(SocketType::Dealer, options());
        let socket = socket.expect("a socket");
        let place = match role {
            Role::MovesConnected => "tcp://127.0.0.1:*".into(),
            Role::MovesBound => crate::moves::free_place(),
            _ if role.is_bound() => format!("shm://kill-points-{role:?}-{}", std::process::id()),
            _ => "shm://*".into(),
        };
        let endpoint = match role.is_bound() {
            true => {
                socket.connect(&place).expect("an endpoint");
                place
            }
            false => socket.bind(&place).expect("a free place").to_string(),
        };
        let mut survivor = Self {
            monitor: socket.monitor(),
            socket,
            connections: [0; 2],
            role,
            endpoint,
            lives: 0,
            kept: None,
            at_rest: Holdings::now(),
            _context: context,
        };
        survivor.serve(None);
        survivor.kept = None;
        survivor.at_rest = Holdings::at_rest();
        survivor
    }

    /// A child is sent to its death on this passing of a point, and gets there.
    pub(crate) fn sees_die(&mut self, point: KillPoint, passing: u64) {
        let ended = self.outlive(Some((point, passing)));
        let label = point.label();
        assert_eq!(
            ended,
            Ended::Killed,
            "nobody passed {label} {passing} times"
        );
    }

    /// Serves a child, to its end, and is left with nothing of it.
    pub(crate) fn outlive(&mut self, dies: Option<(KillPoint, u64)>) -> Ended {
        let ended = self.serve(dies);
        if let Some(kept) = self.kept.take() {
            // The dead cannot take it back.
            let (life, _) = read(kept.frame(0).expect("a frame"));
            assert_eq!(life, self.lives);
        }
        self.at_rest.are_back();
        ended
    }

    /// What went and came so far.
    pub(crate) fn traffic(&self) -> Traffic {
        self.socket.statistics().traffic
    }

    /// Connections that moved so far.
    pub(crate) fn switched(&self) -> u64 {
        self.socket.statistics().switched
    }

    /// Echoes what a child sends, until it has ended and the connection with it.
    fn serve(&mut self, dies: Option<(KillPoint, u64)>) -> Ended {
        self.lives += 1;
        let mut child = Child::start(self.role, &self.endpoint, self.lives, dies);
        let (mut ended, mut next) = (None, 0);
        loop {
            match self.socket.recv_timeout(TICK) {
                Ok(message) => {
                    let frame = message.frame(0).expect("a frame");
                    let (life, number) = read(frame);
                    // One that died unanswered may be let in only now, and be heard.
                    if life < self.lives {
                        continue;
                    }
                    // Whole, in order, without a gap, and of nobody else.
                    assert_eq!((life, number), (self.lives, next));
                    next += 1;
                    // Bytes of our own: what waits for the next one keeps nothing of this
                    // one's. To one that is gone meanwhile nothing is sent.
                    let _ = self.socket.try_send(frame.to_vec());
                    self.kept = Some(message);
                }
                Err(Error::TimedOut | Error::WouldBlock) => {
                    if let Some(ended) = ended.filter(|_| self.is_alone()) {
                        return ended;
                    }
                }
                Err(error) => panic!("{error}"),
            }
            ended = ended.or_else(|| child.has_ended());
        }
    }

    /// Whether every connection that was made is over, as the monitor tells.
    fn is_alone(&mut self) -> bool {
        for event in std::iter::from_fn(|| self.monitor.try_next()) {
            match event.kind {
                EventKind::HandshakeSucceeded => self.connections[0] += 1,
                EventKind::Disconnected { .. } => self.connections[1] += 1,
                _ => {}
            }
        }
        let [made, over] = self.connections;
        made == over && self.socket.statistics().connected() == 0
    }
}
