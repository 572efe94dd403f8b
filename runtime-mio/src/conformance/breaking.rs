//! What holds although links break.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq_transport::conformance::{Finding, ensure};

use super::trial::{Trial, meanwhile, receive};
use crate::{AnySocket, Error, EventKind, Message, Monitor, SocketType};

/// Calls `next` with numbers that count up, and sends what it gives, until
/// `over`.
fn send_until(
    over: &AtomicBool,
    socket: &AnySocket,
    next: impl Fn(u32) -> Message,
) -> Result<(), Finding> {
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        match socket.try_send(next(number)) {
            Ok(()) => number += 1,
            Err(refused) if matches!(refused.error, Error::WouldBlock) => {
                std::thread::yield_now();
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(())
}

/// Links have broken, or nothing was tried.
fn ensure_broken(monitor: &Monitor) -> Result<(), Finding> {
    let broken = std::iter::from_fn(|| monitor.try_next())
        .filter(|event| matches!(event.kind, EventKind::Disconnected { .. }))
        .count();
    ensure(broken > 0, || "no link broke, although each was to".into())
}

pub(super) fn a_broken_link_breaks_no_message(trial: &Trial) -> Result<(), Finding> {
    let trial = &trial.breaking()?;
    let letters = trial.letters(10_000);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let source = trial.careless(SocketType::Push, &endpoint)?;
    let monitor = source.monitor();
    let over = AtomicBool::new(false);
    let collect = || {
        let mut seen = HashSet::new();
        for received in 0..300 {
            let what = format!("the rest of 300 messages, of which {received} came");
            let (_, number) = letters.read(&receive(&sink, &what)?)?;
            ensure(seen.insert(number), || {
                format!("message {number} came twice")
            })?;
        }
        ensure_broken(&monitor)
    };
    meanwhile(
        || send_until(&over, &source, |number| letters.write(1, number)),
        || {
            let outcome = collect();
            over.store(true, Ordering::Relaxed);
            outcome
        },
    )
}

pub(super) fn a_subscription_outlives_broken_links(trial: &Trial) -> Result<(), Finding> {
    let trial = &trial.breaking()?;
    let (publisher, endpoint) = trial.bound(SocketType::Pub)?;
    let subscriber = trial.connected(SocketType::Sub, &endpoint)?;
    subscriber.subscribe("wanted")?;
    let monitor = subscriber.monitor();
    let over = AtomicBool::new(false);
    let body = vec![b'.'; 2000];
    let next = |number: u32| {
        let topic = ["wanted", "unwanted"][number as usize % 2];
        Message::from([topic.as_bytes(), body.as_slice()])
    };
    let collect = || {
        for received in 0..300 {
            let what = format!("the rest of 300 messages, of which {received} came");
            let heard = receive(&subscriber, &what)?;
            ensure(heard == next(0), || {
                format!("{heard:?} came, which was not wanted")
            })?;
        }
        ensure_broken(&monitor)
    };
    meanwhile(
        || send_until(&over, &publisher, next),
        || {
            let outcome = collect();
            over.store(true, Ordering::Relaxed);
            outcome
        },
    )
}
