//! Passing messages on between two sockets: brokers, forwarders, streamers, and
//! chains of them.
//!
//! ```text
//!              ┌──────────────── lane ────────────────▶┐
//!  peers ◀──▶ frontend                              backend ◀──▶ peers
//!              └◀─────────────── lane ─────────────────┘
//!                         │ a copy of each               ▲ PAUSE, RESUME, …
//!                         ▼                              │
//!                      capture                        control, handles
//! ```
//! A lane asks for room before it takes: what cannot leave stays where it is,
//! and in the end with who sent it. One thread does it all. It looks at the
//! sockets' epolls, turns until nothing moves, and sleeps; so a side that is
//! full, or silent, costs nothing.

mod builder;
mod control;
mod error;
mod handle;
mod lane;
mod station;
mod watch;

use std::sync::Arc;

use self::handle::{Motion, Shared};
use self::lane::Lane;
use self::station::Station;
use self::watch::{Look, Watch};
use crate::{AnySocket, Message};

pub use self::builder::ProxyBuilder;
pub use self::error::{ProxyError, ProxyRole};
pub use self::handle::{ProxyHandle, ProxyStatistics};

/// Turns that are taken before the sockets are looked at again: so long may a
/// word of command wait while messages flow.
const TURNS: u32 = 8;

