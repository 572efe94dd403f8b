extern crate std;
use super::*;
use core::time::Duration;
use std::vec::Vec;

fn receiver(limits: Limits) -> Receiver {
    Receiver::new(limits, 512, Features::NONE)
}

fn frame_limit(frame: u64) -> Limits {
    Limits {
        frame,
        ..Limits::default()
    }
}

fn short(flags: u8, body: &[u8]) -> Vec<u8> {
    [&[flags, body.len() as u8], body].concat()
}

fn long(flags: u8, len: u64, body: &[u8]) -> Vec<u8> {
    [&[flags | 2], &len.to_be_bytes()[..], body].concat()
}

fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    short(4, &[&[name.len() as u8], name, data].concat())
}

/// What one call makes of `input`.
fn first(receiver: &mut Receiver, input: &[u8]) -> Result<Progress, ProtocolError> {
    receiver.handle_input(&mut input.to_vec())
}

fn refusal(input: &[u8]) -> ProtocolError {
    first(&mut receiver(Limits::default()), input).unwrap_err()
}

fn frame(consumed: usize, more: bool, body: Range<usize>) -> Result<Progress, ProtocolError> {
    Ok(Progress {
        consumed,
        event: Some(Event::Frame { more, body }),
    })
}

#[test]
fn both_forms_are_accepted_for_any_size() {
    // B12, HOSTILE 18
    let mut receiver = receiver(Limits::default());
    assert_eq!(
        first(&mut receiver, &short(0, b"abc")),
        frame(5, false, 2..5)
    );
    let small = long(0, 3, b"abc");
    assert_eq!(first(&mut receiver, &small), frame(12, false, 9..12));
    let large = long(0, 600, &[7; 600]);
    assert_eq!(first(&mut receiver, &large), frame(609, false, 9..609));
    assert_eq!(first(&mut receiver, &short(1, b"")), frame(2, true, 2..2));
    assert_eq!(first(&mut receiver, &short(0, b"")), frame(2, false, 2..2));
}

#[test]
fn an_incomplete_frame_consumes_nothing() {
    let whole = [short(0, b"abc"), long(1, 300, &[1; 300])];
    for bytes in whole {
        for end in 0..bytes.len() {
            let progress = first(&mut receiver(Limits::default()), &bytes[..end]);
            assert_eq!(progress, Ok(Progress::incomplete(0)), "{end}");
        }
    }
}

#[test]
fn reserved_flags_close() {
    // B13, HOSTILE 16: also 0x08, which no one has negotiated
    for bit in 3..8 {
        let flags = 1 << bit;
        assert_eq!(refusal(&[flags]), ProtocolError::ReservedFlags { flags });
        assert_eq!(
            refusal(&short(flags | 1, b"abc")),
            ProtocolError::ReservedFlags { flags: flags | 1 }
        );
    }
}

#[test]
fn a_command_with_more_closes() {
    // B14, HOSTILE 17
    assert_eq!(refusal(&[5]), ProtocolError::CommandWithMore);
    assert_eq!(refusal(&[7]), ProtocolError::CommandWithMore);
}

#[test]
fn sizes_of_two_to_the_63rd_close_before_any_arithmetic() {
    // B15, HOSTILE 11
    for flags in [0, 1, 4] {
        for len in [1 << 63, u64::MAX] {
            let mut receiver = receiver(Limits::NONE);
            let error = first(&mut receiver, &long(flags, len, b"")).unwrap_err();
            assert_eq!(error, ProtocolError::SizeOverflow { len });
        }
    }
    let len = (1 << 63) - 1;
    let progress = first(&mut receiver(Limits::NONE), &long(0, len, b"")).unwrap();
    let body = Event::Body {
        more: false,
        len,
        head: 0,
    };
    assert_eq!((progress.consumed, progress.event), (9, Some(body)));
}

