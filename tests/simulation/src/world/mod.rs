//! A simulation from its first event to its last.

mod checks;
mod faults;

use crate::apps::{After, App, Mood};
use crate::context::{Context, Event, Path};
use crate::drops::Drops;
use crate::failure::{Failure, Promise};
use crate::machine::Extras;
use crate::network::{ConnectionId, Minor, Wire};
use crate::random::{Random, mix};
use crate::scenario::{Plan, Role, SocketPlan};
use crate::socket::{Options, Phase, Place, Socket, sends};
use crate::trace::{Lost, Step, Trace};
use crate::{Plant, Scenario};

/// One schedule to run.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The topology.
    pub scenario: Scenario,
    /// Decides everything else.
    pub seed: u64,
    /// A bug to find.
    pub plant: Option<Plant>,
}

/// What a schedule came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The promise that was broken first.
    pub failure: Option<Failure>,
    /// Of everything that happened, in its order.
    pub trace_hash: u64,
    /// Events.
    pub events: u64,
    /// Messages that applications received, proxies included.
    pub delivered: u64,
    /// Messages lost, by cause.
    pub lost: Drops,
    /// Faults, by kind, in the order of [`FAULTS`].
    pub faults: [u64; FAULTS.len()],
}

pub use faults::FAULTS;

/// Everything.
struct World {
    context: Context,
    sockets: Vec<Socket>,
    nodes: Vec<Node>,
    plan: Plan,
    stage: Stage,
    /// When the stage must be over.
    deadline: u64,
    faults: [u64; FAULTS.len()],
    faults_left: u64,
    /// The node whose last message is awaited, and what was lost before it.
    probing: usize,
    lost_before_probe: u64,
    probes: u32,
}

struct Node {
    app: App,
    sockets: std::ops::Range<usize>,
    incarnation: u32,
    steps_left: u64,
    /// The longest time between two steps.
    pace: u64,
    paused_until: u64,
    scheduled: bool,
    /// It will not start again.
    gone: bool,
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Applications send, faults happen.
    Active,
    /// Neither; everything drains.
    Draining,
    /// A last message of everybody arrives, of one after the other.
    Probing,
    /// Subscribers go.
    Leaving,
    Over,
}

/// Runs one schedule. With `print` every step is written to standard output.
#[must_use]
pub fn run(schedule: Schedule, print: bool) -> Outcome {
    let mut world = World::new(schedule, print);
    let mut events = 0;
    while world.stage != Stage::Over && world.context.model.failure.is_none() {
        match world.context.next() {
            Some(event) => {
                events += 1;
                world.handle(event);
                world.settle();
            }
            None if world.is_quiet() => world.advance(),
            None => world.fail_to_drain(),
        }
    }
    world.outcome(events)
}

impl World {
    fn new(schedule: Schedule, print: bool) -> Self {
        // Neighbouring seeds, and a seed in two scenarios, have nothing in common.
        let seed = mix(schedule.seed ^ mix(schedule.scenario as u64 + 1));
        let mut random = Random::new(seed);
        let plan = schedule.scenario.plan(&mut random);
        let trace = Trace::new(print);
        let seed = random.word();
        let mut context = Context::new(seed, plan.nodes.len(), schedule.plant, trace);
        context.clocks.fill_with(|| random.below(1 << 40));
        let mut world = Self {
            context,
            sockets: Vec::new(),
            nodes: Vec::new(),
            plan,
            stage: Stage::Active,
            deadline: ACTIVE_MAX,
            faults: [0; FAULTS.len()],
            faults_left: random.pick(&[0, 1, 2, 4, 6]),
            probing: 0,
            lost_before_probe: 0,
            probes: 0,
        };
        world.build();
        if world.faults_left > 0 {
            let delay = world.context.random.between(1_000, 60_000);
            world.context.after(delay, Event::Fault);
        }
        world
    }

