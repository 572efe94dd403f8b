//! A PUSH whose receivers are killed.

use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, Message, SendError, SocketType};

use super::death::Death;
use super::ledger::Ledger;
use super::watch::Watch;
use super::{Series, Sums, options, usage_at_rest};
use crate::body::numbered;
use crate::child::Peer;
use crate::meter::{Usage, descriptors};
use crate::random::Random;
use crate::{Failure, until};

/// Messages that may wait for a peer: many more than can be under way.
const WAITING: usize = 4000;
/// Bytes of a message.
const BODY: (u64, u64) = (1 << 10, 4 << 10);
/// Messages that a peer may take to its grave: what the kernel has of both ends
/// (doubled, each way), a receive block and what is decoded, by the shortest body.
const GRAVE: u64 = (4 * super::BUFFER as u64 + (256 << 10)) / BODY.0 + 100;

struct Giver {
    socket: AnySocket,
    next: u64,
    ledger: Ledger,
    /// What was there at the end of the last round.
    sent: u64,
    received: u64,
    counted: u64,
    queued: u64,
}

pub(super) fn run(series: &Series<'_>, random: &mut Random) -> Result<(Sums, Vec<Usage>), Failure> {
    let file = series.folder.join("ledger");
    let context = Context::new()?;
    let options = options()
        .send_high_water_mark(WAITING)
        .linger(Some(Duration::ZERO));
    let socket = context.any_socket(SocketType::Push, options)?;
    let mut watch = Watch::begin(&socket);
    let verb = series.meet(&socket)?;
    let mut giver = Giver {
        socket,
        next: 0,
        ledger: Ledger::create(&file)?,
        sent: 0,
        received: 0,
        counted: 0,
        queued: 0,
    };
    let base = descriptors()?;
    let (mut sums, mut samples) = (Sums::of(series.rounds), Vec::new());
    let file = file.to_str().ok_or("a folder whose name is no text")?;
    for round in 0..series.rounds {
        let death = Death::of(round, series.via, random);
        let at_rest = death == Death::AtRest;
        let peer = ["taker", verb, &series.endpoint, file];
        let mut peer = Peer::start_in(&peer, death.variable())?;
        // Who dies at a point may do so before it comes.
        if death.variable().is_none() {
            watch.await_connection()?;
        }
        giver.give(random)?;
        match at_rest {
            true => giver.rests()?,
            false => std::thread::sleep(Duration::from_millis(random.within(0, 30))),
        }
        sums.die(&mut peer, &mut watch, Watch::await_end)?;
        peer.kill()?;
        let usage = usage_at_rest(&giver.socket, base)?;
        // What is queued for the next peer is memory, too.
        if at_rest {
            samples.push(usage);
        }
        let lost = giver.balance(at_rest)?;
        sums.with_the_dead += lost;
    }
    sums.sent = giver.sent;
    sums.received = giver.received;
    sums.counted = giver.counted;
    Ok((sums, samples))
}

impl Giver {
    /// Gives for a while: now less than the peer takes, now more.
    fn give(&mut self, random: &mut Random) -> Result<(), Failure> {
        let until = Instant::now() + Duration::from_millis(random.within(5, 60));
        let most = random.within(10, 2 * WAITING as u64);
        for _ in 0..most {
            let len = random.within(BODY.0, BODY.1) as usize;
            let message = Message::from(&numbered(self.next, len)[..]);
            match self.socket.try_send(message) {
                Ok(()) => self.next += 1,
                Err(SendError { .. }) => std::thread::yield_now(),
            }
            if Instant::now() > until {
                break;
            }
        }
        Ok(())
    }

    /// Waits until the peer has everything.
    fn rests(&mut self) -> Result<(), Failure> {
        until("the peer has all that was sent", || {
            self.socket.flush()?;
            let (noted, gone) = (self.ledger.look()?, self.counted + self.lost_so_far());
            Ok(noted + gone == self.next)
        })
    }

    /// What was lost with the dead of earlier rounds.
    fn lost_so_far(&self) -> u64 {
        self.sent - self.received - self.counted - self.queued
    }

    /// What was given since the last time and is nowhere: with the dead.
    fn balance(&mut self, at_rest: bool) -> Result<u64, Failure> {
        let lost_before = self.lost_so_far();
        let statistics = self.socket.statistics();
        self.sent = statistics.traffic.messages_sent;
        self.counted = statistics.drops.total();
        let queued = statistics.peers.iter().map(|peer| peer.queued_messages);
        self.queued = queued.sum::<usize>() as u64;
        self.received = self.ledger.look()?;
        if self.sent != self.next {
            return Err(format!("{} sent, {} counted as sent", self.next, self.sent).into());
        }
        let found = self.received + self.counted + self.queued;
        let lost = self.sent.checked_sub(found + lost_before);
        let lost = lost.ok_or_else(|| format!("{found} of {} messages are found", self.sent))?;
        let allowed = if at_rest { 0 } else { GRAVE };
        match lost <= allowed {
            true => Ok(lost),
            false => Err(format!(
                "{lost} messages are nowhere, of which a peer can have had {allowed}: {} sent, \
                 {} received, {:?}, {} queued",
                self.sent, self.received, statistics.drops, self.queued
            )
            .into()),
        }
    }
}