/// The short ways say yes only to what the long one delivers, frame by frame,
/// and to all of that but long frames.
#[test]
fn short_ways_agree_with_the_long_one_at_every_limit() {
    let delimited = |len: usize| [short(1, b""), short(0, &std::vec![7; len])].concat();
    for message in [15, 16, 31, 32, 33, 90, 1 << 20] {
        for parts in [0, 1, 2, 9] {
            for frame_max in [0, 1, 60, 1 << 20] {
                let limits = Limits {
                    frame: frame_max,
                    message,
                    parts,
                    ..Limits::default()
                };
                for len in [0, 1, 2, 58, 59, 60, 61, 255] {
                    let fresh = receiver(limits);
                    let single = short(0, &std::vec![7; len]);
                    let long_way = first(&mut fresh.clone(), &single).is_ok();
                    let found = fresh.short_message(&single);
                    assert_eq!(found, long_way.then_some(len), "{limits:?}");
                    let both = delimited(len);
                    let mut stepped = fresh.clone();
                    let long_way = first(&mut stepped, &both) == frame(2, true, 2..2)
                        && first(&mut stepped, &both[2..]) == frame(2 + len, false, 2..2 + len);
                    let found = fresh.short_delimited(&both);
                    assert_eq!(found, long_way.then_some(len), "{limits:?}");
                    let cut = &both[..both.len() - 1];
                    assert_eq!(fresh.short_delimited(cut), None);
                    // The state is that of before.
                    assert!(!long_way || std::format!("{stepped:?}") == std::format!("{fresh:?}"));
                }
            }
        }
    }
}

#[test]
fn short_ways_are_closed_within_a_message_or_a_long_body() {
    let request = [short(1, b""), short(0, b"x")].concat();
    let mut receiver = receiver(Limits::default());
    assert_eq!(receiver.short_delimited(&request), Some(1));
    for other in [short(0, b""), short(1, b"id"), short(4, b"")] {
        assert_eq!(
            receiver.short_delimited(&[other, short(0, b"x")].concat()),
            None
        );
    }
    let both = [short(1, b""), short(1, b"x")].concat();
    assert_eq!(receiver.short_delimited(&both), None, "a third one follows");
    let _ = first(&mut receiver, &short(1, b"")).unwrap();
    assert_eq!(receiver.short_delimited(&request), None, "within a message");
    let _ = first(&mut receiver, &short(0, b"")).unwrap();
    let _ = first(&mut receiver, &long(0, 600, b"")).unwrap();
    assert_eq!(receiver.short_delimited(&request), None, "within a body");
}

#[test]
fn a_huge_size_closes_at_the_limit_before_a_byte_of_it_comes() {
    // B18, HOSTILE 12
    let len = 1 << 40;
    let limit = 4 << 30;
    let error = ProtocolError::FrameTooLarge { len, limit };
    assert_eq!(refusal(&long(0, len, b"")), error);
}

#[test]
fn a_long_body_is_announced_and_nothing_is_held_for_it() {
    // B18, HOSTILE 13
    let mut receiver = receiver(Limits::default());
    let input = long(1, 1 << 30, b"first bytes");
    let progress = first(&mut receiver, &input).unwrap();
    let body = Event::Body {
        more: true,
        len: 1 << 30,
        head: 0,
    };
    assert_eq!((progress.consumed, progress.event), (9, Some(body)));
    assert_eq!(receiver.body_missing(), 1 << 30);
    receiver.body_received(&mut [0; 11]);
    assert_eq!(receiver.body_missing(), (1 << 30) - 11);
    // Whatever the buffer holds belongs to the body, not to the decoder.
    assert_eq!(
        first(&mut receiver, b"\xff\xff"),
        Ok(Progress::incomplete(0))
    );
    assert!(size_of::<Receiver>() <= 128);
}

#[test]
fn a_long_body_may_be_handed_over_instead_of_read() {
    let mut receiver = receiver(Limits::default());
    receiver.body_handed_over();
    let header = long(1, 100_000, b"");
    first(&mut receiver, &header).unwrap();
    receiver.body_handed_over();
    assert_eq!(receiver.body_missing(), 0);
    let done = first(&mut receiver, b"").unwrap();
    assert_eq!(done.event, Some(Event::BodyDone { more: true }));
    assert_eq!(
        first(&mut receiver, &short(0, b"abc")),
        frame(5, false, 2..5)
    );
}