    fn build(&mut self) {
        let nodes = self.plan.nodes.clone();
        for (index, node) in nodes.iter().enumerate() {
            for socket in &node.sockets {
                self.build_socket(*socket, index as u8);
            }
            let random = &mut self.context.random;
            let (steps_left, pace) = (
                random.between(4, 16),
                random.pick(&[400, 3_000, 15_000, 60_000]),
            );
            let start = random.below(5_000);
            let first = usize::from(node.sockets[0]);
            self.nodes.push(Node {
                app: App::new(node.role, &mut self.context),
                sockets: first..first + node.sockets.len(),
                incarnation: 0,
                steps_left,
                pace,
                paused_until: 0,
                scheduled: false,
                gone: false,
            });
            self.context.after(start, Event::Start(index as u8));
        }
    }

    fn build_socket(&mut self, index: u8, node: u8) {
        let options = Options::draw(&mut self.context.random);
        let kind = self.plan.sockets[usize::from(index)].kind;
        let random = &mut self.context.random;
        let wire = Wire {
            capacity: random.pick(&[24, 100, 700, 4_000]),
            latency: random.pick(&[50, 300, 2_000]),
            checksums: options.checksums,
            version: Minor::AsSent,
            sends: [sends(kind); 2],
        };
        self.context.paths.push(Path { node, wire });
        let plan = self.plan.sockets[usize::from(index)].clone();
        let socket = self.make_socket(index, node, 0, &plan, options, plan.extras);
        self.sockets.push(socket);
    }

