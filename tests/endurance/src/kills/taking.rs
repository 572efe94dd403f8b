//! A PULL whose senders are killed: of each it gets the first messages, without a gap.

use std::time::{Duration, Instant};

use ferromq::{Context, Error, SocketType};

use super::{Series, Sums, options, usage_at_rest};
use crate::body::number_of;
use crate::child::Peer;
use crate::meter::{Usage, descriptors};
use crate::random::Random;
use crate::{Failure, PATIENCE};

pub(super) fn run(series: &Series<'_>, random: &mut Random) -> Result<(Sums, Vec<Usage>), Failure> {
    let context = Context::new()?;
    let socket = context.any_socket(SocketType::Pull, options())?;
    socket.bind(&series.endpoint)?;
    let monitor = socket.monitor();
    let base = descriptors()?;
    let (mut sums, mut samples) = (Sums::default(), Vec::new());
    for round in 0..series.rounds {
        let mut peer = Peer::start(&["giver", &series.endpoint, &random.next().to_string()])?;
        let mut next = 0;
        let mut take = |patience: Duration| -> Result<bool, Failure> {
            let message = match socket.recv_timeout(patience) {
                Ok(message) => message,
                Err(Error::TimedOut | Error::WouldBlock) => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let number = message.frame(0).and_then(|body| number_of(body));
            if number != Some(next) {
                return Err(format!("message {number:?}, and {next} was to come").into());
            }
            next += 1;
            Ok(true)
        };
        // Every third is done when it is killed: then all of it has come.
        if round % 3 == 2 {
            let all = random.within(1, 2000);
            peer.tell(&format!("give {all}"))?;
            for _ in 0..all {
                if !take(PATIENCE)? {
                    return Err("not all of it came".into());
                }
            }
            peer.kill()?;
        } else {
            peer.tell("give on")?;
            let over = Instant::now() + Duration::from_millis(random.within(5, 60));
            while Instant::now() < over {
                take(Duration::from_millis(1))?;
            }
            peer.kill()?;
        }
        while socket.statistics().connected() > 0 {
            take(Duration::from_millis(1))?;
        }
        // What had come whole is still received.
        while take(Duration::ZERO)? {}
        sums.kills += 1;
        sums.sent += next;
        sums.received += next;
        samples.push(usage_at_rest(&socket, &monitor, base)?);
    }
    if socket.statistics().drops.total() > 0 {
        return Err(format!("{:?}", socket.statistics().drops).into());
    }
    Ok((sums, samples))
}