#[test]
fn bodies_up_to_inline_max_are_waited_for_and_longer_ones_announced() {
    for (inline_max, waited_for) in [(0, 512), (512, 512), (700, 700)] {
        let fresh = || Receiver::new(Limits::default(), inline_max, Features::NONE);
        let waiting = first(&mut fresh(), &long(0, waited_for, b"x"));
        assert_eq!(waiting, Ok(Progress::incomplete(0)));
        let announced = first(&mut fresh(), &long(0, waited_for + 1, b"x")).unwrap();
        assert_eq!(announced.consumed, 9);
        assert!(matches!(announced.event, Some(Event::Body { .. })));
    }
}

#[test]
fn an_n_byte_limit_lets_n_pass_and_n_plus_one_not() {
    // B16: in both forms, and two frames of n bytes in one message pass
    for n in [0, 1, 3, 254, 255, 256, 600] {
        let body = std::vec![9; n as usize];
        let mut receiver = receiver(frame_limit(n));
        let fits = long(1, n, &body);
        assert!(first(&mut receiver, &fits).unwrap().event.is_some());
        let fits = long(0, n, &body);
        assert!(first(&mut receiver, &fits).unwrap().event.is_some());
        if let Ok(size) = u8::try_from(n) {
            let fits = short(0, &body);
            let end = usize::from(size) + 2;
            assert_eq!(first(&mut receiver, &fits), frame(end, false, 2..end));
        }
        let error = Err(ProtocolError::FrameTooLarge {
            len: n + 1,
            limit: n,
        });
        assert_eq!(first(&mut receiver, &long(0, n + 1, b"")), error);
        if n < 255 {
            assert_eq!(
                first(&mut receiver, &short(0, &[&body[..], b"+"].concat())),
                error
            );
        }
    }
}

#[test]
fn a_message_is_limited_by_its_bytes_and_sixteen_more_a_frame() {
    // B16, HOSTILE 14, 15
    let limits = Limits {
        message: 16 * 3 + 10,
        ..Limits::default()
    };
    let mut receiver = receiver(limits);
    for _ in 0..2 {
        // The account starts anew with each message.
        assert!(first(&mut receiver, &short(1, b"12345")).is_ok());
        assert!(first(&mut receiver, &short(1, b"")).is_ok());
        assert!(first(&mut receiver, &short(0, b"12345")).is_ok());
    }
    for flood in [&b"12345"[..], b""] {
        assert!(first(&mut receiver, &short(1, flood)).is_ok());
    }
    let error = Err(ProtocolError::MessageTooLarge { len: 59, limit: 58 });
    assert_eq!(first(&mut receiver, &short(1, b"123456")), error);
    assert_eq!(first(&mut receiver, &long(0, 6, b"")), error);
}

#[test]
fn a_single_frame_over_the_message_limit_closes_in_either_form() {
    // B16
    let limits = Limits {
        message: 16 + 10,
        ..Limits::default()
    };
    let mut receiver = receiver(limits);
    assert_eq!(
        first(&mut receiver, &short(0, &[0; 10])),
        frame(12, false, 2..12)
    );
    let error = Err(ProtocolError::MessageTooLarge { len: 27, limit: 26 });
    assert_eq!(first(&mut receiver, &short(0, &[0; 11])), error);
    assert_eq!(first(&mut receiver, &long(0, 11, b"")), error);
    let nothing = Limits {
        message: 15,
        ..Limits::default()
    };
    let error = Err(ProtocolError::MessageTooLarge { len: 16, limit: 15 });
    assert_eq!(
        first(&mut super::tests::receiver(nothing), &short(0, b"")),
        error
    );
}

#[test]
fn a_flood_of_more_frames_ends_at_the_part_limit() {
    // B16, HOSTILE 14
    let mut receiver = receiver(Limits::default());
    for last in [1023, 1022] {
        for part in 0..last {
            assert!(first(&mut receiver, &short(1, b"")).is_ok(), "{part}");
        }
        assert!(first(&mut receiver, &short(0, b"")).is_ok());
    }
    for _ in 0..1024 {
        assert!(first(&mut receiver, &short(1, b"")).is_ok());
    }
    let error = Err(ProtocolError::TooManyParts { limit: 1024 });
    assert_eq!(first(&mut receiver, &short(1, b"")), error);
    assert_eq!(first(&mut receiver, &short(0, b"")), error);
}

