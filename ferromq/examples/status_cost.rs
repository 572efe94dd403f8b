//! What a look costs a busy pair: `cargo run --release --example status_cost`.
//!
//! A PUSH and a PULL in two threads move 64 B messages. Rounds without anybody
//! looking take turns with rounds of each interval. What is compared is the
//! processor time of both threads a message: on a machine that does other things
//! too, messages a second tell of those.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ferromq::{Context, Error, Pull, Push, Socket};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(2);
const BATCH: u64 = 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new()?;
    let (pull, push) = (context.socket::<Pull>()?, context.socket::<Push>()?);
    push.connect(&pull.bind("tcp://127.0.0.1:*")?.to_string())?;
    let intervals = [None, Some(1000), Some(50), Some(1)].map(|ms| ms.map(Duration::from_millis));
    let mut costs = vec![Vec::new(); intervals.len()];
    let mut looks = vec![Vec::new(); intervals.len()];
    for _ in 0..ROUNDS {
        for (index, interval) in intervals.iter().enumerate() {
            costs[index].push(round(&context, &push, &pull, *interval, &mut looks[index])?);
        }
    }
    for (index, interval) in intervals.iter().enumerate() {
        costs[index].sort_by(f64::total_cmp);
        looks[index].sort_unstable();
        let (costs, looks) = (&costs[index], &looks[index]);
        let name = interval.map_or("no looks".into(), |every| format!("every {every:?}"));
        let (low, median, high) = (costs[0], costs[ROUNDS / 2], costs[ROUNDS - 1]);
        print!("{name:>14}  {median:5.0} ns a message ({low:.0} to {high:.0})");
        match looks.get(looks.len() / 2) {
            Some(look) => println!("; a look takes {look:?} (median of {})", looks.len()),
            None => println!(),
        }
    }
    Ok(())
}

/// Processor time of both threads in one round, in nanoseconds a message.
fn round(
    context: &Context,
    push: &Socket<Push>,
    pull: &Socket<Pull>,
    interval: Option<Duration>,
    looks: &mut Vec<Duration>,
) -> Result<f64, Error> {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<Duration, Error> {
            while !ended.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    push.send_bytes(&[b'x'; 64])?;
                }
            }
            push.send_bytes(b"end")?;
            Ok(spent())
        });
        let receiver = scope.spawn(|| -> Result<(Duration, u64), Error> {
            let mut received = 0;
            while pull.recv()?.body_len() == 64 {
                received += 1;
            }
            Ok((spent(), received))
        });
        let begun = Instant::now();
        // Half an interval first, so that one of a second is met twice.
        let mut next = begun + interval.unwrap_or(ROUND) / 2;
        while next < begun + ROUND {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            if let Some(interval) = interval {
                let look = Instant::now();
                std::hint::black_box(context.sockets());
                looks.push(look.elapsed());
                next += interval;
            } else {
                next += ROUND;
            }
        }
        thread::sleep((begun + ROUND).saturating_duration_since(Instant::now()));
        ended.store(true, Ordering::Relaxed);
        let sent = sender.join().expect("the sender does not panic")?;
        let (received, messages) = receiver.join().expect("the receiver does not panic")?;
        Ok((sent + received).as_nanos() as f64 / messages as f64)
    })
}

/// Processor time that this thread has used.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
