//! What every part of a simulation needs: time, chance, the network, the trace
//! and the model.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ferromq_wire::Instant;

use crate::Plant;
use crate::failure::Promise;
use crate::model::Model;
use crate::network::{ConnectionId, Network, Wire};
use crate::random::Random;
use crate::trace::{Step, Trace};

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// An application does its next thing.
    App(u8),
    /// A listener hears of a connection.
    Accept(ConnectionId),
    /// Bytes arrive that this end wrote.
    Transfer(ConnectionId, u8),
    /// This end learns that the connection broke.
    Notice(ConnectionId, u8),
    /// Something of a socket is due.
    Timer(u8),
    /// The next fault.
    Fault,
    /// A node starts (again).
    Start(u8),
}

/// What connections to a socket are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    pub(crate) node: u8,
    pub(crate) wire: Wire,
}

/// Time, chance, network, trace, model.
pub(crate) struct Context {
    /// Virtual microseconds.
    pub(crate) now: u64,
    /// How far each node's clock is ahead of that.
    pub(crate) clocks: Vec<u64>,
    /// How to reach each socket, by its index.
    pub(crate) paths: Vec<Path>,
    pub(crate) random: Random,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    pub(crate) network: Network,
    pub(crate) trace: Trace,
    pub(crate) model: Model,
    plant: Option<Plant>,
}

impl Context {
    pub(crate) fn new(seed: u64, nodes: usize, plant: Option<Plant>, trace: Trace) -> Self {
        Self {
            now: 0,
            clocks: vec![0; nodes],
            paths: Vec::new(),
            random: Random::new(seed),
            queue: BinaryHeap::with_capacity(64),
            sequence: 0,
            network: Network::default(),
            trace,
            model: Model::default(),
            plant,
        }
    }

    /// What a node's clock shows.
    pub(crate) fn clock(&self, node: u8) -> Instant {
        Instant::from_nanos((self.now + self.clocks[usize::from(node)]) * 1000)
    }

    /// When a node's clock will show `instant`.
    pub(crate) fn when(&self, node: u8, instant: Instant) -> u64 {
        // Rounded up: a timer that is asked too early would be asked for ever.
        (instant.nanos().div_ceil(1000)).saturating_sub(self.clocks[usize::from(node)])
    }

    /// Events of the same moment happen in the order of these calls.
    pub(crate) fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.queue
            .push(Reverse((time.max(self.now), self.sequence, event)));
    }

    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    /// The next event; it is its time now.
    pub(crate) fn next(&mut self) -> Option<Event> {
        let Reverse((time, _, event)) = self.queue.pop()?;
        self.now = time;
        Some(event)
    }

    /// Lets what an end wrote go on its way, if anything waits.
    pub(crate) fn transfer(&mut self, id: ConnectionId, from: u8) {
        let connection = self.network.connection_mut(id);
        if connection.accepted
            && let Some(delay) = connection.next_transfer(from, &mut self.random)
        {
            self.after(delay, Event::Transfer(id, from));
        }
    }

    pub(crate) fn note(&mut self, step: Step) {
        self.trace.note(self.now, step);
    }

    /// A promise is broken.
    pub(crate) fn fail(&mut self, promise: Promise, what: String) {
        self.model.fail(promise, self.now, what);
    }

    /// Whether this bug is planted.
    pub(crate) fn has(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    /// Whether this bug is planted, and strikes now.
    pub(crate) fn strikes(&mut self, plant: Plant) -> bool {
        let strikes = self.has(plant) && self.random.one_in(4);
        if strikes {
            self.note(Step::Planted);
        }
        strikes
    }
}