#[test]
fn waiting_for_a_frame_does_not_count_it_twice() {
    let limits = Limits {
        message: 16 * 2 + 8,
        parts: 2,
        ..Limits::default()
    };
    let mut receiver = receiver(limits);
    let message = [short(1, b"1234"), short(0, b"5678")].concat();
    for end in 0..message.len() {
        let _ = first(&mut receiver, &message[..end.min(5)]).unwrap();
    }
    assert_eq!(first(&mut receiver, &message), frame(6, true, 2..6));
    for end in 0..6 {
        let waiting = first(&mut receiver, &message[6..6 + end]);
        assert_eq!(waiting, Ok(Progress::incomplete(0)));
    }
    assert_eq!(first(&mut receiver, &message[6..]), frame(6, false, 2..6));
}

#[test]
fn commands_carry_length_prefixed_names() {
    // B20
    let mut receiver = receiver(Limits::default());
    let mut event = |bytes: &[u8]| first(&mut receiver, bytes).unwrap().event.unwrap();
    let topic = Event::Subscribe { topic: 12..16 };
    assert_eq!(event(&command(b"SUBSCRIBE", b"news")), topic);
    assert_eq!(
        event(&command(b"CANCEL", b"")),
        Event::Cancel { topic: 9..9 }
    );
    let ping = Event::Ping {
        ttl: Duration::from_millis(1_500),
        context: 9..12,
    };
    assert_eq!(event(&command(b"PING", b"\x00\x0Fabc")), ping);
    assert_eq!(event(&command(b"PONG", b"abc")), Event::Pong);
}

#[test]
fn groups_have_up_to_255_bytes_and_none_is_zero() {
    // 48/RADIO-DISH, Group
    let mut receiver = receiver(Limits::default());
    let longest = [b'g'; 255];
    let join = |group: &[u8]| {
        let body = [b"\x04JOIN", group].concat();
        [&[6], &(body.len() as u64).to_be_bytes()[..], &body].concat()
    };
    let event = first(&mut receiver, &join(&longest)).unwrap().event;
    assert_eq!(event, Some(Event::Join { group: 14..269 }));
    let event = first(&mut receiver, &command(b"LEAVE", b"")).unwrap().event;
    assert_eq!(event, Some(Event::Leave { group: 8..8 }));
    let malformed = |len| Err(ProtocolError::MalformedGroup { len });
    assert_eq!(first(&mut receiver, &join(&[b'g'; 256])), malformed(256));
    assert_eq!(
        first(&mut receiver, &command(b"JOIN", b"a\0")),
        malformed(2)
    );
    assert_eq!(
        first(&mut receiver, &command(b"LEAVE", b"\0")),
        malformed(1)
    );
}

#[test]
fn commands_come_between_the_frames_of_a_message() {
    let mut receiver = receiver(Limits::default());
    assert!(first(&mut receiver, &short(1, b"a")).is_ok());
    let event = first(&mut receiver, &command(b"PONG", b"")).unwrap().event;
    assert_eq!(event, Some(Event::Pong));
    assert_eq!(first(&mut receiver, &short(0, b"b")), frame(3, false, 2..3));
}

#[test]
fn unknown_commands_and_errors_are_ignored_and_the_seventeenth_closes() {
    // B21, C25, HOSTILE 19: in one input, so that "no event" means "more input"
    let unknown = command(b"XYZZY", b"data");
    let error = command(b"ERROR", b"\x02no");
    let mut stream = Vec::new();
    for _ in 0..8 {
        stream.extend_from_slice(&unknown);
        stream.extend_from_slice(&error);
    }
    let mut receiver = receiver(Limits::default());
    let all = stream.len();
    assert_eq!(first(&mut receiver, &stream), Ok(Progress::incomplete(all)));
    assert_eq!(receiver.ignored(), 16);
    assert_eq!(first(&mut receiver, &short(0, b"")), frame(2, false, 2..2));
    let limit = Receiver::IGNORED_MAX;
    let closed = Err(ProtocolError::TooManyIgnored { limit });
    assert_eq!(first(&mut receiver, &unknown), closed);
    assert_eq!(first(&mut receiver, &error), closed);
}

