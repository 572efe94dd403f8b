//! A listener goes and comes back, and a thousand connectors want to reach it: they try
//! ever more rarely and not together, and all of them come back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, EventKind, Message, Monitor, Options, SocketType};

use crate::child::{Peer, commands, say};
use crate::figures::{Figures, grouped};
use crate::meter::{cpu_time, most_descriptors, raise_descriptors};
use crate::{Failure, Outcome, PATIENCE};

/// First and longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long the listener is away.
const AWAY: Duration = Duration::from_secs(5);
/// How often it goes.
const ROUNDS: u64 = 3;
/// Descriptors of a socket with one connection, and of whatever else there is.
const EACH: u64 = 7;
const SPARE: u64 = 200;
/// CPU time that an attempt may take, of the connector's whole process.
const EFFORT: Duration = Duration::from_millis(1);
/// The part of all that may try within the same [`TICK`], when they have long been
/// trying.
const TOGETHER: u64 = 4;
/// Of a longest pause, which jitter makes half a second to a second, a tenth.
const TICK: Duration = Duration::from_millis(50);

pub(crate) fn check(connectors: u64) -> Result<Outcome, Failure> {
    let needed = connectors * EACH + SPARE;
    if !raise_descriptors(needed)? {
        let most = most_descriptors().unwrap_or(0);
        return Ok(Outcome::Skipped(format!(
            "{needed} descriptors are needed, the hard limit is {most}"
        )));
    }
    let context = Context::new()?;
    let bound = |endpoint: &str| -> Result<(AnySocket, String), Failure> {
        // Its descriptors are counted.
        let socket = context.any_socket(SocketType::Pull, Options::new().switch(false))?;
        let real = socket.bind(endpoint)?.to_string();
        Ok((socket, real))
    };
    let (mut socket, endpoint) = bound("tcp://127.0.0.1:*")?;
    let mut peer = Peer::start(&["storm", &endpoint, &connectors.to_string()])?;
    everybody(&socket, &mut peer, connectors)?;
    let (mut attempts, mut slowest) = (0, Duration::ZERO);
    for round in 0..ROUNDS {
        socket.close();
        drop(socket);
        peer.tell("watch")?;
        let watched: u64 = peer.answer("attempts")?.parse()?;
        attempts += watched;
        let back = Instant::now();
        (socket, _) = bound(&endpoint)?;
        everybody(&socket, &mut peer, connectors)?;
        slowest = slowest.max(back.elapsed());
        println!(
            "storm {round}: {watched} attempts, all back in {:?}",
            back.elapsed()
        );
    }
    let mut figures = Figures::default();
    figures.add("connectors", grouped(connectors));
    figures.add("times that their listener went", grouped(ROUNDS));
    figures.add(
        "attempts while it was away for 5 s",
        grouped(attempts / ROUNDS),
    );
    figures.add(
        "all back after, at most",
        format!("{:.1} s", slowest.as_secs_f64()),
    );
    Ok(Outcome::Passed(figures))
}

/// A message of each arrives.
fn everybody(socket: &AnySocket, peer: &mut Peer, connectors: u64) -> Result<(), Failure> {
    if !socket.wait_for_peers(connectors as usize, PATIENCE)? {
        let there = socket.statistics().connected();
        return Err(format!("{there} of {connectors} came back").into());
    }
    peer.tell("send")?;
    let mut heard = BTreeSet::new();
    for _ in 0..connectors {
        heard.insert(socket.recv_timeout(PATIENCE)?.parts()[0].to_vec());
    }
    match heard.len() as u64 == connectors {
        true => Ok(()),
        false => Err(format!("{} of {connectors} were heard", heard.len()).into()),
    }
}

/// The connectors.
pub(crate) fn peer(endpoint: &str, connectors: u64) -> Result<(), Failure> {
    raise_descriptors(connectors * EACH)?;
    let commands = commands();
    let context = Context::new()?;
    let options = Options::new().reconnect_interval(PAUSES.0, PAUSES.1);
    let mut all = Vec::new();
    for _ in 0..connectors {
        let socket = context.any_socket(SocketType::Push, options.clone())?;
        let monitor = socket.monitor();
        socket.connect(endpoint)?;
        all.push((socket, monitor));
    }
    while let Ok(command) = commands.recv() {
        match &*command {
            "send" => {
                for (number, (socket, _)) in (0_u64..).zip(&all) {
                    socket.send(Message::from(&number.to_be_bytes()[..]))?;
                    socket.flush()?;
                }
            }
            _ => say(&format!("attempts {}", watch(&all)?))?,
        }
    }
    Ok(())
}

/// Counts the attempts of all while their listener is away.
fn watch(all: &[(AnySocket, Monitor)]) -> Result<u64, Failure> {
    let begun = Instant::now();
    let worked = cpu_time();
    let (mut attempts, mut ticks) = (0_u64, BTreeMap::<u128, u64>::new());
    while begun.elapsed() < AWAY {
        let tick = begun.elapsed().as_millis() / TICK.as_millis();
        for event in all.iter().flat_map(|(_, monitor)| monitor.try_next()) {
            if matches!(event.kind, EventKind::ConnectRetried { .. }) {
                attempts += 1;
                *ticks.entry(tick).or_default() += 1;
            }
        }
        std::thread::sleep(TICK / 10);
    }
    let worked = cpu_time() - worked;
    let count = all.len() as u64;
    // Pauses of 10, 20, 40 … 500 ms at least.
    let most = count * (6 + AWAY.as_millis() as u64 / 500 + 1);
    if !(5 * count..=most).contains(&attempts) {
        return Err(format!("{attempts} attempts of {count} in {AWAY:?}").into());
    }
    if worked > EFFORT * attempts as u32 {
        return Err(format!("{worked:?} of work for {attempts} attempts").into());
    }
    let late = AWAY.as_millis() / TICK.as_millis() / 2;
    let together = ticks.range(late..).map(|(_, count)| *count).max();
    match together.is_some_and(|together| together <= count / TOGETHER) {
        true => Ok(attempts),
        false => Err(format!("{together:?} of {count} tried at the same time").into()),
    }
}
