//! Section G, the publisher's side: PUB and XPUB (29/PUBSUB, 37/ZMTP).

use ferromq::{DropCause, Error, Options, SocketType};
use ferromq_tests::{Ours, RawPeer, Via, until};

fn xpub(options: Options) -> Ours {
    Ours::bound(SocketType::XPub, options, Via::Tcp)
}

fn subscriber_to(ours: &Ours) -> RawPeer {
    RawPeer::established(ours.endpoint(), "SUB")
}

/// A subscriber whose subscription is in force.
fn subscribed(ours: &Ours, topic: &[u8]) -> RawPeer {
    let mut peer = subscriber_to(ours);
    peer.send_command("SUBSCRIBE", topic);
    peer.settle();
    peer
}

#[test]
fn g70_both_forms_of_subscription_are_accepted_from_any_version() {
    let ours = xpub(Options::new());
    let new = RawPeer::established(ours.endpoint(), "SUB");
    let old = RawPeer::established_3_0(ours.endpoint(), "SUB");
    for (topic, mut peer) in [("new", new), ("old", old)] {
        peer.send_command("SUBSCRIBE", format!("{topic} command").as_bytes());
        peer.send_message(&[format!("\x01{topic} message")]);
        assert_eq!(
            ours.recv_parts(),
            [format!("\x01{topic} command").as_bytes()]
        );
        assert_eq!(
            ours.recv_parts(),
            [format!("\x01{topic} message").as_bytes()]
        );
        peer.send_message(&[format!("\x00{topic} command")]);
        peer.send_command("CANCEL", format!("{topic} message").as_bytes());
        assert_eq!(
            ours.recv_parts(),
            [format!("\x00{topic} command").as_bytes()]
        );
        assert_eq!(
            ours.recv_parts(),
            [format!("\x00{topic} message").as_bytes()]
        );
    }
}

#[test]
fn g71_a_subscriber_gets_what_starts_with_its_prefix() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut binary = subscribed(&ours, b"\0\xFF");
    let mut all = subscribed(&ours, b"");
    let messages: [[&[u8]; 2]; 4] = [
        [b"\0\xFF", b"exact"],
        [b"\0", b"shorter"],
        [b"other", b"\0\xFF"],
        [b"\0\xFF\0", b"longer"],
    ];
    for message in messages {
        ours.send(message).expect("send");
        assert_eq!(all.read_message(), message);
    }
    assert_eq!(binary.read_message(), messages[0]);
    assert_eq!(binary.read_message(), messages[3]);
}

// G71: prefixes that overlap are no reason to send twice.
#[test]
fn g71_overlapping_subscriptions_deliver_once() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut peer = subscriber_to(&ours);
    for topic in [&b""[..], b"a", b"ab", b"abc"] {
        peer.send_command("SUBSCRIBE", topic);
    }
    peer.settle();
    ours.send(["abcd", "1"]).expect("send");
    ours.send(["abcd", "2"]).expect("send");
    assert_eq!(peer.read_message(), [&b"abcd"[..], b"1"]);
    assert_eq!(peer.read_message(), [&b"abcd"[..], b"2"]);
}

// G72 (37): SUBSCRIBE twice needs CANCEL twice.
#[test]
fn g72_a_publisher_counts_subscriptions_per_connection() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut peer = subscriber_to(&ours);
    peer.send_command("SUBSCRIBE", b"A");
    peer.send_command("SUBSCRIBE", b"A");
    peer.send_command("CANCEL", b"A");
    peer.settle();
    ours.send(["A", "still subscribed"]).expect("send");
    assert_eq!(peer.read_message(), [&b"A"[..], b"still subscribed"]);
    peer.send_command("CANCEL", b"A");
    peer.send_command("SUBSCRIBE", b"B");
    peer.settle();
    ours.send(["A", "no longer"]).expect("send");
    ours.send(["B", "end"]).expect("send");
    assert_eq!(peer.read_message(), [&b"B"[..], b"end"]);
}

