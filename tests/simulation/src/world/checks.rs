//! What must hold after every event, and how a simulation ends.

use ferromq_patterns::{Resend, Subscription};
use ferromq_wire::SocketType;

use super::{Stage, World};
use crate::context::Event;
use crate::drops::Cause;
use crate::failure::Promise;
use crate::message::Number;
use crate::scenario::Role;
use crate::socket::{Phase, Socket, Stage as Connecting};
use crate::topics::{PUBLISHED, TOPICS};
use crate::trace::Step;

impl World {
    /// After an event: closes what has lingered, counts, wakes applications, and
    /// goes on to the next stage when it is time.
    pub(super) fn settle(&mut self) {
        for node in 0..self.nodes.len() {
            let first = self.nodes[node].sockets.start;
            if matches!(self.sockets[first].phase, Phase::Lingering { .. }) {
                self.finish_closing(node as u8);
            }
        }
        self.check_conservation();
        if self.stage == Stage::Active {
            let busy = self.nodes.iter().any(|node| node.steps_left > 0);
            if !busy || self.context.now > self.deadline {
                self.stop_faults();
            }
            return;
        }
        self.wake_apps();
        if self.is_quiet() {
            self.advance();
        } else if self.context.now > self.deadline {
            self.fail_to_drain();
        }
    }

    /// Sent = received + queued + lost, at every moment.
    fn check_conservation(&mut self) {
        let model = &self.context.model;
        let network = &self.context.network;
        let held: u64 = self.sockets.iter().map(Socket::held).sum();
        let dropped: u64 = self.sockets.iter().map(|it| it.drops.total()).sum();
        let lost = dropped + model.lost.total() + network.lost;
        if network.confused {
            let what = "a command is sent to a peer of 3.0".to_owned();
            return self.fail(Promise::Whole, what);
        }
        let (owed, delivered, in_flight) = (model.owed, model.delivered, network.in_flight);
        if owed != delivered + held + in_flight + lost {
            let what = format!(
                "{owed} were sent, and {delivered} received, {held} queued, {in_flight} under way, \
                 {lost} lost"
            );
            self.fail(Promise::Conservation, what);
        }
    }

    /// Faults end, and nobody sends on his own account any more.
    fn stop_faults(&mut self) {
        self.context.note(Step::FaultsStop);
        self.enter(Stage::Draining);
        self.context.network.cut_off_until = 0;
        for node in 0..self.nodes.len() {
            self.nodes[node].paused_until = 0;
            if !self.nodes[node].scheduled {
                self.nodes[node].scheduled = true;
                self.context.after(1, Event::App(node as u8));
            }
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.deadline = self.context.now + DRAIN_MAX;
    }

    /// Who has something to take, takes it soon.
    fn wake_apps(&mut self) {
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            let sockets = &self.sockets[node.sockets.clone()];
            let news = sockets.iter().any(|it| it.is_open() && it.has_news());
            if (news || node.app.owes()) && !node.scheduled {
                node.scheduled = true;
                let delay = self.context.random.between(1, 400);
                self.context.after(delay, Event::App(index as u8));
            }
        }
    }

    /// Whether everything has arrived, and everybody who lives is connected.
    pub(super) fn is_quiet(&self) -> bool {
        let network = &self.context.network;
        network.in_flight == 0
            && network.bytes == 0
            && !self.nodes.iter().any(|node| node.app.owes())
            && self.sockets.iter().all(|socket| self.is_at_rest(socket))
    }

    fn is_at_rest(&self, socket: &Socket) -> bool {
        if self.nodes[usize::from(socket.place.node)].gone {
            return true;
        }
        let lives = |target: u8| {
            let node = self.sockets[usize::from(target)].place.node;
            !self.nodes[usize::from(node)].gone
        };
        let connected = socket
            .connectors
            .iter()
            .all(|it| it.stage == Connecting::Linked || !lives(it.target));
        let links = socket.peers().all(|pipe| {
            let stands = |link: &crate::link::Link| {
                let connection = self.context.network.connection(link.connection);
                connection.stands() && link.output.bytes().is_empty()
            };
            pipe.resend.is_none() && pipe.link.as_deref().is_none_or(stands)
        });
        socket.is_open()
            && connected
            && links
            && socket.is_shaking_none()
            && socket.held() == 0
            && !socket.has_news()
    }

