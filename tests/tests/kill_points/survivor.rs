//! The socket that outlives them all.

use std::time::Duration;

use ferromq::{AnySocket, Context, Error, EventKind, Monitor, SocketType};
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
    /// What is held when there is no child.
    at_rest: Holdings,
    /// Ends last.
    _context: Context,
}

impl Survivor {
    /// The other side of children of this role. It has served one.
    pub(crate) fn new(role: Role) -> Self {
        let context = Context::new().expect("a context");
        let socket = context.any_socket(SocketType::Dealer, options());
        let socket = socket.expect("a socket");
        let endpoint = match role {
            Role::Listens => {
                let endpoint = format!("shm://kill-points-{}", std::process::id());
                socket.connect(&endpoint).expect("an endpoint");
                endpoint
            }
            _ => socket.bind("shm://*").expect("a free name").to_string(),
        };
        let mut survivor = Self {
            monitor: socket.monitor(),
            socket,
            connections: [0; 2],
            role,
            endpoint,
            lives: 0,
            at_rest: Holdings::now(),
            _context: context,
        };
        survivor.serve(None);
        survivor.at_rest = Holdings::at_rest();
        survivor
    }

    /// Serves a child, to its end, and is left with nothing of it.
    pub(crate) fn outlive(&mut self, dies: Option<(KillPoint, u64)>) -> Ended {
        let ended = self.serve(dies);
        self.at_rest.are_back();
        ended
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
                    // To one that is gone meanwhile nothing is sent.
                    let _ = self.socket.try_send(message);
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