    fn make_socket(
        &mut self,
        index: u8,
        node: u8,
        incarnation: u32,
        plan: &SocketPlan,
        options: Options,
        extras: Extras,
    ) -> Socket {
        let place = Place {
            index,
            node,
            kind: plan.kind,
            level: plan.level,
            forwards: self.plan.nodes[usize::from(node)].role == Role::Forward,
            incarnation,
        };
        let identity = plan.identity.clone();
        Socket::new(
            place,
            options,
            extras,
            identity,
            &plan.targets,
            &mut self.context,
        )
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::App(node) => self.step(node),
            Event::Accept(id) => self.accept(id),
            Event::Transfer(id, from) => self.transfer(id, from),
            Event::Notice(id, side) => self.notice(id, side),
            Event::Timer(socket) => self.timer(socket),
            Event::Fault => self.fault(),
            Event::Start(node) => self.start(node),
        }
    }

    fn step(&mut self, index: u8) {
        let node = &mut self.nodes[usize::from(index)];
        node.scheduled = false;
        if !self.sockets[node.sockets.start].is_open() {
            return;
        }
        if node.paused_until > self.context.now {
            node.scheduled = true;
            let until = node.paused_until;
            return self.context.at(until, Event::App(index));
        }
        let busy = self.stage == Stage::Active && node.steps_left > 0;
        node.steps_left = node.steps_left.saturating_sub(1);
        let mood = if busy { Mood::Busy } else { Mood::Quiet };
        let sockets = &mut self.sockets[node.sockets.clone()];
        let after = node.app.step(sockets, mood, &mut self.context);
        for socket in sockets {
            socket.arm(&mut self.context);
        }
        if after == After::Restart {
            return self.close(index, 0);
        }
        self.schedule_app(index);
    }

    fn schedule_app(&mut self, index: u8) {
        let node = &mut self.nodes[usize::from(index)];
        if !node.scheduled && self.stage == Stage::Active {
            node.scheduled = true;
            let pace = match node.steps_left {
                // Done with its own: it takes what comes, and lets others finish.
                0 => node.pace.max(8_000),
                _ => node.pace,
            };
            let delay = self.context.random.between(1, pace);
            self.context.after(delay, Event::App(index));
        }
    }

    fn start(&mut self, index: u8) {
        let Node {
            sockets,
            incarnation,
            gone,
            ..
        } = &mut self.nodes[usize::from(index)];
        if *gone || self.sockets[sockets.start].phase != Phase::Down {
            return;
        }
        *incarnation += 1;
        let (incarnation, sockets) = (*incarnation, sockets.clone());
        self.context.note(Step::Start {
            node: index,
            incarnation,
        });
        for socket in sockets.clone() {
            let old = &self.sockets[socket];
            let (options, extras) = (old.options, old.extras);
            let plan = self.plan.sockets[socket].clone();
            self.sockets[socket] =
                self.make_socket(socket as u8, index, incarnation, &plan, options, extras);
            self.sockets[socket].open(&mut self.context);
        }
        let app = &mut self.nodes[usize::from(index)].app;
        app.start(&mut self.sockets[sockets], &mut self.context);
        self.schedule_app(index);
    }

    fn accept(&mut self, id: ConnectionId) {
        let connection = self.context.network.connection(id);
        let [dialler, target] = connection.ends;
        if connection.broken || !dialler.open {
            return;
        }
        let socket = &mut self.sockets[usize::from(target.socket)];
        let held = self.context.network.held_until(id, 0, self.context.now) > 0;
        if held || !socket.is_open() {
            self.context.network.cut(id, [0, 0]);
            self.context.note(Step::Refused { connection: id });
            let delay = if held { 30_000 } else { 100 };
            return self.context.after(delay, Event::Notice(id, 0));
        }
        let connection = self.context.network.connection_mut(id);
        connection.accepted = true;
        connection.ends[1].open = true;
        self.context.note(Step::Accepted {
            socket: target.socket,
            connection: id,
        });
        socket.shake_hands(id, 1, None, &mut self.context);
        self.context.transfer(id, 0);
    }

    fn transfer(&mut self, id: ConnectionId, from: u8) {
        let held = self.context.network.held_until(id, from, self.context.now);
        if held > 0 {
            return self.context.at(held + 1, Event::Transfer(id, from));
        }
        let connection = self.context.network.connection_mut(id);
        connection.transfer_begins(from);
        let reader = connection.ends[usize::from(1 - from)];
        if reader.open {
            let socket = &mut self.sockets[usize::from(reader.socket)];
            socket.bytes_came(id, 1 - from, &mut self.context);
            let connection = self.context.network.connection(id);
            if connection.has_ended(from) && !connection.broken {
                socket.connection_lost(id, 1 - from, Lost::Closed, &mut self.context);
            }
            socket.arm(&mut self.context);
        }
        let writer = self.context.network.connection(id).ends[usize::from(from)];
        if writer.open {
            let socket = &mut self.sockets[usize::from(writer.socket)];
            socket.writable(writer, id, &mut self.context);
        }
    }

    fn notice(&mut self, id: ConnectionId, side: u8) {
        let held = self
            .context
            .network
            .held_until(id, 1 - side, self.context.now);
        if held > 0 {
            return self.context.at(held + 1, Event::Notice(id, side));
        }
        let end = self.context.network.connection(id).ends[usize::from(side)];
        if end.open {
            let socket = &mut self.sockets[usize::from(end.socket)];
            socket.connection_lost(id, side, Lost::Reset, &mut self.context);
            socket.arm(&mut self.context);
        }
    }

    fn timer(&mut self, socket: u8) {
        self.sockets[usize::from(socket)].timer(&mut self.context);
    }

    fn outcome(&self, events: u64) -> Outcome {
        let mut lost = self.context.model.lost;
        for socket in &self.sockets {
            lost.merge(&socket.drops);
        }
        lost.add(crate::drops::Cause::Network, self.context.network.lost);
        Outcome {
            failure: self.context.model.failure.clone(),
            trace_hash: self.context.trace.hash(),
            events,
            delivered: self.context.model.delivered,
            lost,
            faults: self.faults,
        }
    }

    fn fail(&mut self, promise: Promise, what: String) {
        self.context.fail(promise, what);
    }
}

/// The longest that applications may be busy: what they have not done by then
/// they will not do.
const ACTIVE_MAX: u64 = 600_000;
