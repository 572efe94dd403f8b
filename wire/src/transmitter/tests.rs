extern crate std;
use super::*;
use crate::peek_header;
use core::time::Duration;
use std::vec::Vec;

fn transmitter(version: Version) -> Transmitter {
    Transmitter::new(SocketType::Sub, version, Features::NONE)
}

fn written(write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Vec<u8> {
    let mut out = std::vec![0xEE; 1024];
    let len = write(&mut out).unwrap();
    assert!(out[len..].iter().all(|&byte| byte == 0xEE));
    out.truncate(len);
    out
}

#[test]
fn frames_use_the_short_form_up_to_255_bytes() {
    // B12
    let mut encoder = transmitter(Version::ZMTP_3_1);
    for len in [0, 1, 64, 254, 255, 256, 257] {
        for more in [false, true] {
            let body = std::vec![7; len];
            let bytes = written(|out| Some(encoder.frame(more, &body, out)));
            let header = encoder.header(more, len as u64);
            assert_eq!(bytes, [header.as_ref(), &body].concat());
            let seen = peek_header(&bytes).unwrap();
            assert_eq!(seen.header_len, if len <= 255 { 2 } else { 9 });
            assert_eq!(seen.body_len, len as u64);
            assert_eq!(
                (seen.flags.is_more(), seen.flags.is_command()),
                (more, false)
            );
            assert_eq!(encoder.trailer(&header, &body).as_ref(), b"");
        }
    }
}

#[test]
fn a_frame_without_its_full_room_is_not_written() {
    for features in [Features::NONE, Features::CRC] {
        let mut encoder = Transmitter::new(SocketType::Sub, Version::ZMTP_3_1, features);
        for len in [0, 5, 255, 256] {
            let body = std::vec![7; len];
            let mut out = std::vec![0xEE; len + FRAME_OVERHEAD];
            assert_eq!(encoder.frame(false, &body, &mut out[1..]), 0);
            assert!(out.iter().all(|&byte| byte == 0xEE));
            assert!(encoder.frame(false, &body, &mut out) > len);
        }
    }
}

#[test]
fn trailers_are_the_crc_of_header_and_body_in_little_endian() {
    let mut encoder = Transmitter::new(SocketType::Sub, Version::ZMTP_3_1, Features::CRC);
    assert_eq!(encoder.trailer_len(), 4);
    for len in [0, 3, 255, 256] {
        let body = std::vec![0x61; len];
        let bytes = written(|out| Some(encoder.frame(false, &body, out)));
        let header = encoder.header(false, len as u64);
        let trailer = encoder.trailer(&header, &body);
        assert_eq!(bytes, [header.as_ref(), &body, trailer.as_ref()].concat());
        let (covered, trailer) = bytes.split_at(bytes.len() - 4);
        assert_eq!(trailer, crc32fast::hash(covered).to_le_bytes());
    }
}

#[test]
fn commands_to_a_3_1_peer() {
    // B20, E47, E48
    let mut encoder = transmitter(Version::ZMTP_3_1);
    let ping = Command::Ping {
        ttl: Duration::from_millis(1_500),
        context: b"ctx",
    };
    let bytes = written(|out| encoder.command(ping, out));
    assert_eq!(bytes, b"\x04\x0a\x04PING\x00\x0fctx");
    let pong = Command::Pong { context: b"ctx" };
    let bytes = written(|out| encoder.command(pong, out));
    assert_eq!(bytes, b"\x04\x08\x04PONGctx");
    let error = Command::Error { reason: "no" };
    let bytes = written(|out| encoder.command(error, out));
    assert_eq!(bytes, b"\x04\x09\x05ERROR\x02no");
    let bytes = written(|out| encoder.subscription(Subscription::Subscribe, b"t", out));
    assert_eq!(bytes, b"\x04\x0b\x09SUBSCRIBEt");
    let bytes = written(|out| encoder.subscription(Subscription::Cancel, b"", out));
    assert_eq!(bytes, b"\x04\x07\x06CANCEL");
}

#[test]
fn a_3_0_peer_gets_messages_for_subscriptions_and_no_ping() {
    // A5, E52
    let mut encoder = transmitter(Version::ZMTP_3_0);
    assert_eq!(encoder.peer_version(), Version::ZMTP_3_0);
    let bytes = written(|out| encoder.subscription(Subscription::Subscribe, b"t", out));
    assert_eq!(bytes, b"\x00\x02\x01t");
    let bytes = written(|out| encoder.subscription(Subscription::Cancel, b"t", out));
    assert_eq!(bytes, b"\x00\x02\x00t");
    let ping = Command::Ping {
        ttl: Duration::ZERO,
        context: b"",
    };
    assert_eq!(written(|out| encoder.command(ping, out)), b"");
    // It asked, so it knows.
    let pong = Command::Pong { context: b"" };
    assert_eq!(
        written(|out| encoder.command(pong, out)),
        b"\x04\x05\x04PONG"
    );
}

#[test]
fn a_dish_joins_and_leaves_whatever_the_peer_s_version() {
    for version in [Version::ZMTP_3_0, Version::ZMTP_3_1] {
        let mut encoder = Transmitter::new(SocketType::Dish, version, Features::NONE);
        let bytes = written(|out| encoder.subscription(Subscription::Subscribe, b"g", out));
        assert_eq!(bytes, b"\x04\x06\x04JOINg");
        let bytes = written(|out| encoder.subscription(Subscription::Cancel, b"", out));
        assert_eq!(bytes, b"\x04\x06\x05LEAVE");
        let longest = [b'g'; 255];
        let bytes = written(|out| encoder.subscription(Subscription::Cancel, &longest, out));
        assert!(bytes.len() <= Transmitter::subscription_len(255));
        for group in [&[b'g'; 256][..], b"a\0b"] {
            let mut out = [0xEE; 512];
            let subscribe = Subscription::Subscribe;
            assert_eq!(encoder.subscription(subscribe, group, &mut out), None);
            assert!(out.iter().all(|&byte| byte == 0xEE));
        }
    }
}

#[test]
fn topics_over_245_bytes_go_out_in_the_long_form() {
    // G81
    let mut encoder = transmitter(Version::ZMTP_3_1);
    let mut header_len = |len: usize| {
        let topic = std::vec![b't'; len];
        let subscribe = Subscription::Subscribe;
        let bytes = written(|out| encoder.subscription(subscribe, &topic, out));
        assert!(bytes.len() <= Transmitter::subscription_len(len));
        peek_header(&bytes).unwrap().header_len
    };
    assert_eq!(header_len(245), 2);
    assert_eq!(header_len(246), 9);
}

#[test]
fn the_room_for_a_subscription_is_enough_with_a_checksum_too() {
    // Flags 1, size 8, name 1 + 9, checksum 4.
    assert_eq!(Transmitter::subscription_len(1_000), 1_000 + 23);
    let mut encoder = Transmitter::new(SocketType::Sub, Version::ZMTP_3_1, Features::CRC);
    for len in [0, 1, 245, 246, 1_000] {
        let mut out = std::vec![0; Transmitter::subscription_len(len)];
        let topic = std::vec![b't'; len];
        let written = encoder.subscription(Subscription::Subscribe, &topic, &mut out);
        assert!(written.is_some(), "{len}");
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    for features in [Features::NONE, Features::CRC] {
        let mut encoder = Transmitter::new(SocketType::Sub, Version::ZMTP_3_1, features);
        let command = Command::Error { reason: "because" };
        let mut out = std::vec![0; Transmitter::command_len(&command)];
        let len = encoder.command(command, &mut out).unwrap();
        out.fill(0xEE);
        assert_eq!(encoder.command(command, &mut out[..len - 1]), None);
        assert!(out.iter().all(|&byte| byte == 0xEE));
        assert_eq!(encoder.command(command, &mut out[..len]), Some(len));
        let mut out = std::vec![0; Transmitter::subscription_len(3)];
        let subscribe = Subscription::Subscribe;
        assert_eq!(
            encoder.subscription(subscribe, b"abc", &mut out[..10]),
            None
        );
        assert!(encoder.subscription(subscribe, b"abc", &mut out).is_some());
    }
}

#[test]
fn what_no_peer_would_take_is_not_written() {
    let mut encoder = transmitter(Version::ZMTP_3_1);
    let mut out = [0; 1024];
    let long = [b'x'; 256];
    let context = &long[..17];
    let ttl = Duration::ZERO;
    assert_eq!(
        encoder.command(Command::Ping { ttl, context }, &mut out),
        None
    );
    assert_eq!(encoder.command(Command::Pong { context }, &mut out), None);
    let reason = core::str::from_utf8(&long).unwrap();
    assert_eq!(encoder.command(Command::Error { reason }, &mut out), None);
    let reason = &reason[..255];
    assert!(
        encoder
            .command(Command::Error { reason }, &mut out)
            .is_some()
    );
}
