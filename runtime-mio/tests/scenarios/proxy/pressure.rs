//! What has no room waits where it is; nothing is lost, and nothing grows.

use std::time::Duration;

use ferromq_mio::{AnySocket, Context, DropCause, Options, Proxy, ProxyRole, SocketType};

use super::*;
use crate::common::raw::RawPeer;

const TCP: &str = "tcp://127.0.0.1:*";

fn hwm(mark: usize) -> Options {
    Options::new()
        .send_high_water_mark(mark)
        .receive_high_water_mark(mark)
}

/// A control socket, and the one that asks it.
fn steering(context: &Context) -> (AnySocket, AnySocket) {
    let obeying = (SocketType::Rep, Options::new());
    let asking = (SocketType::Req, Options::new());
    linked(context, "inproc://control", obeying, asking)
}

fn ask(words: &AnySocket, word: &str) -> Vec<Vec<u8>> {
    words.send(word).unwrap();
    recv_parts(words)
}

over_every_transport! {
    fn nothing_is_taken_for_nobody(front, back) {
        let context = context();
        let (frontend, front) = bound(&context, SocketType::Pull, Options::new(), front);
        let (backend, back) = bound(&context, SocketType::Push, Options::new(), back);
        let (control, words) = steering(&context);
        let waiting = frontend.clone();
        let builder = Proxy::builder(frontend, backend).control(control);
        let proxy = Running::start(builder.build().unwrap());
        let push = connected(&context, SocketType::Push, Options::new(), &front);
        for number in 0..100_u64 {
            push.send(&number.to_le_bytes()).unwrap();
        }
        await_peers(&waiting, 1);
        push.flush().unwrap();
        until("some have come", || {
            let bytes = waiting.statistics().peers.first()?.received_bytes;
            // What comes from this process stays where it is until it is taken.
            (bytes > 0 || front.starts_with("inproc")).then_some(())
        });
        for _ in 0..5 {
            // It answers, so it has had its turns.
            assert_eq!(ask(&words, "STATISTICS").len(), 8);
        }
        let mut proxy = proxy.stop();
        assert_eq!(proxy.statistics().frontend.messages_received, 0);
        assert!(proxy.take_held().is_empty());
        // And goes on where it was, when somebody has come.
        let proxy = Running::start(proxy);
        let pull = connected(&context, SocketType::Pull, Options::new(), &back);
        for number in 0..100 {
            assert_eq!(recv_number(&pull), number);
        }
        proxy.stop();
    }

    fn a_slow_consumer_holds_the_producer_and_fills_no_memory(front, back) {
        const COUNT: u64 = 600;
        let context = context();
        let (frontend, front) = bound(&context, SocketType::Pull, hwm(4), front);
        let (backend, back) = bound(&context, SocketType::Push, hwm(4), back);
        let (reading, writing) = (frontend.clone(), backend.clone());
        let proxy = Running::start(Proxy::builder(frontend, backend).build().unwrap());
        let push = connected(&context, SocketType::Push, hwm(4), &front);
        let pull = connected(&context, SocketType::Pull, hwm(4), &back);
        let sender = std::thread::spawn(move || {
            for number in 0..COUNT {
                let mut body = vec![0; 256 << 10];
                body[..8].copy_from_slice(&number.to_le_bytes());
                push.send(body).unwrap();
            }
        });
        for expected in 0..COUNT {
            assert_eq!(recv_number(&pull), expected);
            let waits: usize =
                writing.statistics().peers.iter().map(|peer| peer.queued_messages).sum();
            assert!(waits <= 4, "{waits} messages wait in the backend");
            let waits: usize =
                reading.statistics().peers.iter().map(|peer| peer.received_messages).sum();
            assert!(waits <= 5, "{waits} messages wait in the frontend");
            let counted = proxy.handle.statistics();
            assert_eq!(counted.frontend.messages_received, counted.backend.messages_sent);
        }
        sender.join().unwrap();
        assert_eq!(proxy.stop().statistics().backend.messages_sent, COUNT);
    }

    fn a_full_side_does_not_stop_the_other_way(front, back) {
        let context = context();
        let hasty = || hwm(2).linger(Some(Duration::ZERO));
        let (frontend, front) = bound(&context, SocketType::Dealer, hasty(), front);
        let (backend, back) = bound(&context, SocketType::Dealer, hasty(), back);
        let filled = backend.clone();
        let proxy = Running::start(Proxy::builder(frontend, backend).build().unwrap());
        let one = connected(&context, SocketType::Dealer, hasty(), &front);
        let deaf = connected(&context, SocketType::Dealer, hasty(), &back);
        let flooding = one.clone();
        let flood = std::thread::spawn(move || {
            // Until the end of the socket.
            while flooding.send(vec![1; 1 << 20]).is_ok() {}
        });
        until("the backend is full", || (!filled.readiness().unwrap().writable).then_some(()));
        for number in 0..1000_u64 {
            deaf.send(&number.to_le_bytes()).unwrap();
            assert_eq!(recv_number(&one), number);
        }
        one.close();
        flood.join().unwrap();
        proxy.stop();
    }
}

