//! Section I, the draft socket types: CLIENT and SERVER (41/CLISRV), RADIO and
//! DISH (48/RADIO-DISH), SCATTER and GATHER (49/SCATTERGATHER), PEER (51/P2P)
//! and CHANNEL (52/CHANNEL). The bytes are those that libzmq 4.3.5 writes.

use std::time::Duration;

use ferromq::{AnySocket, DropCause, Options, SocketType};
use ferromq_tests::{Greeting, MORE, Ours, RawFrame, RawListener, RawPeer, Via};

const READIES: [(SocketType, &str, &[u8]); 8] = [
    (
        SocketType::Server,
        "CLIENT",
        b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06SERVER",
    ),
    (
        SocketType::Client,
        "SERVER",
        b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06CLIENT",
    ),
    (
        SocketType::Radio,
        "DISH",
        b"\x04\x1b\x05READY\x0bSocket-Type\0\0\0\x05RADIO",
    ),
    (
        SocketType::Dish,
        "RADIO",
        b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04DISH",
    ),
    (
        SocketType::Gather,
        "SCATTER",
        b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06GATHER",
    ),
    (
        SocketType::Scatter,
        "GATHER",
        b"\x04\x1d\x05READY\x0bSocket-Type\0\0\0\x07SCATTER",
    ),
    (
        SocketType::Peer,
        "PEER",
        b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PEER",
    ),
    (
        SocketType::Channel,
        "CHANNEL",
        b"\x04\x1d\x05READY\x0bSocket-Type\0\0\0\x07CHANNEL",
    ),
];

/// A RADIO's peer that has joined these groups.
fn member(radio: &Ours, groups: &[&[u8]]) -> RawPeer {
    let mut peer = RawPeer::established(radio.endpoint(), "DISH");
    for group in groups {
        peer.send_command("JOIN", group);
    }
    peer.settle();
    peer
}

fn refused(socket: &AnySocket) -> u64 {
    socket.statistics().drops.of(DropCause::Refused)
}

#[test]
fn i99_the_drafts_say_what_they_are_and_no_more() {
    for (socket_type, theirs, ready) in READIES {
        // The offer of extensions is ours alone.
        let options = Options::new().extensions(false);
        let ours = Ours::bound(socket_type, options, Via::Tcp);
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(&Greeting::default().bytes());
        let _ = peer.read_greeting();
        assert_eq!(peer.read_exact(ready.len()), ready);
        peer.send_ready(theirs, &[]);
        ours.await_peer();
        peer.settle();
    }
}

#[test]
fn i99_the_drafts_talk_to_their_counterparts_only() {
    for (socket_type, theirs, _) in READIES {
        let ours = Ours::on_tcp(socket_type);
        for (_, other, _) in READIES.into_iter().filter(|(_, it, _)| *it != theirs) {
            let mut peer = RawPeer::connect(ours.endpoint());
            peer.send(&Greeting::default().bytes());
            peer.send_ready(other, &[]);
            let _ = ours.await_handshake_failure();
            let said = peer.read_to_close();
            let reason = b"\x04\x20\x05ERROR\x19incompatible socket types";
            assert!(said.ends_with(reason), "{socket_type} to {other}");
        }
    }
}

#[test]
fn i100_clients_scatters_and_channels_send_one_frame() {
    for (socket_type, theirs) in [
        (SocketType::Client, "SERVER"),
        (SocketType::Scatter, "GATHER"),
        (SocketType::Channel, "CHANNEL"),
    ] {
        let ours = Ours::on_tcp(socket_type);
        let mut peer = RawPeer::established(ours.endpoint(), theirs);
        ours.await_peer();
        ours.send("question").expect("send");
        assert_eq!(peer.read_exact(10), b"\x00\x08question");
        assert!(ours.send(["two", "frames"]).is_err());
        ours.send("question").expect("send");
        assert_eq!(peer.read_exact(10), b"\x00\x08question");
    }
}

#[test]
fn i101_a_server_names_its_peers_and_the_name_stays_with_it() {
    for (socket_type, theirs) in [(SocketType::Server, "CLIENT"), (SocketType::Peer, "PEER")] {
        let ours = Ours::on_tcp(socket_type);
        let mut seen = Vec::new();
        for identity in [&b""[..], b"me", b"me"] {
            let mut peer = RawPeer::identified(ours.endpoint(), theirs, identity);
            peer.send(b"\x00\x08question");
            let [routing_id, body] = ours.recv_parts().try_into().expect("two frames");
            assert_eq!((routing_id.len(), &body[..]), (4, &b"question"[..]));
            assert!(routing_id != [0; 4] && !seen.contains(&routing_id));
            ours.send([&routing_id[..], b"answer"]).expect("send");
            assert_eq!(peer.read_exact(8), b"\x00\x06answer");
            seen.push(routing_id);
        }
    }
}