/// Passes whole messages on between a frontend and a backend, both ways where
/// the sockets' types allow it.
///
/// | Frontend | Backend | What it is |
/// |---|---|---|
/// | ROUTER | DEALER | a broker: requests to servers in turn, replies to who asked |
/// | XSUB | XPUB | a forwarder: what publishers say to subscribers, subscriptions to publishers |
/// | PULL | PUSH | a streamer: tasks to workers in turn |
///
/// and any other pair, either way round, of which one side sends what the other
/// receives, but for REQ and REP: SUB and PUB, two DEALERs, or one ROUTER for
/// both sides, which returns what comes. Several in a chain work as one: a
/// ROUTER adds the identity of who spoke, and takes it off on the way back.
///
/// # What it promises
/// Frames are passed on as handles, so payloads are not copied but as any send
/// does (frames below 8 KiB, into the link's output). Order is kept in each
/// direction. Nothing is taken from a side while the other has no room: the
/// queues fill up to the high-water marks, and then the senders wait. Both
/// directions take turns of at most 256 messages.
///
/// Some patterns drop by themselves, and the sockets' own
/// [statistics](AnySocket::statistics) count it: PUB and XPUB what a slow
/// subscriber has no room for, ROUTER what is for a peer that is full or gone.
/// Where [`pub_no_drop`](crate::Options::pub_no_drop) or
/// [`router_mandatory`](crate::Options::router_mandatory) forbid that, and with
/// SERVER and PEER, a message for a peer that is full is held, and holds up its
/// direction.
///
/// Nobody else should send or receive on its sockets while it runs; binding,
/// connecting and statistics are welcome at any time, from any thread.
///
/// ```
/// use ferromq_mio::{Context, Dealer, Proxy, Rep, Req, Router};
/// use ferromq_transport_tcp::Tcp;
///
/// let context = Context::builder().transport(Tcp).build()?;
/// let clients = context.socket::<Router>()?;
/// let front = clients.bind("tcp://127.0.0.1:*")?.to_string();
/// let servers = context.socket::<Dealer>()?;
/// let back = servers.bind("tcp://127.0.0.1:*")?.to_string();
///
/// let mut broker = Proxy::builder(clients, servers).build()?;
/// let handle = broker.handle();
/// let running = std::thread::spawn(move || broker.run());
///
/// let server = context.socket::<Rep>()?;
/// server.connect(&back)?;
/// let client = context.socket::<Req>()?;
/// client.connect(&front)?;
/// client.send("question")?;
/// assert_eq!(server.recv()?, "question".into());
/// server.send("answer")?;
/// assert_eq!(client.recv()?, "answer".into());
///
/// handle.stop();
/// running.join().unwrap()?;
/// assert_eq!(handle.statistics().backend.messages_sent, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Proxy {
    /// Each socket once.
    stations: Vec<Station>,
    lanes: Vec<Lane>,
    capture: Option<Station>,
    control: Option<Station>,
    counted: ProxyStatistics,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Begins with the two sides; the proxy keeps handles to them. They may be
    /// the same socket, of a type that both sends and receives.
    pub fn builder(frontend: impl Into<AnySocket>, backend: impl Into<AnySocket>) -> ProxyBuilder {
        ProxyBuilder::new(frontend.into(), backend.into())
    }

    /// A handle to steer it with, before and while it runs.
    #[must_use]
    pub fn handle(&self) -> ProxyHandle {
        ProxyHandle::new(self.shared.clone())
    }

    /// What has passed in all runs.
    #[must_use]
    pub fn statistics(&self) -> ProxyStatistics {
        self.counted
    }

    /// Passes messages on until it is stopped by a [handle](ProxyHandle::stop)
    /// or by `TERMINATE`. What it had taken is then sent, or held: run it again
    /// and it goes on from there, or [take](Self::take_held) it.
    ///
    /// Takes no timeout of the sockets', and never spins: it sleeps while there
    /// is nothing to move.
    ///
    /// # Errors
    /// [`ProxyError::Socket`] names the socket that was closed, whose context
    /// was terminated, or that failed otherwise; [`ProxyError::System`] when the
    /// system cannot wait. What peers do is never an error: a message that the
    /// other side refuses is dropped and [counted](ProxyStatistics::refused).
    pub fn run(&mut self) -> Result<(), ProxyError> {
        let (stations, shared) = (self.stations.clone(), self.shared.clone());
        let mut watch = Watch::begin(&stations, shared.bell());
        let ran = watch
            .attend_to_all()
            .and_then(|()| self.turn_until_stopped(&mut watch));
        let finished = self.finish();
        self.shared.end(&self.counted, ran.is_ok());
        ran.and(finished)
    }

    /// Takes out what a run had to leave: messages that were taken from one
    /// side, and then found no room on the other, with the side that they were
    /// meant for. At most one a direction.
    pub fn take_held(&mut self) -> Vec<(ProxyRole, Message)> {
        self.lanes.iter_mut().filter_map(Lane::give_up).collect()
    }

    fn turn_until_stopped(&mut self, watch: &mut Watch<'_>) -> Result<(), ProxyError> {
        let mut turns = 0;
        loop {
            let mut moved = match &self.control {
                Some(control) => control::obey(control, &self.shared, &self.counted)?,
                None => false,
            };
            match self.shared.exchange(&self.counted) {
                Some(Motion::Running) => moved |= self.turn()?,
                Some(Motion::Paused) => {}
                None => return Ok(()),
            }
            turns += 1;
            if moved && turns < TURNS {
                continue;
            }
            turns = 0;
            // What leaves may make room that the turn has not found, and no event tells
            // of that: another turn before the sleep.
            let how = match (self.flush()?, moved) {
                (_, true) => Look::Glance,
                (true, false) => continue,
                (false, false) => Look::UntilNews,
            };
            if watch.look(how)? {
                self.shared.hush();
            }
        }
    }

    /// Both directions once. True: something moved, so that another turn may
    /// find more without a look.
    fn turn(&mut self) -> Result<bool, ProxyError> {
        let (capture, counted) = (self.capture.as_ref(), &mut self.counted);
        let mut moved = false;
        for lane in &mut self.lanes {
            moved |= lane.retry(capture, counted)?;
        }
        for lane in &mut self.lanes {
            moved |= lane.turn(capture, counted)?;
        }
        Ok(moved)
    }

    /// Sends what is held, if there is room for it now, and all that waits.
    fn finish(&mut self) -> Result<(), ProxyError> {
        for lane in &mut self.lanes {
            lane.retry(self.capture.as_ref(), &mut self.counted)?;
        }
        self.flush().map(drop)
    }

    /// Writes what turns have deferred, and what is to be given back to who sent it.
    /// True: there was something.
    fn flush(&self) -> Result<bool, ProxyError> {
        let (mut some, mut ended) = (false, Ok(()));
        // Each of them, whatever becomes of the others.
        for station in &self.stations {
            match station.flush() {
                Ok(wrote) => some |= wrote,
                Err(failure) => ended = ended.and(Err(failure)),
            }
        }
        ended.map(|()| some)
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sockets = self.stations.iter();
        f.debug_map()
            .entries(sockets.map(|station| (station.role(), station.socket())))
            .finish()
    }
}