#[test]
fn what_only_one_peer_has_no_room_for_is_held_and_goes_on_after_a_stop() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, front) = bound(&context, SocketType::Pull, hwm(10), TCP);
    let options = hwm(2).router_mandatory(true).linger(None);
    let (backend, back) = bound(&context, SocketType::Router, options, TCP);
    let full = backend.clone();
    let mut proxy = Proxy::builder(frontend, backend).build().unwrap();
    // The other one: so the ROUTER as a whole has room.
    let _other = RawPeer::connect(&back, "DEALER", &[("Identity", b"other")]);
    let named = hwm(2).identity("slow");
    let slow = connected(&context, SocketType::Dealer, named, &back);
    await_peers(&full, 2);
    let push = connected(&context, SocketType::Push, hwm(10), &front);
    let sender = std::thread::spawn(move || {
        for number in 0..200_u64 {
            let mut body = vec![0; 256 << 10];
            body[..8].copy_from_slice(&number.to_le_bytes());
            push.send([&b"slow"[..], &body]).unwrap();
        }
        push
    });
    let handle = proxy.handle();
    let held = loop {
        let running = Running::start(proxy);
        until("a message is held", || {
            let counted = handle.statistics();
            (counted.frontend.messages_received > counted.backend.messages_sent).then_some(())
        });
        proxy = running.stop();
        // A transport that has just taken more had room for it after all.
        let held = proxy.take_held();
        if !held.is_empty() {
            break held;
        }
    };
    let counted = proxy.statistics();
    assert_eq!(
        counted.frontend.messages_received,
        counted.backend.messages_sent + 1
    );
    // It is given back to whoever asks, else it is first in the next run.
    assert_eq!((held.len(), held[0].0), (1, ProxyRole::Backend));
    let missing = counted.backend.messages_sent;
    let body = held[0].1.frame(1).unwrap();
    assert_eq!(u64::from_le_bytes(body[..8].try_into().unwrap()), missing);
    let running = Running::start(proxy);
    for expected in (0..200).filter(|number| *number != missing) {
        assert_eq!(recv_number(&slow), expected);
    }
    drop(sender.join().unwrap());
    running.stop();
}

#[test]
fn what_is_held_is_sent_at_a_stop_if_there_is_room_by_then() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, front) = bound(&context, SocketType::Pull, hwm(10), TCP);
    let options = hwm(2).router_mandatory(true);
    let (backend, back) = bound(&context, SocketType::Router, options, TCP);
    let (control, words) = steering(&context);
    let met = backend.clone();
    let builder = Proxy::builder(frontend, backend).control(control);
    let proxy = Running::start(builder.build().unwrap());
    let _other = RawPeer::connect(&back, "DEALER", &[("Identity", b"other")]);
    let slow = connected(&context, SocketType::Dealer, hwm(2).identity("slow"), &back);
    await_peers(&met, 2);
    let options = hwm(10).linger(Some(Duration::ZERO));
    let push = connected(&context, SocketType::Push, options, &front);
    let flooding = push.clone();
    let flood = std::thread::spawn(
        move || {
            while flooding.send([&b"slow"[..], &[0; 256 << 10]]).is_ok() {}
        },
    );
    let held = || {
        let counted = proxy.handle.statistics();
        (counted.frontend.messages_received > counted.backend.messages_sent).then_some(())
    };
    // Paused with one in hand; a transport that takes more lets it go after all.
    until("a message is held for good", || {
        until("a message is held", held);
        ask(&words, "PAUSE");
        held().or_else(|| {
            ask(&words, "RESUME");
            None
        })
    });
    let sent = proxy.handle.statistics().backend.messages_sent;
    (0..sent).for_each(|_| drop(recv(&slow)));
    let mut proxy = proxy.stop();
    assert_eq!(proxy.statistics().backend.messages_sent, sent + 1);
    assert!(proxy.take_held().is_empty());
    recv(&slow);
    push.close();
    flood.join().unwrap();
}