/// What an XPUB with these options shows of two subscribers that subscribe to
/// one topic and cancel it again.
fn shown(options: Options) -> Vec<Vec<u8>> {
    let ours = xpub(options);
    let mut peers = [subscriber_to(&ours), subscriber_to(&ours)];
    let mut seen = Vec::new();
    for command in ["SUBSCRIBE", "CANCEL"] {
        for peer in &mut peers {
            peer.send_command(command, b"A");
            peer.settle();
            // In time order: what waits from several peers is read in turn.
            while let Ok(message) = ours.try_recv() {
                seen.push(message.parts()[0].to_vec());
            }
        }
    }
    seen
}

#[test]
fn g73_an_xpub_shows_the_first_and_the_last_of_duplicates() {
    assert_eq!(shown(Options::new()), [b"\x01A", b"\x00A"]);
}

#[test]
fn g73_verbose_shows_every_subscription() {
    assert_eq!(
        shown(Options::new().xpub_verbose(true)),
        [b"\x01A", b"\x01A", b"\x00A"]
    );
}

#[test]
fn g73_verboser_shows_every_cancellation_too() {
    let options = Options::new().xpub_verboser(true);
    assert_eq!(shown(options), [b"\x01A", b"\x01A", b"\x00A", b"\x00A"]);
}

#[test]
fn g74_cancelling_an_unknown_topic_changes_nothing() {
    let ours = xpub(Options::new());
    let mut peer = subscriber_to(&ours);
    for _ in 0..5 {
        peer.send_command("CANCEL", b"A");
    }
    peer.send_command("SUBSCRIBE", b"A");
    peer.settle();
    assert_eq!(
        ours.recv_parts(),
        [b"\x01A"],
        "nothing about the cancellations"
    );
    ours.send("A").expect("send");
    assert_eq!(peer.read_message(), [b"A"]);
}

#[test]
fn g75_a_lost_subscriber_is_unsubscribed_from_everything() {
    let ours = xpub(Options::new());
    let mut stays = subscribed(&ours, b"shared");
    let mut goes = subscriber_to(&ours);
    for topic in [&b"shared"[..], b"own", b""] {
        goes.send_command("SUBSCRIBE", topic);
    }
    goes.settle();
    for expected in [&b"\x01shared"[..], b"\x01own", b"\x01"] {
        assert_eq!(ours.recv_parts(), [expected]);
    }
    goes.reset();
    let mut missing = [ours.recv_parts().remove(0), ours.recv_parts().remove(0)];
    missing.sort();
    assert_eq!(missing, [&b"\x00"[..], b"\x00own"]);
    ours.send("shared").expect("send");
    assert_eq!(stays.read_message(), [b"shared"]);
}

// G76: a subscription is a request that the application grants.
#[test]
fn g76_with_manual_nothing_is_active_until_the_application_says_so() {
    let ours = xpub(Options::new().xpub_manual(true));
    let mut peer = subscribed(&ours, b"A");
    assert_eq!(ours.recv_parts(), [b"\x01A"]);
    ours.send(["A", "too early"]).expect("send");
    ours.subscribe("B")
        .expect("the last peer read from is subscribed");
    ours.send(["A", "never granted"]).expect("send");
    ours.send(["B", "granted"]).expect("send");
    assert_eq!(peer.read_message(), [&b"B"[..], b"granted"]);
}

#[test]
fn g76_with_manual_the_last_read_peer_is_meant() {
    let ours = xpub(Options::new().xpub_manual(true));
    let mut first = subscribed(&ours, b"A");
    assert_eq!(ours.recv_parts(), [b"\x01A"]);
    let mut second = subscribed(&ours, b"B");
    assert_eq!(ours.recv_parts(), [b"\x01B"]);
    ours.subscribe("common").expect("subscribe");
    first.send_command("SUBSCRIBE", b"C");
    assert_eq!(ours.recv_parts(), [b"\x01C"]);
    ours.subscribe("C").expect("subscribe");
    ours.send("common").expect("send");
    ours.send("C").expect("send");
    assert_eq!(second.read_message(), [b"common"]);
    assert_eq!(first.read_message(), [b"C"]);
}

