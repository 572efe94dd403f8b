//! Peers that are killed with `kill -9`, again and again: what they cost their
//! survivor in messages, memory and descriptors.
//!
//! ```text
//!   survivor: PUSH, bound or connected ──tcp, ipc──▶ PULL that writes down what it got
//!   survivor: PULL, bound              ◀──tcp, ipc── PUSH
//! ```
//! One who is killed while nothing is under way takes nothing along: then what was
//! sent is what was received and what was counted, to the message. One who is killed
//! in the middle takes along what the kernel and it itself had, and no more.

mod giving;
mod killed;
mod ledger;
mod taking;

use std::path::Path;

use ferromq::{AnySocket, Monitor, Options};
use ferromq_transport::LinkOptions;

use crate::figures::{Figures, grouped};
use crate::meter::Usage;
use crate::random::Random;
use crate::{Failure, Outcome, flat, until};

pub(crate) use self::killed::{giver, taker};

/// Bytes of the kernel's buffers, each way: what is under way is little.
const BUFFER: usize = 64 << 10;
/// Bytes that may grow over all kills: of what is allocated, and of the process, which
/// keeps what its longest queue once needed.
const GROWTH: (i64, i64) = (16 << 10, 8 << 20);

/// Which side survives, and how the two meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// A PUSH that is bound.
    GivesBound,
    /// A PUSH that connects, and connects again.
    GivesConnected,
    /// A PULL that is bound.
    Takes,
}

/// Sums over all rounds of a series.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) kills: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) counted: u64,
    /// Written whole to one who was killed before it had them.
    pub(crate) with_the_dead: u64,
}

/// Kills so many peers, spread evenly over six series.
pub(crate) fn check(kills: u64, seed: u64) -> Result<Outcome, Failure> {
    let place = tempfile::tempdir()?;
    let mut random = Random::new(seed);
    let mut all = Sums::default();
    let (mut live, mut resident) = (0, 0);
    for side in [Side::GivesBound, Side::GivesConnected, Side::Takes] {
        for transport in ["tcp", "ipc"] {
            let endpoint = endpoint(transport, place.path())?;
            let series = Series {
                rounds: kills.div_ceil(6),
                endpoint,
                folder: place.path(),
            };
            let (sums, samples) = match side {
                Side::Takes => taking::run(&series, &mut random)?,
                _ => giving::run(side, &series, &mut random)?,
            };
            println!("kills: {side:?} over {transport}: {sums:?}");
            let (more, occupied) = check_usage(&samples)?;
            (live, resident) = (live.max(more), resident.max(occupied));
            all.add(sums);
        }
    }
    let mut figures = Figures::default();
    figures.add("peers killed", grouped(all.kills));
    figures.add("messages sent", grouped(all.sent));
    figures.add("received", grouped(all.received));
    figures.add("dropped and counted", grouped(all.counted));
    figures.add("written whole to the killed", grouped(all.with_the_dead));
    figures.add("growth of what is allocated, bytes", live.max(0));
    figures.add("growth of memory, bytes", resident.max(0));
    Ok(Outcome::Passed(figures))
}

impl Sums {
    fn add(&mut self, more: Self) {
        self.kills += more.kills;
        self.sent += more.sent;
        self.received += more.received;
        self.counted += more.counted;
        self.with_the_dead += more.with_the_dead;
    }
}

/// So many kills at one endpoint.
pub(crate) struct Series<'a> {
    rounds: u64,
    endpoint: String,
    folder: &'a Path,
}

/// Memory and descriptors are what they were.
fn check_usage(samples: &[Usage]) -> Result<(i64, i64), Failure> {
    let descriptors: Vec<i64> = samples.iter().map(|usage| usage.descriptors).collect();
    flat::check("descriptors", &descriptors, 0)?;
    let live: Vec<i64> = samples.iter().map(|usage| usage.live).collect();
    let resident: Vec<i64> = samples.iter().map(|usage| usage.resident).collect();
    Ok((
        flat::check("bytes allocated", &live, GROWTH.0)?,
        flat::check("bytes of memory", &resident, GROWTH.1)?,
    ))
}

/// What is used when the dead peer is forgotten.
fn usage_at_rest(socket: &AnySocket, monitor: &Monitor, base: i64) -> Result<Usage, Failure> {
    until("the peer's descriptors are back", || {
        while monitor.try_next().is_some() {}
        let usage = Usage::now()?;
        Ok(socket.statistics().connected() == 0 && usage.descriptors <= base)
    })?;
    Usage::now()
}

/// A fixed endpoint, for the peer is to be at the same one again.
fn endpoint(transport: &str, folder: &Path) -> Result<String, Failure> {
    if transport == "ipc" {
        return Ok(format!("ipc://{}", folder.join("socket").display()));
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("tcp://{}", taken.local_addr()?))
}

/// Little in the kernel, little decoded, and quickly there again.
fn options() -> Options {
    let mut link = LinkOptions::default();
    link.send_buffer = Some(BUFFER);
    link.receive_buffer = Some(BUFFER);
    let (soon, later) = (
        std::time::Duration::from_millis(2),
        std::time::Duration::from_millis(20),
    );
    Options::new()
        .link(link)
        .receive_high_water_mark(100)
        .reconnect_interval(soon, later)
}
