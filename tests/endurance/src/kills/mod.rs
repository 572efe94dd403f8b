//! Peers that are killed with `kill -9`, again and again: what they cost their
//! survivor in messages, memory and descriptors.
//!
//! ```text
//!   survivor: PUSH, bound or connected ──tcp, ipc, shm──▶ PULL that writes down what it got
//!   survivor: PULL, bound or connected ◀──tcp, ipc, shm── PUSH
//! ```
//! One who is killed while nothing is under way takes nothing along: then what was
//! sent is what was received and what was counted, to the message. One who is killed
//! in the middle takes along what the kernel and it itself had, and no more. Over shm
//! some die at a labelled point of the transport's.
//!
//! How long a survivor takes to notice is measured from before the signal is sent to the
//! event of its monitor: a PULL that waits in a call, and a PUSH that nobody calls, whose
//! socket the I/O thread has to take over first.

mod death;
mod giving;
mod killed;
mod ledger;
mod taking;
mod watch;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ferromq::{AnySocket, Options};
use ferromq_transport::LinkOptions;

use crate::child::Peer;
use crate::figures::{Figures, grouped};
use crate::meter::Usage;
use crate::random::Random;
use crate::{Failure, Outcome, flat, until};

use self::watch::Watch;

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
    TakesBound,
    /// A PULL that connects, and connects again.
    TakesConnected,
}

/// Over what they meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Tcp,
    Ipc,
    Shm,
}

/// Sums over all rounds of a series.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sums {
    pub(crate) kills: u64,
    /// Of these, who died at a point of the transport's.
    pub(crate) at_points: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) counted: u64,
    /// Written whole to one who was killed before it had them.
    pub(crate) with_the_dead: u64,
    /// How long each death took to be noticed, where it came from outside.
    pub(crate) noticed: Vec<Duration>,
}

/// Kills so many peers over tcp and ipc together and so many over shm, spread evenly over
/// all sides.
pub(crate) fn check(kills: u64, over_shm: u64, seed: u64) -> Result<Outcome, Failure> {
    let place = tempfile::tempdir()?;
    let mut random = Random::new(seed);
    let (mut all, mut figures) = (Sums::default(), Figures::default());
    let (mut live, mut resident) = (0, 0);
    for (via, kills) in [
        (Via::Tcp, kills / 2),
        (Via::Ipc, kills.div_ceil(2)),
        (Via::Shm, over_shm),
    ] {
        let mut of_via = Sums::default();
        for (waits, sides) in [
            (
                "that nobody calls",
                [Side::GivesBound, Side::GivesConnected],
            ),
            (
                "that waits in a call",
                [Side::TakesBound, Side::TakesConnected],
            ),
        ] {
            let mut of_both = Sums::default();
            for side in sides {
                let series = Series {
                    side,
                    via,
                    rounds: kills.div_ceil(4),
                    endpoint: endpoint(via, place.path())?,
                    folder: place.path(),
                };
                let (sums, samples) = series.run(&mut random)?;
                println!("kills: {side:?} over {via}: {sums}");
                let (more, occupied) = check_usage(&samples)?;
                (live, resident) = (live.max(more), resident.max(occupied));
                of_both.add(sums);
            }
            figures.add(
                format!("{via}: death noticed by a socket {waits}, ms (p50, p99, max)"),
                of_both.noticed_ms(),
            );
            of_via.add(of_both);
        }
        figures.add(format!("{via}: peers killed"), grouped(of_via.kills));
        if via == Via::Shm {
            figures.add(
                "shm: of these, at labelled points",
                grouped(of_via.at_points),
            );
        }
        all.add(of_via);
    }
    figures.add("peers killed", grouped(all.kills));
    figures.add("messages sent", grouped(all.sent));
    figures.add("received", grouped(all.received));
    figures.add("dropped and counted", grouped(all.counted));
    figures.add("written whole to the killed", grouped(all.with_the_dead));
    figures.add("growth of what is allocated, bytes", grouped(live));
    figures.add("growth of memory, bytes", grouped(resident));
    Ok(Outcome::Passed(figures))
}

impl Sums {
    /// With room for so many deaths: what is allocated is measured to be flat.
    fn of(rounds: u64) -> Self {
        Self {
            noticed: Vec::with_capacity(rounds as usize),
            ..Self::default()
        }
    }