#[test]
fn the_frame_after_an_ignored_command_has_its_own_range() {
    let stream = [command(b"XYZZY", b""), short(0, b"abc")].concat();
    let progress = first(&mut receiver(Limits::default()), &stream);
    assert_eq!(progress, frame(13, false, 10..13));
    let stream = [command(b"XYZZY", b""), command(b"CANCEL", b"t")].concat();
    let progress = first(&mut receiver(Limits::default()), &stream).unwrap();
    assert_eq!(progress.event, Some(Event::Cancel { topic: 17..18 }));
}

#[test]
fn ready_after_the_handshake_closes() {
    // B21, HOSTILE 21
    assert_eq!(refusal(&command(b"READY", b"")), ProtocolError::LateReady);
}

#[test]
fn malformed_commands_close() {
    // B22, HOSTILE 38, 39
    let malformed = |body: &[u8]| {
        let len = body.len();
        assert_eq!(
            refusal(&short(4, body)),
            ProtocolError::MalformedCommand { len }
        );
    };
    malformed(b"");
    malformed(b"\x00");
    malformed(b"\x00PING");
    malformed(b"\x05PING");
    malformed(b"\xffPING");
    malformed(b"\x04PING");
    malformed(b"\x04PING\x00");
    malformed(b"\x05ERROR");
    malformed(b"\x05ERROR\x03no");
}

#[test]
fn a_heartbeat_context_over_sixteen_bytes_closes() {
    // E47, HOSTILE 38
    let context = [b'c'; 17];
    let ping = |len| [b"\x00\x01", &context[..len]].concat();
    let mut receiver = receiver(Limits::default());
    assert!(first(&mut receiver, &command(b"PING", &ping(16))).is_ok());
    assert!(first(&mut receiver, &command(b"PONG", &context[..16])).is_ok());
    let error = Err(ProtocolError::ContextTooLong { len: 17 });
    assert_eq!(first(&mut receiver, &command(b"PING", &ping(17))), error);
    assert_eq!(first(&mut receiver, &command(b"PONG", &context)), error);
}

#[test]
fn commands_are_exempt_from_the_frame_limit_and_have_their_own() {
    let limits = Limits {
        command: 512,
        ..frame_limit(0)
    };
    let mut receiver = receiver(limits);
    assert!(first(&mut receiver, &command(b"PONG", b"")).is_ok());
    let error = ProtocolError::CommandTooLarge {
        len: 513,
        limit: 512,
    };
    assert_eq!(first(&mut receiver, &long(4, 513, b"")), Err(error));
    let fits = long(4, 512, b"\x09SUBSCRIBE");
    assert_eq!(first(&mut receiver, &fits), Ok(Progress::incomplete(0)));
}

#[test]
fn a_long_body_counts_once_and_then_the_message_goes_on() {
    let limits = Limits {
        message: 700 + 5 + 32,
        parts: 2,
        ..Limits::default()
    };
    let mut receiver = receiver(limits);
    for _ in 0..2 {
        assert!(first(&mut receiver, &long(1, 700, b"")).is_ok());
        receiver.body_received(&mut [0; 300]);
        receiver.body_received(&mut [0; 400]);
        let done = first(&mut receiver, b"\x00\x05hello").unwrap();
        let event = Some(Event::BodyDone { more: true });
        assert_eq!((done.consumed, done.event), (0, event));
        assert_eq!(
            first(&mut receiver, &short(0, b"hello")),
            frame(7, false, 2..7)
        );
    }
}