    pub(super) fn fail_to_drain(&mut self) {
        let restless: Vec<String> = self
            .sockets
            .iter()
            .filter(|socket| !self.is_at_rest(socket))
            .map(|socket| {
                let stages: Vec<_> = socket.connectors.iter().map(|it| it.stage).collect();
                format!(
                    "socket {} {:?} ({:?}, connectors {stages:?}, {} messages held, news: {})",
                    socket.place.index,
                    socket.place.kind,
                    socket.phase,
                    socket.held(),
                    socket.has_news(),
                )
            })
            .collect();
        let what = format!("{:?} does not end: {}", self.stage, restless.join(", "));
        self.fail(Promise::Drain, what);
    }

    /// All is quiet: the next stage.
    pub(super) fn advance(&mut self) {
        match self.stage {
            Stage::Active => self.stop_faults(),
            Stage::Draining => {
                if self.restart_stuck() {
                    return self.enter(Stage::Draining);
                }
                self.check_faultless();
                self.check_subscriptions();
                self.probe();
            }
            Stage::Probing => {
                if self.lost() == self.lost_before_probe {
                    self.check_probe();
                    self.probing += 1;
                }
                // Perhaps again: a link that fell silent before was given up only now.
                if self.probing < self.nodes.len() {
                    self.probe();
                } else {
                    self.leave();
                }
            }
            Stage::Leaving => {
                self.check_gone();
                self.stage = Stage::Over;
            }
            Stage::Over => {}
        }
    }