#[test]
fn i102_multipart_messages_are_dropped_whole_and_counted() {
    for (socket_type, theirs) in [
        (SocketType::Server, "CLIENT"),
        (SocketType::Client, "SERVER"),
        (SocketType::Peer, "PEER"),
        (SocketType::Gather, "SCATTER"),
        (SocketType::Channel, "CHANNEL"),
    ] {
        let ours = Ours::on_tcp(socket_type);
        let mut peer = RawPeer::established(ours.endpoint(), theirs);
        peer.send(b"\x01\x03one\x00\x03two\x00\x08question");
        peer.send_message(&[vec![7; 100_000], vec![8; 100_000], vec![]]);
        peer.send(b"\x00\x04next");
        for body in [&b"question"[..], b"next"] {
            let parts = ours.recv_parts();
            assert_eq!(parts.last().expect("a body"), body, "{socket_type}");
            assert!(parts.len() <= 2);
        }
        assert_eq!(refused(&ours), 2, "{socket_type}");
        peer.settle();
    }
}

#[test]
fn i103_a_dish_says_what_it_joins_in_commands_to_any_version() {
    for minor in [1, 0] {
        let listener = RawListener::bind(Via::Tcp);
        let ours = Ours::new(SocketType::Dish, Options::new());
        ours.join("before").expect("join");
        ours.connect(listener.endpoint()).expect("connect");
        let mut peer = listener.accept();
        let greeting = Greeting {
            minor,
            ..Greeting::default()
        };
        peer.handshake(greeting, "RADIO", &[]);
        assert_eq!(peer.read_exact(13), b"\x04\x0b\x04JOINbefore");
        ours.join("weather").expect("join");
        ours.join("").expect("join");
        ours.leave("weather").expect("leave");
        let said = b"\x04\x0c\x04JOINweather\x04\x05\x04JOIN\x04\x0d\x05LEAVEweather";
        assert_eq!(peer.read_exact(said.len()), said);
        ours.join([b'g'; 255]).expect("join");
        let longest = b"\x06\0\0\0\0\0\0\x01\x04\x04JOIN";
        assert_eq!(peer.read_exact(longest.len()), longest);
        assert_eq!(peer.read_exact(255), [b'g'; 255]);
    }
}

#[test]
fn i104_a_radio_sends_to_the_members_of_the_very_group() {
    let ours = Ours::on_tcp(SocketType::Radio);
    let mut weather = member(&ours, &[b"weather", b""]);
    let mut other = member(&ours, &[b"weathers", b"weathe"]);
    for (group, body) in [
        ("weather", "rain"),
        ("w", "no"),
        ("", "all"),
        ("weathers", "end"),
    ] {
        ours.send([group, body]).expect("send");
    }
    let said = b"\x01\x07weather\x00\x04rain\x01\x00\x00\x03all";
    assert_eq!(weather.read_exact(said.len()), said);
    let said = b"\x01\x08weathers\x00\x03end";
    assert_eq!(other.read_exact(said.len()), said);
}

// As libzmq does: each JOIN is a membership of its own, and ends with the
// connection.
#[test]
fn i105_memberships_are_counted_per_connection() {
    let ours = Ours::on_tcp(SocketType::Radio);
    let mut peer = member(&ours, &[b"a", b"a", b"end"]);
    peer.send_command("LEAVE", b"a");
    peer.send_command("LEAVE", b"unknown");
    peer.settle();
    ours.send(["a", "still a member"]).expect("send");
    assert_eq!(peer.read_message(), [&b"a"[..], b"still a member"]);
    peer.send_command("LEAVE", b"a");
    peer.settle();
    ours.send(["a", "no longer"]).expect("send");
    ours.send(["end", "1"]).expect("send");
    assert_eq!(peer.read_message(), [&b"end"[..], b"1"]);
    drop(peer);
    let _ = ours.await_disconnect();
    let mut next = member(&ours, &[b"a"]);
    ours.send(["end", "of nobody"]).expect("send");
    ours.send(["a", "2"]).expect("send");
    assert_eq!(next.read_message(), [&b"a"[..], b"2"]);
}