#[test]
fn a_piece_longer_than_the_body_is_cut_off() {
    let mut receiver = receiver(Limits::default());
    receiver.body_received(&mut [0; 3]); // outside a body: nothing to do
    assert!(first(&mut receiver, &long(0, 600, b"")).is_ok());
    receiver.body_received(&mut [0; 1000]);
    assert_eq!(receiver.body_missing(), 0);
    let done = first(&mut receiver, b"").unwrap();
    assert_eq!(done.event, Some(Event::BodyDone { more: false }));
    assert_eq!(first(&mut receiver, b"").unwrap().event, None);
}

mod with_checksums {
    use super::*;

    fn receiver() -> Receiver {
        Receiver::new(Limits::default(), 512, Features::CRC)
    }

    fn sealed(frame: Vec<u8>) -> Vec<u8> {
        let checksum = crc32fast::hash(&frame).to_le_bytes();
        [frame, checksum.to_vec()].concat()
    }

    #[test]
    fn frames_and_commands_have_a_trailer_outside_their_size() {
        let mut receiver = receiver();
        let bytes = sealed(short(0, b"abc"));
        for end in 0..bytes.len() {
            let waiting = first(&mut receiver, &bytes[..end]);
            assert_eq!(waiting, Ok(Progress::incomplete(0)));
        }
        assert_eq!(first(&mut receiver, &bytes), frame(9, false, 2..5));
        let event = first(&mut receiver, &sealed(command(b"PONG", b"")));
        let consumed = 2 + 5 + 4;
        let event_wanted = Some(Event::Pong);
        assert_eq!(
            event,
            Ok(Progress {
                consumed,
                event: event_wanted
            })
        );
    }

    #[test]
    fn any_flipped_bit_closes() {
        // HOSTILE 70; flipped headers may also fail in other ways, or wait
        for whole in [sealed(short(1, b"abc")), sealed(command(b"CANCEL", b"t"))] {
            for bit in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let outcome = first(&mut receiver(), &bytes);
                assert!(!matches!(outcome, Ok(Progress { event: Some(_), .. })));
                if bit >= 16 {
                    let mismatch = matches!(outcome, Err(ProtocolError::ChecksumMismatch { .. }));
                    assert!(mismatch, "{bit}");
                }
            }
        }
    }

    #[test]
    fn a_long_body_is_checked_piecewise() {
        let whole = sealed(long(0, 600, &[0x5A; 600]));
        for (corrupt, good) in [(0, true), (1, false)] {
            let mut receiver = receiver();
            assert_eq!(first(&mut receiver, &whole[..100]).unwrap().consumed, 9);
            let mut body = whole[9..609].to_vec();
            body[599] ^= corrupt;
            let (head, tail) = body.split_at_mut(91);
            receiver.body_received(head);
            receiver.body_received(tail);
            let early = first(&mut receiver, &whole[609..612]);
            assert_eq!(early, Ok(Progress::incomplete(0)));
            let done = first(&mut receiver, &whole[609..]);
            let event = Some(Event::BodyDone { more: false });
            assert_eq!(done == Ok(Progress { consumed: 4, event }), good);
            assert_eq!(done.is_err(), !good);
        }
    }
}

/// What `short_message` may take without asking: written from the limits' meaning.
fn is_short_message(limits: &Limits, input: &[u8]) -> Option<usize> {
    let [0, size, body @ ..] = input else {
        return None;
    };
    let len = u64::from(*size);
    let allowed = len <= limits.frame && len + Limits::FRAME_COST <= limits.message;
    (allowed && limits.parts > 0 && body.len() as u64 >= len).then_some(len as usize)
}