#[test]
fn a_held_message_is_the_first_of_the_next_run() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, front) = bound(&context, SocketType::Pull, hwm(10), TCP);
    let (backend, back) = bound(&context, SocketType::XPub, hwm(2).pub_no_drop(true), TCP);
    let proxy = Proxy::builder(frontend, backend).build().unwrap();
    let handle = proxy.handle();
    let mut running = Running::start(proxy);
    let sub = connected(&context, SocketType::Sub, hwm(2), &back);
    sub.subscribe("").unwrap();
    let push = connected(&context, SocketType::Push, hwm(10), &front);
    // An XPUB without subscribers has room for everything.
    until("the subscription is in force", || {
        push.send(&u64::MAX.to_le_bytes()).unwrap();
        sub.try_recv().ok()
    });
    let sender = std::thread::spawn(move || {
        for number in 0..200_u64 {
            let mut body = vec![0; 256 << 10];
            body[..8].copy_from_slice(&number.to_le_bytes());
            push.send(body).unwrap();
        }
    });
    let is_holding = || {
        let counted = handle.statistics();
        (counted.frontend.messages_received > counted.backend.messages_sent).then_some(())
    };
    for _ in 0..3 {
        until("a message is held", is_holding);
        running = Running::start(running.stop());
    }
    let mut expected = 0;
    while expected < 200 {
        let number = recv_number(&sub);
        if number != u64::MAX {
            assert_eq!(number, expected);
            expected += 1;
        }
    }
    sender.join().unwrap();
    running.stop();
}

#[test]
fn what_a_peer_sends_wrong_ends_nobody_elses_traffic() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, front) = bound(&context, SocketType::Router, Options::new(), TCP);
    let (backend, back) = bound(&context, SocketType::Dealer, Options::new(), TCP);
    let watched = backend.clone();
    let proxy = Running::start(Proxy::builder(frontend, backend).build().unwrap());
    let mut rude = RawPeer::connect(&back, "DEALER", &[]);
    // No identity in front; then one that nobody has.
    rude.send(&[b"reply to nobody"]);
    rude.send(&[b"unknown", b"", b"reply"]);
    until("the first is refused", || {
        let counted = proxy.handle.statistics();
        (counted.refused == 1 && counted.frontend.messages_sent == 1).then_some(())
    });
    drop(rude);
    // Else it may get the request, and take it along.
    until("the rude one is missed", || {
        (watched.statistics().connected() == 0).then_some(())
    });
    let client = connected(&context, SocketType::Req, Options::new(), &front);
    let server = connected(&context, SocketType::Rep, Options::new(), &back);
    await_peers(&server, 1);
    client.send("still there").unwrap();
    assert_eq!(recv_text(&server), "still there");
    proxy.stop();
}

#[test]
fn a_slow_subscriber_loses_messages_and_stops_nobody() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, front) = bound(&context, SocketType::XSub, hwm(50), TCP);
    let (backend, back) = bound(&context, SocketType::XPub, hwm(50), TCP);
    let publisher = backend.clone();
    let proxy = Running::start(Proxy::builder(frontend, backend).build().unwrap());
    let origin = connected(&context, SocketType::XPub, Options::new(), &front);
    let mut deaf = RawPeer::connect(&back, "SUB", &[]);
    deaf.send_command("SUBSCRIBE", b"");
    assert_eq!(recv_parts(&origin), [b"\x01"]);
    let quick = connected(&context, SocketType::Sub, Options::new(), &back);
    quick.subscribe("n").unwrap();
    assert_eq!(recv_parts(&origin), [b"\x01n"]);
    let body = vec![b'n'; 64 << 10];
    until("the deaf one has missed some", || {
        origin.send(&body).unwrap();
        recv(&quick);
        let drops = publisher.statistics().drops;
        (drops.of(DropCause::SubscriberFull) > 10).then_some(())
    });
    proxy.stop();
}
