//! What goes wrong, chosen by the seed.

use super::{Stage, World};
use crate::context::Event;
use crate::network::{ConnectionId, Minor};
use crate::socket::Phase;
use crate::trace::Step;

/// The kinds of faults.
pub const FAULTS: [&str; 8] = [
    "disconnects",
    "silent disconnects",
    "stalls",
    "partitions",
    "crashes",
    "closes",
    "clock jumps",
    "pauses",
];

impl World {
    /// One fault happens, and the next is arranged.
    pub(super) fn fault(&mut self) {
        if self.stage != Stage::Active || self.faults_left == 0 {
            return;
        }
        self.faults_left -= 1;
        match self.context.random.below(10) {
            0..3 => self.cut(),
            3 => self.stall(),
            4 => self.partition(),
            5 | 6 => self.crash(),
            7 => {
                let node = self.any_node();
                let linger = self.context.random.pick(&[0, 20_000, 2_000_000]);
                self.faults[5] += 1;
                self.close(node, linger);
            }
            8 => self.jump(),
            _ => self.pause(),
        }
        if self.faults_left > 0 {
            let delay = self.context.random.between(500, 40_000);
            self.context.after(delay, Event::Fault);
        }
    }

    fn any_node(&mut self) -> u8 {
        self.context.random.index(self.nodes.len()) as u8
    }

    fn any_connection(&mut self) -> Option<ConnectionId> {
        let network = &self.context.network;
        let open = (0..network.len()).filter(|id| {
            let connection = network.connection(*id);
            !connection.broken && connection.ends.iter().any(|end| end.open)
        });
        let open: heapless::Vec<ConnectionId, 64> = open.take(64).collect();
        match open.len() {
            0 => None,
            len => Some(open[self.context.random.index(len)]),
        }
    }

    /// A connection breaks at any byte of either direction.
    fn cut(&mut self) {
        if let Some(id) = self.any_connection() {
            self.cut_connection(id);
        }
    }

    fn cut_connection(&mut self, id: ConnectionId) {
        let connection = self.context.network.connection(id);
        let [a, b] = [connection.bytes(0), connection.bytes(1)];
        let ends = connection.ends;
        let old = connection.version == Minor::Zero;
        let random = &mut self.context.random;
        let kept = [
            random.below(a as u64 + 1) as usize,
            random.below(b as u64 + 1) as usize,
        ];
        self.context.network.cut(id, kept);
        self.context.note(Step::Cut {
            connection: id,
            kept,
        });
        for (side, end) in ends.into_iter().enumerate() {
            let hears = !self.sockets[usize::from(end.socket)]
                .options
                .has_heartbeats();
            let hears = hears || old || end.peer.is_none() || self.context.random.one_in(2);
            self.faults[usize::from(!hears)] += 1;
            if hears {
                let delay = self.context.random.between(1, 30_000);
                self.context.after(delay, Event::Notice(id, side as u8));
            }
        }
    }

    fn stall(&mut self) {
        let Some(id) = self.any_connection() else {
            return;
        };
        let from = self.context.random.below(2) as u8;
        let until = self.context.now + self.context.random.between(1_000, 60_000);
        self.faults[2] += 1;
        self.context.network.stall(id, from, until);
        self.context.note(Step::Stall {
            connection: id,
            from,
            until,
        });
    }

    fn partition(&mut self) {
        let nodes = self.context.random.below(1 << self.nodes.len()) as u32;
        let until = self.context.now + self.context.random.between(1_000, 300_000);
        self.faults[3] += 1;
        self.context.network.cut_off = nodes;
        self.context.network.cut_off_until = until;
        self.context.note(Step::Partition { nodes, until });
    }

    fn crash(&mut self) {
        let node = self.any_node();
        self.faults[4] += 1;
        self.crash_node(node);
        let delay = self.context.random.between(100, 60_000);
        self.context.after(delay, Event::Start(node));
    }

    /// A process dies: what its connections had under way may die with it.
    pub(super) fn crash_node(&mut self, node: u8) {
        self.context.note(Step::Crash { node });
        if self.context.random.one_in(2) {
            let network = &self.context.network;
            let ours = |id: &ConnectionId| {
                let connection = network.connection(*id);
                let of_node = connection.ends.iter().any(|end| end.node == node);
                of_node && !connection.broken && connection.ends.iter().any(|end| end.open)
            };
            let ours: heapless::Vec<ConnectionId, 64> =
                (0..network.len()).filter(ours).take(64).collect();
            for id in ours {
                self.cut_connection(id);
            }
        }
        let sockets = self.nodes[usize::from(node)].sockets.clone();
        for socket in &mut self.sockets[sockets] {
            if socket.phase != Phase::Down {
                socket.crash(&mut self.context);
            }
        }
    }

    /// An application closes its sockets; they linger, and a new process starts.
    pub(super) fn close(&mut self, node: u8, linger: u64) {
        self.context.note(Step::Close { node, linger });
        let sockets = self.nodes[usize::from(node)].sockets.clone();
        for socket in &mut self.sockets[sockets] {
            if socket.is_open() {
                socket.close(linger, &mut self.context);
            }
        }
        self.finish_closing(node);
    }

    /// Ends a node whose sockets have nothing to linger for.
    pub(super) fn finish_closing(&mut self, node: u8) {
        let sockets = self.nodes[usize::from(node)].sockets.clone();
        let sockets = &mut self.sockets[sockets];
        let now = self.context.now;
        let closing = |socket: &crate::socket::Socket| {
            matches!(socket.phase, Phase::Lingering { .. }) && socket.has_lingered(now)
        };
        if !sockets.iter().all(closing) {
            return;
        }
        for socket in sockets {
            socket.shut_down(&mut self.context);
        }
        self.context.note(Step::Closed { node });
        let delay = self.context.random.between(100, 30_000);
        self.context.after(delay, Event::Start(node));
    }

    /// A node's clock jumps ahead: it slept.
    fn jump(&mut self) {
        let node = self.any_node();
        let by = self.context.random.pick(&[5_000, 150_000, 3_000_000]);
        self.faults[6] += 1;
        self.context.clocks[usize::from(node)] += by;
        self.context.note(Step::Jump { node, by });
        for socket in self.nodes[usize::from(node)].sockets.clone() {
            self.sockets[socket].timer(&mut self.context);
        }
    }

    fn pause(&mut self) {
        let node = self.any_node();
        let until = self.context.now + self.context.random.between(1_000, 80_000);
        self.faults[7] += 1;
        self.nodes[usize::from(node)].paused_until = until;
        self.context.note(Step::Pause { node, until });
    }
}
