//! Hostile and broken input beyond what the sections cover: nothing panics,
//! hangs or grows, and every other connection goes on.

use std::time::Duration;

use ferromq::{Options, SocketType};
use ferromq_tests::{Greeting, MORE, Ours, RawPeer, Via, metadata};

fn pull() -> Ours {
    Ours::on_tcp(SocketType::Pull)
}

fn others_go_on(ours: &Ours) {
    RawPeer::established(ours.endpoint(), "PUSH").send_message(&["next"]);
    assert_eq!(ours.recv_parts(), [b"next"]);
}

/// Sends READY with this metadata and sees that it is refused.
fn ready_is_refused(data: &[u8]) {
    let ours = pull();
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.send_command("READY", data);
    peer.read_to_close();
    let _ = ours.await_handshake_failure();
    others_go_on(&ours);
}

#[test]
fn hostile_01_garbage_is_closed_at_the_first_bad_byte() {
    let ours = pull();
    for garbage in [
        &b"\x00"[..],
        b"\xFE",
        b"\xFF\0\0\0\0\0\0\0\0\x7E",
        b"\n",
        b"SSH-2.0",
    ] {
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(garbage);
        peer.read_to_close();
        let _ = ours.await_handshake_failure();
    }
    others_go_on(&ours);
}

#[test]
fn hostile_12_a_frame_of_2_40_bytes_is_closed() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.send(&[2, 0, 0, 1, 0, 0, 0, 0, 0]);
    peer.read_to_close();
    let _ = ours.await_disconnect();
    others_go_on(&ours);
}

#[test]
fn hostile_14_a_flood_of_parts_ends_at_1024() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.send_message(&vec!["x"; 1024]);
    assert_eq!(ours.recv_parts().len(), 1024);
    let flood = [MORE, 1, b'x'].repeat(2000);
    peer.try_send(&flood);
    peer.read_to_close();
    let _ = ours.await_disconnect();
    others_go_on(&ours);
}

#[test]
fn hostile_15_empty_frames_count_towards_the_message_limit() {
    let options = Options::new().max_message_size(1600).max_parts(u32::MAX);
    let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.send_message(&[""; 100]);
    assert_eq!(ours.recv_parts().len(), 100);
    peer.try_send(&[MORE, 0].repeat(101));
    peer.read_to_close();
    let _ = ours.await_disconnect();
}

#[test]
fn hostile_15_a_flood_of_empty_messages_is_legal() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    let flood = std::thread::spawn(move || {
        peer.send(&[0, 0].repeat(100_000));
        peer
    });
    for _ in 0..100_000 {
        assert_eq!(ours.recv_parts(), [b""]);
    }
    drop(flood.join().expect("the flood ends"));
}

#[test]
fn hostile_20_traffic_before_ready_closes() {
    for early in [
        &b"\x00\x02hi"[..],
        b"\x04\x07\x04PING\0\0",
        b"\x04\x0B\x09SUBSCRIBEA",
    ] {
        let ours = pull();
        let mut peer = RawPeer::connect(ours.endpoint());
        peer.send(&Greeting::default().bytes());
        let _ = peer.read_greeting();
        peer.send(early);
        peer.read_to_close();
        let _ = ours.await_handshake_failure();
    }
}

#[test]
fn hostile_22_a_value_of_4_gib_is_refused() {
    ready_is_refused(b"\x0bSocket-Type\xFF\xFF\xFF\xFFPUSH");
    ready_is_refused(b"\x0bSocket-Type\x80\x00\x00\x00PUSH");
}

#[test]
fn hostile_23_a_property_name_must_be_there() {
    ready_is_refused(b"\x00\0\0\0\x04PUSH");
    ready_is_refused(b"\xFFSocket-Type\0\0\0\x04PUSH");
}

#[test]
fn hostile_24_a_duplicate_property_is_refused() {
    ready_is_refused(&metadata(&[
        ("Socket-Type", b"PUSH"),
        ("Socket-Type", b"PUSH"),
    ]));
    ready_is_refused(&metadata(&[
        ("Socket-Type", b"PUSH"),
        ("X-A", b"1"),
        ("x-a", b"2"),
    ]));
}

#[test]
fn hostile_25_metadata_has_a_limit() {
    let value = vec![b'v'; 5000];
    ready_is_refused(&metadata(&[("Socket-Type", b"PUSH"), ("X-Large", &value)]));
    let names: Vec<String> = (0..40).map(|number| format!("X-{number}")).collect();
    let mut many: Vec<(&str, &[u8])> = vec![("Socket-Type", b"PUSH")];
    many.extend(names.iter().map(|name| (name.as_str(), &b""[..])));
    ready_is_refused(&metadata(&many));
}

