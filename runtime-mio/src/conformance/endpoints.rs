//! Sockets come to an endpoint, leave it and come back.

use std::sync::atomic::{AtomicBool, Ordering};

use ferromq_transport::conformance::{Finding, ensure};

use super::trial::{Trial, meanwhile, receive, send, send_letters};
use crate::{Error, Message, SocketType};

pub(super) fn an_endpoint_in_use_is_an_error_that_names_it(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(100);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let other = trial.socket(SocketType::Pull)?;
    match other.bind(&endpoint) {
        Ok(_) => return Err(Finding::new(format!("{endpoint} was bound twice"))),
        Err(error) => ensure(error.to_string().contains(&endpoint), || {
            format!("the error does not name {endpoint}: {error}")
        })?,
    }
    // Its owner is none the worse for it.
    let source = trial.connected(SocketType::Push, &endpoint)?;
    send_letters(&source, letters, 1, 0..10)?;
    trial.expect(&sink, letters, 1, 0..10)
}

pub(super) fn an_unbound_endpoint_can_be_bound_by_another(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(100);
    let (first, endpoint) = trial.bound(SocketType::Pull)?;
    let old = trial.connected(SocketType::Push, &endpoint)?;
    trial.await_peers(&first, 1)?;
    for sender in 1..4 {
        // A link that stands does not end with the endpoint.
        send_letters(&old, letters, 0, sender * 10..sender * 10 + 10)?;
        if sender == 1 {
            first.unbind(&endpoint)?;
        }
        trial.expect(&first, letters, 0, sender * 10..sender * 10 + 10)?;

        let next = trial.socket(SocketType::Pull)?;
        next.bind(&endpoint)?;
        let source = trial.connected(SocketType::Push, &endpoint)?;
        send_letters(&source, letters, sender, 0..10)?;
        trial.expect(&next, letters, sender, 0..10)?;
        next.unbind(&endpoint)?;
    }
    let again = first.unbind(&endpoint);
    ensure(matches!(again, Err(Error::NoSuchEndpoint { .. })), || {
        format!("unbinding it twice gave {again:?}")
    })
}

pub(super) fn traffic_survives_listeners_that_come_and_go(trial: &Trial) -> Result<(), Finding> {
    let letters = trial.letters(5000);
    let endpoint = trial.endpoint();
    let source = trial.careless(SocketType::Push, &endpoint)?;
    let over = AtomicBool::new(false);
    let send_on = || {
        let mut number = 0;
        while !over.load(Ordering::Relaxed) {
            match source.try_send(letters.write(1, number)) {
                Ok(()) => number += 1,
                // Nobody is there, and the queue is full.
                Err(refused) if matches!(refused.error, Error::WouldBlock) => {
                    std::thread::yield_now();
                }
                Err(refused) => return Err(refused.into()),
            }
        }
        Ok(())
    };
    let receive_on = || {
        let mut last = None;
        for listener in 0..5 {
            let sink = trial.socket(SocketType::Pull)?;
            sink.bind(&endpoint)?;
            for received in 0..50 {
                let what = format!("message {received} of listener {listener}");
                let (_, number) = letters.read(&receive(&sink, &what)?)?;
                ensure(last < Some(number), || {
                    format!("listener {listener} got message {number} after {last:?}")
                })?;
                last = Some(number);
            }
            sink.unbind(&endpoint)?;
        }
        Ok(())
    };
    let stop = || {
        let outcome = receive_on();
        over.store(true, Ordering::Relaxed);
        outcome
    };
    meanwhile(send_on, stop)
}

pub(super) fn a_disconnected_peer_gets_what_was_sent_and_no_more(
    trial: &Trial,
) -> Result<(), Finding> {
    let letters = trial.letters(50_000);
    let (sink, endpoint) = trial.bound(SocketType::Pull)?;
    let source = trial.connected(SocketType::Push, &endpoint)?;
    trial.await_peers(&source, 1)?;
    send_letters(&source, letters, 1, 0..100)?;
    source.disconnect(&endpoint)?;
    let refused = source.try_send(Message::from("nobody is there"));
    ensure(
        matches!(&refused, Err(refused) if matches!(refused.error, Error::WouldBlock)),
        || format!("after the disconnect, a send gave {refused:?}"),
    )?;
    trial.expect(&sink, letters, 1, 0..100)?;
    // And the same socket may come back.
    source.connect(&endpoint)?;
    send_letters(&source, letters, 1, 100..110)?;
    trial.expect(&sink, letters, 1, 100..110)
}

pub(super) fn a_peer_that_comes_back_keeps_its_name(trial: &Trial) -> Result<(), Finding> {
    // Whether the end of the last visit was noticed is not what this is about.
    let options = trial.options().router_handover(true);
    let router = trial.socket_with(SocketType::Router, options)?;
    let endpoint = router.bind(&trial.endpoint())?.to_string();
    for visit in 0..4 {
        let options = trial.options().identity("visitor");
        let dealer = trial.socket_with(SocketType::Dealer, options)?;
        dealer.connect(&endpoint)?;
        let greeting = format!("visit {visit}");
        send(&dealer, Message::from(greeting.as_str()), &greeting)?;
        let heard = receive(&router, &greeting)?;
        let expected = Message::from(["visitor", greeting.as_str()]);
        ensure(heard == expected, || {
            format!("{heard:?} came instead of {expected:?}")
        })?;
        send(&router, heard, "the answer")?;
        let answer = receive(&dealer, "the answer")?;
        ensure(answer == Message::from(greeting.as_str()), || {
            format!("{answer:?} came as the answer to {greeting}")
        })?;
    }
    Ok(())
}
