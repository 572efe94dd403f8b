//! Minutes of everything at once: clients of every pattern that come, talk and go, and
//! sockets that stay. At rest, every few seconds, nothing is left of those who went.

mod client;
mod hub;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use self::client::Client;
use self::hub::Hub;
use crate::figures::{Figures, grouped};
use crate::meter::{Usage, raise_descriptors};
use crate::random::Random;
use crate::{Failure, Outcome, flat, until};

/// Threads of clients.
const CLIENTS: u64 = 4;
/// How often everybody rests.
const RESTS: u32 = 60;
/// Bytes that may grow from the first to the last rest: of what is allocated, and of
/// the process, whose allocator fragments.
const GROWTH: (i64, i64) = (256 << 10, 8 << 20);

/// Regions that may come from the first to the last rest: a few of each length that is sent.
const REGIONS: i64 = 32;

/// What clients and hub have done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Clients that came and went.
    visits: AtomicU64,
    /// Messages that came where they were to come.
    messages: AtomicU64,
    /// Pushed by those who linger until it has arrived.
    pushed: AtomicU64,
    pulled: AtomicU64,
}

pub(crate) fn check(time: Duration, seed: u64) -> Result<Outcome, Failure> {
    raise_descriptors(0)?;
    let done = Done::default();
    let hub = Hub::new()?;
    let busy = RwLock::new(());
    let (over, failure) = (AtomicBool::new(false), Mutex::new(None));
    let samples = std::thread::scope(|scope| {
        hub.serve(scope, &done);
        for number in 0..CLIENTS {
            let mut client = Client::new(&hub, &done, Random::new(seed ^ (number << 32)));
            let (busy, over, failure) = (&busy, &over, &failure);
            scope.spawn(move || {
                loop {
                    let _busy = busy.read().unwrap_or_else(PoisonError::into_inner);
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    if let Err(cause) = client.visit() {
                        over.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        *failure = Some(cause.to_string());
                    }
                }
            });
        }
        let samples = watch(time, &hub, &done, &busy, &over);
        over.store(true, Ordering::Relaxed);
        // No client is left with a hub that is gone.
        let _rest = busy.write().unwrap_or_else(PoisonError::into_inner);
        hub.close();
        samples
    });
    if let Some(failure) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure.into());
    }
    report(time, &samples?, &done)
}

/// Lets everybody rest now and then, and looks what is used.
fn watch(
    time: Duration,
    hub: &Hub,
    done: &Done,
    busy: &RwLock<()>,
    over: &AtomicBool,
) -> Result<Vec<Usage>, Failure> {
    let started = Instant::now();
    let mut samples: Vec<Usage> = Vec::new();
    let mut told = 0;
    while started.elapsed() < time && !over.load(Ordering::Relaxed) {
        std::thread::sleep(time / RESTS);
        let _rest = busy.write().unwrap_or_else(PoisonError::into_inner);
        until("those who went are forgotten", || {
            let pulled = done.pulled.load(Ordering::Relaxed);
            Ok(hub.is_alone() && pulled >= done.pushed.load(Ordering::Relaxed))
        })?;
        if let Some(first) = samples.first() {
            let first = links(first);
            until("their descriptors are back", || {
                Ok(links(&Usage::now()?) <= first)
            })?;
        }
        samples.push(Usage::now()?);
        if started.elapsed().as_secs() / 20 > told {
            told = started.elapsed().as_secs() / 20;
            let visits = done.visits.load(Ordering::Relaxed);
            println!(
                "soak: {} s, {visits} visits, {:?}",
                told * 20,
                samples.last()
            );
        }
    }
    Ok(samples)
}

/// Descriptors that a client's going gives back: no link keeps one for its memory alone.
fn links(usage: &Usage) -> i64 {
    usage.descriptors - usage.shared
}

fn report(time: Duration, samples: &[Usage], done: &Done) -> Result<Outcome, Failure> {
    let of = |what: fn(&Usage) -> i64| samples.iter().map(what).collect::<Vec<_>>();
    flat::check("descriptors", &of(links), 0)?;
    flat::check(
        "regions of shared memory",
        &of(|usage| usage.shared),
        REGIONS,
    )?;
    let live = flat::check("bytes allocated", &of(|usage| usage.live), GROWTH.0)?;
    let resident = flat::check("bytes of memory", &of(|usage| usage.resident), GROWTH.1)?;
    let mut figures = Figures::default();
    figures.add("seconds", time.as_secs());
    let count = |counter: &AtomicU64| grouped(counter.load(Ordering::Relaxed));
    figures.add("clients that came and went", count(&done.visits));
    figures.add("messages received", count(&done.messages));
    figures.add("growth of what is allocated, bytes", grouped(live));
    figures.add("growth of memory, bytes", grouped(resident));
    Ok(Outcome::Passed(figures))
}
