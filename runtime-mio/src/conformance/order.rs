//! Messages arrive whole, in order, at whom they are for.

use std::collections::HashMap;

use ferromq_transport::conformance::{Finding, ensure};

use super::letters::Letters;
use super::trial::{Trial, meanwhile, receive, send, send_letters};
use crate::{AnySocket, Error, Interest, Message, Poller, SocketType};

pub(super) fn messages_arrive_whole_and_in_order(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(60_000);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let source = trial.connected(SocketType::Push, &endpoint)?;
    meanwhile(
        || send_letters(&source, letters, 1, 0..1500),
        || trial.expect(&sink, letters, 1, 0..1500),
    )
}

pub(super) fn messages_flow_from_the_bound_side_too(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(60_000);
    let (source, endpoint) = trial.bound(SocketType::Push)?;
    let sink = trial.connected(SocketType::Pull, &endpoint)?;
    meanwhile(
        || send_letters(&source, letters, 1, 0..1500),
        || trial.expect(&sink, letters, 1, 0..1500),
    )
}

/// Receives `count` letters, each sender's in order; how many of each.
fn in_order_each(
    socket: &AnySocket,
    letters: Letters,
    count: u32,
) -> Result<HashMap<u32, u32>, Finding> {
    let mut next = HashMap::new();
    for received in 0..count {
        let what = format!("the rest of {count} messages, of which {received} came");
        let (sender, number) = letters.read(&receive(socket, &what)?)?;
        let expected = next.entry(sender).or_insert(0);
        ensure(number == *expected, || {
            format!("message {number} of sender {sender} came instead of {expected}")
        })?;
        *expected += 1;
    }
    Ok(next)
}

pub(super) fn each_sender_keeps_its_order(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(20_000);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let sources: Vec<_> = (0..4)
        .map(|_| trial.connected(SocketType::Push, &endpoint))
        .collect::<Result<_, _>>()?;
    let send_all = || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..)
                .zip(&sources)
                .map(|(sender, source)| {
                    scope.spawn(move || send_letters(source, letters, sender, 0..300))
                })
                .collect();
            threads.into_iter().try_for_each(|thread| {
                let outcome = thread.join();
                outcome.map_err(|_| Finding::new("a thread panicked"))?
            })
        })
    };
    let counts = meanwhile(send_all, || in_order_each(&sink, letters, 1200))?;
    ensure(counts.values().all(|&count| count == 300), || {
        format!("of 300 messages each, these came: {counts:?}")
    })
}

pub(super) fn messages_are_shared_out_in_turn(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(100);
    let (source, endpoint) = trial.bound(SocketType::Push)?;
    let sinks: Vec<_> = (0..3)
        .map(|_| trial.connected(SocketType::Pull, &endpoint))
        .collect::<Result<_, _>>()?;
    trial.await_peers(&source, 3)?;
    send_letters(&source, letters, 1, 0..300)?;
    let mut all = Vec::new();
    for sink in &sinks {
        let mut own = Vec::new();
        for _ in 0..100 {
            own.push(letters.read(&receive(sink, "a third of the messages")?)?.1);
        }
        ensure(own.windows(2).all(|pair| pair[1] == pair[0] + 3), || {
            format!("a peer's turns came as {own:?}")
        })?;
        all.extend(own);
    }
    all.sort_unstable();
    ensure(all == (0..300).collect::<Vec<_>>(), || {
        "a message came twice, and another one not at all".into()
    })
}

pub(super) fn pairs_talk_both_ways_at_once(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(100_000);
    let (one, endpoint) = trial.bound(SocketType::Pair)?;
    let other = trial.connected(SocketType::Pair, &endpoint)?;
    trial.await_peers(&one, 1)?;
    let there = || send_letters(&one, letters, 1, 0..400);
    let back = || send_letters(&other, letters, 2, 0..400);
    meanwhile(there, || {
        meanwhile(back, || {
            // In turn, so that both directions fill up.
            for number in 0..400 {
                trial.expect(&other, letters, 1, number..number + 1)?;
                trial.expect(&one, letters, 2, number..number + 1)?;
            }
            Ok(())
        })
    })
}

pub(super) fn many_connections_are_served(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(2000);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let sources: Vec<_> = (0..40)
        .map(|_| trial.connected(SocketType::Push, &endpoint))
        .collect::<Result<_, _>>()?;
    for (sender, source) in (0..).zip(&sources) {
        send_letters(source, letters, sender, 0..20)?;
    }
    let counts = in_order_each(&sink, letters, 800)?;
    ensure(counts.len() == 40, || {
        format!("40 sent, and {} of them were heard", counts.len())
    })
}

pub(super) fn messages_wait_for_a_connection(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(5000);
    let endpoint = trial.endpoint();
    let source = trial.connected(SocketType::Push, &endpoint)?;
    send_letters(&source, letters, 1, 0..100)?;
    let sink = trial.socket(SocketType::Pull)?;
    sink.bind(&endpoint)?;
    trial.expect(&sink, letters, 1, 0..100)
}

pub(super) fn large_messages_arrive_as_they_were(trial: &Trial) -> Result<(), Finding> {
    let (one, endpoint) = trial.bound(SocketType::Pair)?;
    let other = trial.connected(SocketType::Pair, &endpoint)?;
    for megabytes in [1, 5, 17] {
        let letters = trial.letters((megabytes << 20) + 3).uniform();
        for (from, to) in [(&one, &other), (&other, &one)] {
            meanwhile(
                || {
                    // A small one before and behind it.
                    send(from, Message::from("before"), "a small message")?;
                    send_letters(from, letters, 1, 0..1)?;
                    send(from, Message::from("behind"), "a small message")
                },
                || {
                    expect_text(to, "before")?;
                    trial.expect(to, letters, 1, 0..1)?;
                    expect_text(to, "behind")
                },
            )?;
        }
    }
    Ok(())
}

fn expect_text(socket: &AnySocket, text: &str) -> Result<(), Finding> {
    let message = receive(socket, text)?;
    ensure(message == Message::from(text), || {
        format!("{message:?} came instead of {text}")
    })
}

pub(super) fn readiness_misses_no_message(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(30_000);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let source = trial.connected(SocketType::Push, &endpoint)?;
    let mut poller = Poller::new();
    poller.add(&sink, 0, Interest::Readable);
    let mut events = Vec::new();
    let receive_all = || {
        let mut next = 0;
        while next < 500 {
            poller.wait(&mut events, Some(trial.patience))?;
            ensure(!events.is_empty(), || {
                format!("no readiness was told after {next} of 500 messages")
            })?;
            loop {
                match sink.try_recv() {
                    Ok(message) => {
                        let seen = letters.read(&message)?;
                        ensure(seen == (1, next), || {
                            format!("{seen:?} came as the {next}th")
                        })?;
                        next += 1;
                    }
                    Err(Error::WouldBlock) => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    };
    meanwhile(|| send_letters(&source, letters, 1, 0..500), receive_all)
}