    /// A strict REQ whose request or reply was lost waits for ever, as 28/REQREP
    /// has it: its application closes it.
    fn restart_stuck(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let socket = &self.sockets[node.sockets.start];
            let strict = socket.extras.resend == Resend::Strict;
            if node.app.role == Role::Request && node.app.asked.is_some() && strict {
                self.close(index as u8, 0);
                any = true;
            }
        }
        any
    }

    /// Without faults, nothing is lost but by overflow, by a filter, or by being
    /// abandoned. (A peer that does not read does not answer PINGs, either.)
    fn check_faultless(&mut self) {
        let heartbeats = self.sockets.iter().any(|it| it.options.has_heartbeats());
        let requests = self.nodes.iter().any(|it| it.app.role == Role::Request);
        let late = self.context.model.late_handshakes > 0;
        if heartbeats || requests || late || self.faults.iter().sum::<u64>() > 0 {
            return;
        }
        let lost = self.outcome(0).lost;
        for cause in [
            Cause::LinkLost,
            Cause::PeerGone,
            Cause::Network,
            Cause::Crash,
            Cause::Unread,
            Cause::Refused,
        ] {
            if lost.of(cause) > 0 {
                let what = format!("{} lost for {cause:?}, without a fault", lost.of(cause));
                self.fail(Promise::Conservation, what);
            }
        }
    }

    /// Publishers know just what their subscribers want.
    fn check_subscriptions(&mut self) {
        let mut wrong = None;
        for socket in self.sockets.iter().filter(|it| it.machine.publishes()) {
            for pipe in socket.peers() {
                let Some(link) = &pipe.link else { continue };
                let connection = self.context.network.connection(link.connection);
                let other = connection.ends[usize::from(1 - link.side)].socket;
                let wants = self.sockets[usize::from(other)].wants.distinct();
                if pipe.asked != wants {
                    wrong = Some(format!(
                        "socket {other} wants {wants:?}, and socket {} knows {:?}",
                        socket.place.index, pipe.asked
                    ));
                }
            }
        }
        if let Some(what) = wrong {
            self.fail(Promise::Subscriptions, what);
        }
    }

    /// Messages lost, but for refused ones: all was quiet, so nothing comes late.
    fn lost(&self) -> u64 {
        let lost = self.outcome(0).lost;
        lost.total() - lost.of(Cause::Refused)
    }

    /// The next node sends once more.
    fn probe(&mut self) {
        self.context.note(Step::Probe);
        self.enter(Stage::Probing);
        if self.restart_stuck() {
            self.lost_before_probe = u64::MAX;
            return;
        }
        self.lost_before_probe = self.lost();
        let node = &mut self.nodes[self.probing];
        let socket = &mut self.sockets[node.sockets.start];
        let relaxed = node.app.role == Role::Request && socket.extras.resend == Resend::Relaxed;
        let sends = match node.app.role {
            Role::Produce | Role::Publish | Role::Talk | Role::Query => {
                node.app.probe(socket, &mut self.context)
            }
            Role::Request => node.app.ask(socket, &mut self.context),
            _ => true,
        };
        self.probes += 1;
        if !sends && relaxed && self.probes < PROBES_MAX {
            // Its first try ended the link that its last request was lost with.
            self.lost_before_probe = u64::MAX;
        } else if !sends || self.probes == PROBES_MAX {
            let what = format!("socket {} is blocked", socket.place.index);
            self.context.fail(Promise::Drain, what);
        }
        socket.arm(&mut self.context);
    }

    /// The last message of a node has reached everybody whom it should.
    fn check_probe(&mut self) {
        let node = &self.nodes[self.probing];
        let index = node.sockets.start;
        if node.app.role == Role::Request && node.app.asked.is_some() {
            let what = format!("the last request of socket {index} is unanswered");
            self.context.fail(Promise::Drain, what);
        }
        let Some(number) = node.app.last else { return };
        let received = self.context.model.record(number).received;
        let expected = self.expected_receivers(index, number);
        let arrived = match expected {
            Some(receivers) => received & receivers == receivers,
            None => received != 0,
        };
        if !arrived {
            let what = format!(
                "message {number} of socket {index} reached {received:#b}, not all of {expected:?}"
            );
            self.context.fail(Promise::Drain, what);
        }
    }

    /// The subscribers that want a publication, a bit each.
    fn expected_receivers(&self, publisher: usize, number: Number) -> Option<u32> {
        let topic = PUBLISHED[self.context.model.record(number).topic?];
        let reach = self.sockets[publisher].reach();
        let wants = self.sockets.iter().filter(|socket| {
            let subscribes = matches!(socket.place.kind, SocketType::Sub | SocketType::Dish);
            subscribes && socket.wants.matches(topic, reach)
        });
        Some(wants.fold(0, |all, socket| all | 1 << socket.place.index))
    }

    /// Subscribers cancel everything, or are gone for good.
    fn leave(&mut self) {
        self.context.note(Step::Leave);
        self.enter(Stage::Leaving);
        for index in 0..self.nodes.len() {
            if self.nodes[index].app.role != Role::Subscribe {
                continue;
            }
            if self.context.random.one_in(2) {
                self.nodes[index].gone = true;
                self.crash_node(index as u8);
                continue;
            }
            let socket = &mut self.sockets[self.nodes[index].sockets.start];
            for (place, topic) in TOPICS.iter().enumerate() {
                while socket.wants.of(place) > 0 {
                    socket.change_topic(Subscription::Cancel, topic, &mut self.context);
                }
            }
            socket.arm(&mut self.context);
        }
    }

    /// With every subscriber gone, nobody remembers a subscription.
    fn check_gone(&mut self) {
        let mut wrong = None;
        for socket in &self.sockets {
            let gone = self.nodes[usize::from(socket.place.node)].gone;
            let left = socket.machine.subscriptions();
            let naive = socket.peers().any(|pipe| !pipe.asked.is_empty());
            let wants = socket.place.kind == SocketType::XSub && !socket.wants.is_empty();
            if !gone && (left > 0 || naive || wants) {
                wrong = Some(format!(
                    "{left} subscriptions are left at socket {} {:?}",
                    socket.place.index, socket.place.kind
                ));
            }
        }
        if let Some(what) = wrong {
            self.fail(Promise::Subscriptions, what);
        }
    }
}

/// Tries of all nodes together to have a last message arrive.
const PROBES_MAX: u32 = 100;

/// The longest that draining may take: far above what all timers together need.
const DRAIN_MAX: u64 = 10_000_000;
