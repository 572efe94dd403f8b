//! What a look costs a busy pair: `cargo run --release --example status_cost`.
//!
//! A PUSH and a PULL in two threads move 64 B messages. Rounds without anybody
//! looking take turns with rounds of each interval, so that what else the
//! machine does hits all of them alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ferromq::{Context, Pull, Push, Socket};

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);
const BATCH: u64 = 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let context = Context::new()?;
    let (pull, push) = (context.socket::<Pull>()?, context.socket::<Push>()?);
    push.connect(&pull.bind("tcp://127.0.0.1:*")?.to_string())?;
    let intervals = [None, Some(1000), Some(50), Some(1)].map(|ms| ms.map(Duration::from_millis));
    let mut rates = vec![Vec::new(); intervals.len()];
    for _ in 0..ROUNDS {
        for (interval, rates) in intervals.iter().zip(&mut rates) {
            rates.push(round(&context, &push, &pull, *interval)?);
        }
    }
    let quiet = median(&mut rates[0]);
    for (interval, rates) in intervals.iter().zip(&mut rates) {
        let rate = median(rates);
        let (low, high) = (rates[0], rates[ROUNDS - 1]);
        let looks = interval.map_or("no looks".into(), |every| format!("every {every:?}"));
        println!(
            "{looks:>14}  {:6.2} M/s ({:.2} to {:.2})  {:+.1} %",
            rate / 1e6,
            low / 1e6,
            high / 1e6,
            (rate / quiet - 1.0) * 100.0
        );
    }
    let mut looks: Vec<_> = (0..1000).map(|_| look(&context)).collect();
    looks.sort_unstable();
    println!("one look at both, idle: {:?} (median of 1000)", looks[500]);
    Ok(())
}

/// Messages a second in one round.
fn round(
    context: &Context,
    push: &Socket<Push>,
    pull: &Socket<Pull>,
    interval: Option<Duration>,
) -> Result<f64, ferromq::Error> {
    let ended = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let received = thread::scope(|scope| {
        let sender = scope.spawn(|| -> Result<(), ferromq::Error> {
            while !ended.load(Ordering::Relaxed) {
                for _ in 0..BATCH {
                    push.send_bytes(&[b'x'; 64])?;
                }
            }
            push.send_bytes(b"end")
        });
        let receiver = scope.spawn(|| -> Result<u64, ferromq::Error> {
            let mut received = 0;
            while pull.recv()?.body_len() == 64 {
                received += 1;
            }
            Ok(received)
        });
        if let Some(interval) = interval {
            while begun.elapsed() + interval < ROUND {
                thread::sleep(interval);
                look(context);
            }
        }
        thread::sleep(ROUND.saturating_sub(begun.elapsed()));
        ended.store(true, Ordering::Relaxed);
        sender.join().expect("the sender does not panic")?;
        receiver.join().expect("the receiver does not panic")
    })?;
    Ok(received as f64 / begun.elapsed().as_secs_f64())
}

fn look(context: &Context) -> Duration {
    let begun = Instant::now();
    std::hint::black_box(context.sockets());
    begun.elapsed()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
