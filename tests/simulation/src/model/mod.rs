//! The naive model: who sent what to whom, and what may come of it.

mod turns;

use std::collections::BTreeMap;

use crate::drops::Drops;
use crate::failure::{Failure, Promise};
use crate::message::{Damage, Number};
pub(crate) use turns::Turns;

/// Nobody in particular.
pub(crate) const ANYBODY: u64 = u64::MAX;

/// What is known of a message.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Who made it: socket and incarnation.
    pub(crate) origin: u64,
    /// Who it is for, the same way, or [`ANYBODY`].
    pub(crate) to: u64,
    /// The request that it answers.
    pub(crate) answers: Option<Number>,
    /// What was published: an index of the topics.
    pub(crate) topic: Option<usize>,
    /// Whether each subscriber gets it, or one receiver only.
    pub(crate) copies: Copies,
    /// Sockets that received it, a bit each.
    pub(crate) received: u32,
    /// The pipes that it came through so far, stirred together.
    route: u64,
}

/// How many receivers a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copies {
    /// One on each level of the topology.
    One,
    /// Every subscriber.
    Many,
}

/// A message that is received.
pub(crate) struct Arrival {
    pub(crate) number: Result<Number, Damage>,
    pub(crate) socket: u8,
    /// Sockets that share its level: of a message with one receiver, only one
    /// of them gets it.
    pub(crate) level: u32,
    /// Names the pipe that it came through.
    pub(crate) pipe: u64,
    /// Whether the receiver passes it on.
    pub(crate) forwarded: bool,
}

/// The model of one simulation.
#[derive(Debug, Default)]
pub(crate) struct Model {
    records: Vec<Record>,
    /// Messages that a socket took for a peer, each time one did.
    pub(crate) owed: u64,
    /// Messages that an application received.
    pub(crate) delivered: u64,
    /// What sockets that are gone said of their losses, and what the
    /// simulation itself destroyed.
    pub(crate) lost: Drops,
    /// Handshakes that took too long, on a slow network without any fault.
    pub(crate) late_handshakes: u64,
    /// The last message of each origin through each route.
    order: BTreeMap<u64, Number>,
    pub(crate) failure: Option<Failure>,
}

impl Record {
    pub(crate) fn new(origin: u64, to: u64) -> Self {
        Self {
            origin,
            to,
            answers: None,
            topic: None,
            copies: Copies::One,
            received: 0,
            route: 0,
        }
    }
}

impl Model {
    /// Notes a message that an application made.
    pub(crate) fn made(&mut self, record: Record) -> Number {
        self.records.push(record);
        self.records.len() as Number - 1
    }

    pub(crate) fn record(&self, number: Number) -> &Record {
        &self.records[number as usize]
    }

    /// Checks a message that is received; its number, if it is one of ours.
    pub(crate) fn received(&mut self, now: u64, arrival: &Arrival) -> Option<Number> {
        self.delivered += 1;
        let number = match arrival.number {
            Ok(number) if (number as usize) < self.records.len() => number,
            damage => {
                self.fail(Promise::Whole, now, format!("{damage:?} was received"));
                return None;
            }
        };
        let record = &mut self.records[number as usize];
        let bit = 1 << arrival.socket;
        let before = match record.copies {
            Copies::One => record.received & arrival.level,
            Copies::Many => record.received & bit,
        };
        record.received |= bit;
        if before != 0 {
            let what = format!(
                "message {number} was received before by sockets {before:#b}, and now by {}",
                arrival.socket
            );
            self.fail(Promise::Once, now, what);
        }
        self.check_order(now, number, arrival);
        Some(number)
    }

    /// FIFO a peer: among messages of the same origin that came the same way.
    fn check_order(&mut self, now: u64, number: Number, arrival: &Arrival) {
        let record = &mut self.records[number as usize];
        let route = crate::random::mix(record.route ^ arrival.pipe);
        if arrival.forwarded {
            record.route = route;
        }
        let key = crate::random::mix(route ^ crate::random::mix(record.origin));
        match self.order.insert(key, number) {
            Some(last) if last > number => {
                let what = format!("message {number} was received after {last}, by the same way");
                self.fail(Promise::Order, now, what);
            }
            _ => {}
        }
    }

    pub(crate) fn fail(&mut self, promise: Promise, at: u64, what: String) {
        // The first one is the cause; what follows may be its consequence.
        self.failure.get_or_insert(Failure { promise, at, what });
    }
}