#[test]
fn i106_a_group_is_joined_by_join_and_a_topic_by_subscribe() {
    let radio = Ours::on_tcp(SocketType::Radio);
    let mut dish = RawPeer::established(radio.endpoint(), "DISH");
    dish.send_command("SUBSCRIBE", b"t");
    dish.send_message(&["\x01t"]);
    dish.send_message(&["data"]);
    dish.send_command("JOIN", b"end");
    dish.settle();
    assert_eq!(refused(&radio), 2);
    let publisher = Ours::on_tcp(SocketType::Pub);
    let mut subscriber = RawPeer::established(publisher.endpoint(), "SUB");
    subscriber.send_command("JOIN", b"t");
    subscriber.send_command("SUBSCRIBE", b"end");
    subscriber.settle();
    for ours in [&radio, &publisher] {
        ours.send(["t", "to nobody"]).expect("send");
        ours.send(["end", "1"]).expect("send");
    }
    for peer in [&mut dish, &mut subscriber] {
        assert_eq!(peer.read_message(), [&b"end"[..], b"1"]);
    }
}

#[test]
fn i107_a_dish_takes_a_joined_group_and_one_frame() {
    let ours = Ours::on_tcp(SocketType::Dish);
    ours.join("weather").expect("join");
    let mut peer = RawPeer::established(ours.endpoint(), "RADIO");
    let join = RawFrame {
        flags: 4,
        body: b"\x04JOINweather".to_vec(),
    };
    assert_eq!(peer.settle(), [join]);
    peer.send_message(&["weather"]);
    peer.send_message(&["weather", "one", "two"]);
    peer.send_message(&["weathers", "not joined"]);
    peer.send_message(&[&[b'w'; 256][..], b"too long a group"]);
    peer.send_frame(MORE, b"weather");
    peer.send_command("PING", b"\0\0between");
    peer.send_frame(0, b"rain");
    assert_eq!(ours.recv_parts(), [&b"weather"[..], b"rain"]);
    assert_eq!(refused(&ours), 2);
    let strange = ours.statistics().drops.of(DropCause::Unsubscribed);
    assert_eq!(strange, 2);
    ours.leave("weather").expect("leave");
    peer.send_message(&["weather", "late"]);
    ours.join("end").expect("join");
    peer.send_message(&["end", "1"]);
    assert_eq!(ours.recv_parts(), [&b"end"[..], b"1"]);
}

#[test]
fn i108_a_group_that_cannot_be_closes() {
    let ours = Ours::on_tcp(SocketType::Radio);
    for (name, group) in [
        ("JOIN", &[b'g'; 256][..]),
        ("JOIN", b"a\0"),
        ("LEAVE", b"\0"),
    ] {
        let mut peer = member(&ours, &[&[b'g'; 255]]);
        peer.send_command(name, group);
        assert!(ours.await_disconnect().contains("group of"), "{name}");
        let _ = peer.read_to_close();
    }
}

#[test]
fn i109_a_flood_of_memberships_ends_at_the_cap() {
    let ours = Ours::on_tcp(SocketType::Radio);
    let mut neighbour = member(&ours, &[b""]);
    let mut peer = RawPeer::established(ours.endpoint(), "DISH");
    let mut sent = 0_u32;
    loop {
        let batch: Vec<u8> = (sent..sent + 10_000)
            .flat_map(|number| format!("\x04\x0C\x04JOIN{number:07}").into_bytes())
            .collect();
        if !peer.try_send(&batch) {
            break;
        }
        sent += 10_000;
        assert!(sent <= 3_000_000, "{sent} memberships are accepted");
    }
    assert!(sent >= 500_000, "only {sent} memberships were accepted");
    let _ = ours.await_disconnect();
    ours.send(["", "still sent"]).expect("send");
    assert_eq!(neighbour.read_message(), [&b""[..], b"still sent"]);
}

// The second peer of a CHANNEL, as of a PAIR.
#[test]
fn i110_a_channel_turns_the_second_peer_away() {
    let ours = Ours::on_tcp(SocketType::Channel);
    let mut first = RawPeer::established(ours.endpoint(), "CHANNEL");
    ours.await_peer();
    let mut second = RawPeer::established(ours.endpoint(), "CHANNEL");
    assert!(second.is_closed_within(Duration::from_secs(20)));
    ours.send("to the first").expect("send");
    assert_eq!(first.read_message(), [b"to the first"]);
}
