//! Thousands of connections to one socket: what each costs while it is idle, that
//! all are served, and that nothing of them is left.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, EventKind, Message, Monitor, Options, SocketType};

use crate::child::{Peer, commands, say};
use crate::figures::{Figures, grouped};
use crate::meter::{Usage, cpu_time, most_descriptors, raise_descriptors};
use crate::{Failure, Outcome, PATIENCE, until};

/// Bytes that an idle connection may cost, of what is allocated.
const IDLE: i64 = 4 << 10;
/// Bytes that may be left of each: its place in tables that do not shrink.
const PLACE: i64 = 512;
/// Bytes that a second crowd may leave, which finds these places.
const LEFT: i64 = 64 << 10;
/// How long nothing happens.
const REST: Duration = Duration::from_secs(3);
/// Descriptors of whatever else there is.
const SPARE: u64 = 200;

pub(crate) fn check(count: usize) -> Result<Outcome, Failure> {
    let needed = count as u64 + SPARE;
    if !raise_descriptors(needed)? {
        let most = most_descriptors().unwrap_or(0);
        return Ok(Outcome::Skipped(format!(
            "{needed} descriptors are needed, the hard limit is {most}"
        )));
    }
    let context = Context::new()?;
    // What costs so little is a connection over tcp.
    let router = context.any_socket(SocketType::Router, Options::new().switch(false))?;
    let real = router.bind("tcp://0.0.0.0:*")?.to_string();
    let port = real.rsplit(':').next().ok_or("no port")?.to_owned();
    let mut crowd = Crowd {
        monitor: router.monitor(),
        router,
        port,
        count,
    };
    let before = Usage::now()?;
    let started = Instant::now();
    let first = crowd.gather()?;
    let after_first = crowd.disperse(before)?;
    let second = crowd.gather()?;
    let after_second = crowd.disperse(before)?;
    let more = after_second.live - after_first.live;
    if more > LEFT {
        return Err(format!("a second crowd leaves {more} bytes more").into());
    }
    let mut figures = Figures::default();
    figures.add("connections at a time", grouped(count as u64));
    figures.add("bytes allocated for an idle one", grouped(second.live));
    figures.add("bytes of memory for an idle one", grouped(first.resident));
    figures.add(
        "bytes left of each in tables",
        (after_first.live - before.live) / count as i64,
    );
    figures.add("bytes that a second crowd left", more);
    figures.add("messages to and from them", grouped(4 * count as u64));
    figures.add(
        "descriptors left of them",
        after_second.descriptors - before.descriptors,
    );
    println!(
        "connections: twice in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(Outcome::Passed(figures))
}

/// What each of a crowd costs.
struct Each {
    live: i64,
    resident: i64,
}

struct Crowd {
    router: AnySocket,
    monitor: Monitor,
    port: String,
    count: usize,
}

impl Crowd {
    /// Everybody comes, rests, says something and is answered.
    fn gather(&mut self) -> Result<Each, Failure> {
        let before = Usage::now()?;
        let mut peer = Peer::start(&["crowd", &self.port, &self.count.to_string()])?;
        for come in 1..=self.count {
            self.await_event(|kind| matches!(kind, EventKind::HandshakeSucceeded))?;
            if come % 2500 == 0 {
                println!("connections: {come}");
            }
        }
        let there = Usage::now()?;
        self.rests()?;
        let count = self.count as i64;
        let each = Each {
            live: (there.live - before.live) / count,
            resident: (there.resident - before.resident) / count,
        };
        if each.live > IDLE {
            return Err(format!("an idle connection costs {} bytes", each.live).into());
        }
        peer.tell("ask")?;
        self.serve()?;
        peer.answer("answered")?;
        peer.kill()?;
        Ok(each)
    }

    /// While nobody says anything, nothing is done.
    fn rests(&self) -> Result<(), Failure> {
        // What there was to do for those that came is done.
        std::thread::sleep(REST / 3);
        let worked = cpu_time();
        std::thread::sleep(REST);
        let worked = cpu_time() - worked;
        match worked < REST / 50 {
            true => Ok(()),
            false => Err(format!("{worked:?} of work in {REST:?} of rest").into()),
        }
    }

    /// One message of each, and an answer to each.
    fn serve(&self) -> Result<(), Failure> {
        let mut names = HashSet::new();
        for _ in 0..self.count {
            let request = self.router.recv_timeout(PATIENCE)?;
            let name = request.frame(0).ok_or("no name")?.to_vec();
            if !names.insert(name) {
                return Err("one spoke twice, so that another was not heard".into());
            }
            self.router.send(request)?;
        }
        Ok(())
    }

    /// Everybody was killed: waits until nothing is left.
    fn disperse(&self, before: Usage) -> Result<Usage, Failure> {
        // Not by their events: a monitor keeps 4,096 of those that come at once.
        until("every descriptor is back", || {
            Ok(Usage::now()?.descriptors == before.descriptors)
        })?;
        until("memory is back", || {
            while self.monitor.try_next().is_some() {}
            Ok(Usage::now()?.live - before.live < PLACE * self.count as i64)
        })?;
        Usage::now()
    }

    fn await_event(&self, wanted: impl Fn(&EventKind) -> bool) -> Result<(), Failure> {
        loop {
            let event = self.monitor.recv_timeout(PATIENCE);
            let event = event.ok_or("not all of them came")?;
            if wanted(&event.kind) {
                return Ok(());
            }
        }
    }
}

/// The crowd: one DEALER, connected to as many addresses of this machine.
pub(crate) fn peer(port: &str, count: usize) -> Result<(), Failure> {
    raise_descriptors(count as u64)?;
    let commands = commands();
    let context = Context::new()?;
    let dealer = context.any_socket(SocketType::Dealer, Options::new())?;
    for number in 0..count {
        // A socket holds one connection an endpoint, and 127.0.0.0/8 is ours.
        let [.., high, middle, low] = (number as u32 + 1).to_be_bytes();
        dealer.connect(&format!("tcp://127.{}.{middle}.{low}:{port}", high + 1))?;
    }
    while let Ok(command) = commands.recv() {
        if command != "ask" {
            return Err(format!("no such command: {command}").into());
        }
        for number in 0..count as u64 {
            dealer.send(Message::from(&number.to_be_bytes()[..]))?;
        }
        let mut answers = HashSet::new();
        for _ in 0..count {
            answers.insert(dealer.recv_timeout(PATIENCE)?.parts()[0].to_vec());
        }
        if answers.len() != count {
            return Err(format!("{} answers of {count}", answers.len()).into());
        }
        say("answered")?;
    }
    Ok(())
}