#[test]
fn a_short_message_is_taken_only_where_no_limit_could_be_broken() {
    let with = |frame, message, parts| Limits {
        frame,
        message,
        parts,
        ..Limits::default()
    };
    let of_message = |payload| with(u64::MAX, Limits::FRAME_COST + payload, 9);
    let all = [
        Limits::default(),
        with(0, u64::MAX, 9),
        with(3, u64::MAX, 9),
        with(254, u64::MAX, 9),
        with(255, u64::MAX, 9),
        with(u64::MAX, u64::MAX, 0),
        with(u64::MAX, Limits::FRAME_COST - 1, 9),
        of_message(0),
        of_message(2),
        of_message(255),
    ];
    for limits in all {
        for size in [0_usize, 1, 2, 3, 4, 253, 254, 255] {
            for present in [size, size.saturating_sub(1), size + 1] {
                for flags in [0, 1, 2, 4] {
                    let input = [&[flags, size as u8][..], &vec_of(present)].concat();
                    let receiver = receiver(limits);
                    let expected = is_short_message(&limits, &input);
                    assert_eq!(
                        receiver.short_message(&input),
                        expected,
                        "{limits:?} {size}"
                    );
                }
            }
        }
    }
    assert_eq!(receiver(Limits::default()).short_message(&[0]), None);
    let checked = Receiver::new(Limits::default(), 512, Features::CRC);
    assert_eq!(checked.short_message(&[0, 1, 7, 0, 0, 0, 0]), None);
}

fn vec_of(len: usize) -> Vec<u8> {
    (0..len).map(|at| at as u8).collect()
}

#[test]
fn within_a_message_no_frame_is_a_short_message() {
    let mut receiver = receiver(Limits::default());
    first(&mut receiver, &short(1, b"first")).unwrap();
    assert_eq!(receiver.short_message(&short(0, b"last")), None);
    first(&mut receiver, &short(0, b"last")).unwrap();
    assert_eq!(receiver.short_message(&short(0, b"next")), Some(4));
}

/// The general way's answer is the judge: what `long_message` says is what it would do.
#[test]
fn a_long_message_is_taken_only_as_the_general_way_takes_it() {
    let with = |frame, message, parts| Limits {
        frame,
        message,
        parts,
        ..Limits::default()
    };
    let all = [
        Limits::default(),
        with(300, u64::MAX, 9),
        with(u64::MAX, Limits::FRAME_COST + 300, 9),
        with(u64::MAX, Limits::FRAME_COST - 1, 9),
        with(u64::MAX, u64::MAX, 0),
    ];
    let sizes = [
        0,
        3,
        255,
        256,
        300,
        301,
        511,
        512,
        513,
        u64::MAX >> 1,
        u64::MAX,
    ];
    for limits in all {
        for len in sizes {
            for present in [len.min(600), len.min(600).saturating_sub(1)] {
                for flags in [0, 1, 4, 8] {
                    let input = long(flags, len, &vec_of(present as usize));
                    let mut receiver = receiver(limits);
                    let found = receiver.long_message(&input);
                    let expected = match first(&mut receiver, &input) {
                        Ok(Progress {
                            consumed,
                            event: Some(Event::Frame { more: false, body }),
                        }) => {
                            assert_eq!((body.start, body.end), (Receiver::LONG_HEADER, consumed));
                            Some(body.len())
                        }
                        _ => None,
                    };
                    assert_eq!(found, expected, "{limits:?} {flags} {len} {present}");
                }
            }
        }
    }
    let checked = Receiver::new(Limits::default(), 512, Features::CRC);
    assert_eq!(checked.long_message(&long(0, 1, b"x")), None);
    let short_of_a_header = &long(0, 0, b"")[..8];
    assert_eq!(
        receiver(Limits::default()).long_message(short_of_a_header),
        None
    );
}

#[test]
fn within_a_message_or_a_body_no_frame_is_a_long_message() {
    let mut receiver = receiver(Limits::default());
    let next = long(0, 300, &vec_of(300));
    first(&mut receiver, &short(1, b"first")).unwrap();
    assert_eq!(receiver.long_message(&next), None);
    first(&mut receiver, &next).unwrap();
    assert_eq!(receiver.long_message(&next), Some(300));
    first(&mut receiver, &long(0, 1_000, b"")).unwrap();
    assert_eq!(receiver.long_message(&next), None);
}

#[test]
fn a_delimited_body_lies_behind_its_headers() {
    let input = [short(1, b""), short(0, b"body")].concat();
    let found = receiver(Limits::default()).short_delimited(&input);
    assert_eq!(found, Some(4));
    assert_eq!(input[Receiver::DELIMITED_HEADERS..], *b"body");
}
