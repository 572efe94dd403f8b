//! What an XPUB shows of subscriptions, and in which order.

use ferromq_mio::{AnySocket, Context, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

fn xpub(context: &Context, options: Options) -> (AnySocket, String) {
    bound(context, SocketType::XPub, options, "tcp://127.0.0.1:*")
}

/// Subscribes, and waits until the XPUB has acted on it.
fn subscribe(peer: &mut RawPeer, topic: &str) {
    peer.send_command("SUBSCRIBE", topic.as_bytes());
    settle(peer);
}

fn cancel(peer: &mut RawPeer, topic: &str) {
    peer.send_command("CANCEL", topic.as_bytes());
    settle(peer);
}

fn settle(peer: &mut RawPeer) {
    peer.ping(0, b"");
    peer.next_command("PONG");
}

fn shown(publisher: &AnySocket) -> String {
    let part = recv_parts(publisher).remove(0);
    let sign = ['-', '+'][usize::from(part[0])];
    format!("{sign}{}", String::from_utf8_lossy(&part[1..]))
}

/// Looks from outside: a call would say that somebody is there to see to events.
fn await_waiting(context: &Context, messages: usize) {
    until("so many notifications wait", || {
        let peers = context.sockets().remove(0).statistics.peers;
        let waiting: usize = peers.iter().map(|peer| peer.received_messages).sum();
        (waiting == messages).then_some(())
    });
}

fn await_connected(context: &Context, peers: usize) {
    until("so many peers are connected", || {
        let statistics = context.sockets().remove(0).statistics;
        (statistics.connected() == peers).then_some(())
    });
}

#[test]
fn changes_are_shown_in_the_order_in_which_they_became_true() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new());
    let [mut a, mut b] = [(); 2].map(|()| RawPeer::connect(&real, "SUB", &[]));
    // Turns would show a's second one after b's, though b's is the later.
    for topic in ["x", "y", "z"] {
        subscribe(&mut a, topic);
    }
    subscribe(&mut b, "z");
    subscribe(&mut b, "b");
    // No change: b has it still.
    cancel(&mut a, "z");
    cancel(&mut a, "x");
    cancel(&mut b, "b");
    subscribe(&mut a, "end");
    let seen: Vec<_> = (0..7).map(|_| shown(&publisher)).collect();
    assert_eq!(seen, ["+x", "+y", "+z", "+b", "-x", "-b", "+end"]);
}

#[test]
fn the_end_of_a_peer_overtakes_no_change_that_waits() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new());
    let [mut a, mut b] = [(); 2].map(|()| RawPeer::connect(&real, "SUB", &[]));
    subscribe(&mut b, "b");
    subscribe(&mut a, "x");
    subscribe(&mut a, "a");
    subscribe(&mut b, "a");
    // No change: b has it still. It goes with b, that is, last.
    cancel(&mut a, "a");
    subscribe(&mut a, "y");
    drop(b);
    await_connected(&context, 1);
    let seen: Vec<_> = (0..6).map(|_| shown(&publisher)).collect();
    assert_eq!(seen, ["+b", "+x", "+a", "+y", "-b", "-a"]);
}

#[test]
fn data_for_an_xpub_keeps_its_place_among_subscriptions() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new());
    let mut peer = RawPeer::connect(&real, "XSUB", &[]);
    subscribe(&mut peer, "a");
    peer.send(&[b"data"]);
    subscribe(&mut peer, "b");
    let seen = [(); 3].map(|()| recv_parts(&publisher).remove(0));
    assert_eq!(seen, [&b"\x01a"[..], b"data", b"\x01b"]);
}

/// Each peer has its mark; whoever is over it stops himself only.
#[test]
fn a_flood_of_subscriptions_is_bounded_and_hides_nobody() {
    const MARK: usize = 10;
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new().receive_high_water_mark(MARK));
    let [mut flooder, mut neighbour, mut leaver] =
        [(); 3].map(|()| RawPeer::connect(&real, "SUB", &[]));
    subscribe(&mut leaver, "left");
    for topic in 0..500 {
        flooder.send_command("SUBSCRIBE", format!("{topic}").as_bytes());
    }
    await_waiting(&context, MARK + 1);
    subscribe(&mut neighbour, "here");
    drop(leaver);
    await_connected(&context, 2);
    await_waiting(&context, MARK + 2);
    let seen: Vec<_> = (0..503).map(|_| shown(&publisher)).collect();
    let place = |what: &str| seen.iter().position(|it| it == what).unwrap();
    assert_eq!(place("+left"), 0, "{seen:?}");
    assert!(place("+here") <= MARK + 1, "{seen:?}");
    assert!(place("-left") <= 3 * MARK, "{seen:?}");
    let flood = seen.iter().filter(|it| it[1..].parse::<u32>().is_ok());
    assert!(
        flood.eq((0..500)
            .map(|topic| format!("+{topic}"))
            .collect::<Vec<_>>()
            .iter()),
        "{seen:?}"
    );
}

/// Manual mode: what is decided is decided for whoever was shown last, also
/// when all were read long before.
#[test]
fn a_decision_is_for_the_peer_that_was_shown() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (publisher, real) = xpub(&context, Options::new().xpub_manual(true));
    let [mut a, mut b] = [(); 2].map(|()| RawPeer::connect(&real, "SUB", &[]));
    subscribe(&mut a, "1");
    subscribe(&mut a, "2");
    subscribe(&mut b, "3");
    for (expected, decision) in [("+1", "a1"), ("+2", "a2"), ("+3", "b3")] {
        assert_eq!(shown(&publisher), expected);
        publisher.subscribe(decision).unwrap();
    }
    for topic in ["a1", "b3", "a2"] {
        publisher.send(topic).unwrap();
    }
    assert_eq!(a.next_message().unwrap(), [b"a1"]);
    assert_eq!(a.next_message().unwrap(), [b"a2"]);
    assert_eq!(b.next_message().unwrap(), [b"b3"]);
}
