//! A PULL whose senders are killed: of each it gets the first messages, without a gap.

use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, Error, SocketType};

use super::death::Death;
use super::watch::Watch;
use super::{Series, Sums, options, usage_at_rest};
use crate::body::number_of;
use crate::child::Peer;
use crate::meter::{Usage, descriptors};
use crate::random::Random;
use crate::{Failure, PATIENCE};

/// One call of a survivor that waits.
const CALL: Duration = Duration::from_millis(20);

pub(super) fn run(series: &Series<'_>, random: &mut Random) -> Result<(Sums, Vec<Usage>), Failure> {
    let context = Context::new()?;
    let socket = context.any_socket(SocketType::Pull, options())?;
    let mut watch = Watch::begin(&socket);
    let verb = series.meet(&socket)?;
    let base = descriptors()?;
    let (mut sums, mut samples) = (Sums::of(series.rounds), Vec::new());
    for round in 0..series.rounds {
        let death = Death::of(round, series.via, random);
        let seed = random.next().to_string();
        let peer = ["giver", verb, &series.endpoint, &seed];
        let mut peer = Peer::start_in(&peer, death.variable())?;
        let mut taker = Taker {
            socket: &socket,
            next: 0,
        };
        if death == Death::AtRest {
            // All of it has come.
            let all = random.within(1, 2000);
            peer.tell(&format!("give {all}"))?;
            while taker.next < all {
                if !taker.take(PATIENCE)? {
                    return Err("not all of it came".into());
                }
            }
        } else {
            if death.variable().is_none() {
                watch.await_connection()?;
            }
            // Who has died at a point is told nothing.
            let told = peer.tell("give on");
            told.or_else(|failure| death.variable().map(|_| ()).ok_or(failure))?;
            let over = Instant::now() + Duration::from_millis(random.within(5, 60));
            while Instant::now() < over {
                taker.take(Duration::from_millis(1))?;
            }
        }
        sums.die(&mut peer, &mut watch, |watch| taker.take_to_the_end(watch))?;
        peer.kill()?;
        // What had come whole is still received, also of one whose death came before its
        // handshake was seen to.
        usage_at_rest(&socket, base)?;
        while taker.take(Duration::ZERO)? {}
        sums.sent += taker.next;
        sums.received += taker.next;
        samples.push(Usage::now()?);
    }
    if socket.statistics().drops.total() > 0 {
        return Err(format!("{:?}", socket.statistics().drops).into());
    }
    Ok((sums, samples))
}

/// What one sender is to bring.
struct Taker<'a> {
    socket: &'a AnySocket,
    next: u64,
}

impl Taker<'_> {
    /// Takes the next message, if one comes in time.
    fn take(&mut self, patience: Duration) -> Result<bool, Failure> {
        let message = match self.socket.recv_timeout(patience) {
            Ok(message) => message,
            Err(Error::TimedOut | Error::WouldBlock) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let number = message.frame(0).and_then(|body| number_of(body));
        if number != Some(self.next) {
            return Err(format!("message {number:?}, and {} was to come", self.next).into());
        }
        self.next += 1;
        Ok(true)
    }

    /// Waits in calls until the sender is gone.
    fn take_to_the_end(&mut self, watch: &mut Watch) -> Result<(), Failure> {
        let started = Instant::now();
        while watch.is_connected() {
            self.take(CALL)?;
            if started.elapsed() > PATIENCE {
                return Err("the sender's death is not noticed".into());
            }
        }
        Ok(())
    }
}