    /// Has a peer die, if it has not yet; `await_end` is to return when that is noticed.
    fn die(
        &mut self,
        peer: &mut Peer,
        watch: &mut Watch,
        await_end: impl FnOnce(&mut Watch) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let connected = watch.is_connected();
        let struck = peer.strike()?;
        await_end(watch)?;
        self.kills += 1;
        match (struck, watch.last_end()) {
            (None, _) => self.at_points += 1,
            (Some(struck), Some(noticed)) if connected => {
                self.noticed.push(noticed.saturating_duration_since(struck));
            }
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, more: Self) {
        self.kills += more.kills;
        self.at_points += more.at_points;
        self.sent += more.sent;
        self.received += more.received;
        self.counted += more.counted;
        self.with_the_dead += more.with_the_dead;
        self.noticed.extend(more.noticed);
    }

    /// The median, the 99th percentile and the longest, in milliseconds.
    fn noticed_ms(&self) -> String {
        let mut sorted = self.noticed.clone();
        sorted.sort();
        let at = |part: usize| {
            let index = (sorted.len() * part / 100).min(sorted.len().saturating_sub(1));
            let time = sorted.get(index).copied().unwrap_or_default();
            format!("{:.2}", time.as_secs_f64() * 1e3)
        };
        [at(50), at(99), at(100)].join(", ")
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} killed ({} at points), {} sent, {} received, {} counted, {} with the dead, \
             noticed after {} ms",
            self.kills,
            self.at_points,
            self.sent,
            self.received,
            self.counted,
            self.with_the_dead,
            self.noticed_ms()
        )
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
            Self::Shm => "shm",
        })
    }
}

/// So many kills at one endpoint.
pub(crate) struct Series<'a> {
    side: Side,
    via: Via,
    rounds: u64,
    endpoint: String,
    folder: &'a Path,
}

impl Series<'_> {
    fn run(&self, random: &mut Random) -> Result<(Sums, Vec<Usage>), Failure> {
        match self.side {
            Side::GivesBound | Side::GivesConnected => giving::run(self, random),
            Side::TakesBound | Side::TakesConnected => taking::run(self, random),
        }
    }

    /// Binds or connects the survivor's socket; what the peer is to do then.
    fn meet(&self, socket: &AnySocket) -> Result<&'static str, Failure> {
        match self.side {
            Side::GivesConnected | Side::TakesConnected => {
                socket.connect(&self.endpoint)?;
                Ok("bind")
            }
            Side::GivesBound | Side::TakesBound => {
                socket.bind(&self.endpoint)?;
                Ok("connect")
            }
        }
    }
}

/// Binds or connects a peer's socket.
pub(super) fn meet_as_told(socket: &AnySocket, verb: &str, endpoint: &str) -> Result<(), Failure> {
    match verb {
        "bind" => drop(socket.bind(endpoint)?),
        _ => socket.connect(endpoint)?,
    }
    Ok(())
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
fn usage_at_rest(socket: &AnySocket, base: i64) -> Result<Usage, Failure> {
    until("the peer's descriptors are back", || {
        let usage = Usage::now()?;
        Ok(socket.statistics().connected() == 0 && usage.descriptors <= base)
    })?;
    Usage::now()
}

/// A fixed endpoint, for the peer is to be at the same one again.
fn endpoint(via: Via, folder: &Path) -> Result<String, Failure> {
    Ok(match via {
        Via::Tcp => {
            let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
            format!("tcp://{}", taken.local_addr()?)
        }
        Via::Ipc => format!("ipc://{}", folder.join("socket").display()),
        Via::Shm => format!("shm://ferromq-kills-{}", std::process::id()),
    })
}

/// Little in the kernel, little decoded, and quickly there again.
fn options() -> Options {
    let mut link = LinkOptions::default();
    link.send_buffer = Some(BUFFER);
    link.receive_buffer = Some(BUFFER);
    let (soon, later) = (Duration::from_millis(2), Duration::from_millis(20));
    // Over the transport that is asked for.
    Options::new()
        .switch(false)
        .link(link)
        .receive_high_water_mark(100)
        .reconnect_interval(soon, later)
}