// 30: the caps are 1 M subscriptions a peer.
#[test]
fn hostile_30_a_flood_of_subscriptions_ends_at_the_cap() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut neighbour = RawPeer::established(ours.endpoint(), "SUB");
    neighbour.send_command("SUBSCRIBE", b"");
    neighbour.settle();
    let mut peer = RawPeer::established(ours.endpoint(), "SUB");
    let mut sent = 0_u32;
    loop {
        let batch: Vec<u8> = (sent..sent + 10_000)
            .flat_map(|number| [&b"\x04\x0E\x09SUBSCRIBE"[..], &number.to_be_bytes()].concat())
            .collect();
        if !peer.try_send(&batch) {
            break;
        }
        sent += 10_000;
        assert!(sent <= 3_000_000, "{sent} subscriptions are accepted");
    }
    assert!(sent >= 500_000, "only {sent} subscriptions were accepted");
    let _ = ours.await_disconnect();
    ours.send("still published").expect("send");
    assert_eq!(neighbour.read_message(), [b"still published"]);
}

#[test]
fn hostile_34_churn_of_one_subscriber_leaves_the_others_served() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut peer = RawPeer::established(ours.endpoint(), "SUB");
    peer.send_command("SUBSCRIBE", b"");
    peer.settle();
    let mut churning = RawPeer::established(ours.endpoint(), "SUB");
    let churn = std::thread::spawn(move || {
        let turn = [&b"\x04\x0B\x09SUBSCRIBEA"[..], b"\x04\x08\x06CANCELA"].concat();
        for _ in 0..200 {
            churning.send(&turn.repeat(1000));
        }
        churning
    });
    for number in 0..100_u8 {
        ours.send([number].as_slice()).expect("send");
        assert_eq!(peer.read_message(), [[number]]);
    }
    churn.join().expect("all of it is read").settle();
}

#[test]
fn hostile_36_unasked_pongs_are_ignored() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    for _ in 0..1000 {
        peer.send_command("PONG", b"why");
    }
    peer.send_message(&["still here"]);
    assert_eq!(ours.recv_parts(), [b"still here"]);
}

#[test]
fn hostile_37_a_ttl_of_zero_starts_no_timer() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.settle();
    assert!(!peer.is_closed_within(Duration::from_millis(300)));
    peer.send_message(&["still here"]);
    assert_eq!(ours.recv_parts(), [b"still here"]);
}

#[test]
fn hostile_39_an_error_whose_reason_overruns_closes() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    peer.send_command("ERROR", b"\x09short");
    peer.read_to_close();
    let _ = ours.await_disconnect();

    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.send_command("ERROR", b"\x09short");
    peer.read_to_close();
    let _ = ours.await_handshake_failure();
}

#[test]
fn hostile_51_a_flood_of_connections_leaves_the_socket_serving() {
    let ours = pull();
    for _ in 0..20 {
        let strangers: Vec<RawPeer> = (0..20).map(|_| RawPeer::connect(ours.endpoint())).collect();
        drop(strangers);
    }
    others_go_on(&ours);
}

#[test]
fn hostile_32_a_very_long_topic_is_capped_without_recursion() {
    let ours = Ours::on_tcp(SocketType::Pub);
    let mut peer = RawPeer::established(ours.endpoint(), "SUB");
    let topic = vec![b't'; 65_000];
    peer.send_command("SUBSCRIBE", &topic);
    peer.settle();
    ours.send([&topic[..], b"rest"]).expect("send");
    assert_eq!(peer.read_message()[1], b"rest");
    // A command of 1 MiB is announced, and refused by its header.
    peer.send(b"\x06\0\0\0\0\0\x10\0\0\x09SUBSCRIBE");
    peer.read_to_close();
    let _ = ours.await_disconnect();
}

// 35: at most one PONG waits, so a peer that reads none of them costs nothing.
#[test]
fn hostile_35_a_flood_of_pings_queues_nothing() {
    let ours = pull();
    let mut peer = RawPeer::established(ours.endpoint(), "PUSH");
    let flood = b"\x04\x07\x04PING\0\0".repeat(50_000);
    for _ in 0..20 {
        peer.send(&flood);
    }
    peer.send_message(&["after a million pings"]);
    assert_eq!(ours.recv_parts(), [b"after a million pings"]);
    let queued = ours
        .statistics()
        .peers
        .iter()
        .map(|peer| peer.queued_bytes)
        .sum::<usize>();
    assert!(queued < 1000, "{queued} bytes of PONGs wait");
}