#[test]
fn g77_the_welcome_message_is_first_on_each_new_peer() {
    let ours = xpub(Options::new().welcome_message("welcome"));
    for _ in 0..2 {
        let mut peer = subscriber_to(&ours);
        peer.send_command("SUBSCRIBE", b"");
        assert_eq!(peer.read_message(), [b"welcome"]);
        assert_eq!(ours.recv_parts(), [b"\x01"]);
        ours.send("message").expect("send");
        assert_eq!(peer.read_message(), [b"message"]);
        drop(peer);
        assert_eq!(ours.recv_parts(), [b"\x00"]);
    }
}

#[test]
fn g78_a_full_subscriber_loses_messages_and_stops_nobody() {
    let options = Options::new().send_high_water_mark(4);
    let ours = Ours::bound(SocketType::Pub, options, Via::Tcp);
    let lazy = subscribed(&ours, b"");
    let mut quick = subscribed(&ours, b"");
    let body = vec![0_u8; 1 << 20];
    until("messages are dropped", || {
        ours.send(body.as_slice()).expect("a PUB never blocks");
        assert_eq!(quick.read_message()[0].len(), body.len());
        (ours.statistics().drops.of(DropCause::SubscriberFull) > 0).then_some(())
    });
    drop(lazy);
}

#[test]
fn g78_with_no_drop_a_full_subscriber_would_block() {
    let options = Options::new().send_high_water_mark(4).pub_no_drop(true);
    let ours = Ours::bound(SocketType::Pub, options, Via::Tcp);
    let mut lazy = subscribed(&ours, b"");
    let body = vec![0_u8; 1 << 20];
    let mut sent = 0;
    let refused = until("it is full", || {
        sent += 1;
        ours.try_send(body.as_slice()).err()
    });
    assert!(matches!(refused.error, Error::WouldBlock), "{refused:?}");
    for _ in 1..sent {
        assert_eq!(lazy.read_message()[0].len(), body.len());
    }
    assert_eq!(ours.statistics().drops.total(), 0);
}

#[test]
fn g71_a_pub_without_subscribers_drops_without_blocking() {
    let ours = Ours::on_tcp(SocketType::Pub);
    for _ in 0..2000 {
        ours.send("to nobody").expect("send");
    }
    let mut peer = subscribed(&ours, b"");
    ours.send("to somebody").expect("send");
    assert_eq!(peer.read_message(), [b"to somebody"]);
}

#[test]
fn g82_inverted_matching_excludes_the_matching_subscribers() {
    let options = Options::new().invert_matching(true);
    let ours = Ours::bound(SocketType::Pub, options, Via::Tcp);
    let mut a = subscribed(&ours, b"A");
    let mut b = subscribed(&ours, b"B");
    ours.send("A1").expect("send");
    ours.send("B1").expect("send");
    assert_eq!(a.read_message(), [b"B1"]);
    assert_eq!(b.read_message(), [b"A1"]);
}

#[test]
fn g83_an_xpub_delivers_other_upstream_messages() {
    let ours = xpub(Options::new());
    let mut peer = RawPeer::established(ours.endpoint(), "XSUB");
    peer.send_message(&["upstream", "data"]);
    assert_eq!(ours.recv_parts(), [&b"upstream"[..], b"data"]);
}

// G83, and libzmq's CVE-2021-20237: nothing of it is kept.
#[test]
fn g83_a_pub_discards_other_upstream_messages() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut peer = RawPeer::established(ours.endpoint(), "XSUB");
    for _ in 0..1000 {
        peer.send_message(&["upstream", "data"]);
    }
    peer.send_command("SUBSCRIBE", b"");
    peer.settle();
    ours.send("still there").expect("send");
    assert_eq!(peer.read_message(), [b"still there"]);
}
