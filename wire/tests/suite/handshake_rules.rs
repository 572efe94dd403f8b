//! What a peer's greeting, commands and metadata may be: CONFORMANCE A to D.

use crate::common::*;
use ferromq_wire::*;
use std::time::Duration;

fn plain_server() -> Side {
    let config = Config::new(SocketType::Router);
    Side::new(&config, Security::PlainServer(PlainServer::new()))
}

fn plain_client() -> Side {
    let config = Config::new(SocketType::Dealer);
    let client = PlainClient::new(b"admin", b"secret").unwrap();
    Side::new(&config, Security::PlainClient(client))
}

/// A PUSH whose peer sends `metadata` in its READY.
fn meets(metadata: &[u8]) -> (Side, Result<usize, HandshakeError>) {
    let mut side = null(SocketType::Push);
    side.feed(&greeting("NULL", 0)).unwrap();
    side.output();
    let outcome = side.feed(&command("READY", metadata));
    (side, outcome)
}

#[test]
fn padding_and_filler_are_never_looked_at() {
    // A3
    let mut side = null(SocketType::Push);
    let mut theirs = greeting("NULL", 0);
    theirs[1..9].fill(0xAB);
    theirs[33..].fill(0xCD);
    assert_eq!(side.feed(&theirs), Ok(64));
}

#[test]
fn versions_from_three_on_are_answered_as_3_1() {
    // A4, HOSTILE 7
    for (major, minor) in [(3, 0), (3, 1), (3, 9), (4, 0), (255, 255)] {
        let mut side = null(SocketType::Push);
        let mut theirs = greeting("NULL", 0);
        theirs[10..12].copy_from_slice(&[major, minor]);
        assert_eq!(side.feed(&[theirs, ready("PULL")].concat()), Ok(64 + 28));
        assert_eq!(side.connection.peer().version, Version { major, minor });
        assert_eq!(side.output()[10..12], [3, 1]);
        let (_, transmitter) = side.establish(Limits::default());
        // A5
        let in_use = if (major, minor) == (3, 0) {
            Version::ZMTP_3_0
        } else {
            Version::ZMTP_3_1
        };
        assert_eq!(transmitter.peer_version(), in_use);
    }
}

#[test]
fn earlier_revisions_are_refused_with_a_typed_error() {
    // A6, HOSTILE 6: 1.0 (anonymous, and behind the signature), then 2.0
    let refused = |theirs: &[u8]| null(SocketType::Push).feed(theirs).unwrap_err();
    assert_eq!(refused(&[1, 0]), HandshakeError::NotZmtp { first: 1 });
    let long_identity = [0xFF, 0, 0, 0, 0, 0, 0, 1, 0, 0];
    assert_eq!(
        refused(&long_identity),
        HandshakeError::BadSignature { last: 0 }
    );
    for major in [0, 1, 2] {
        let mut theirs = greeting("NULL", 0);
        theirs[10] = major;
        let error = HandshakeError::VersionTooOld { major };
        assert_eq!(refused(&theirs[..11]), error);
        assert_eq!(refused(&theirs), error);
    }
}

#[test]
fn mechanisms_that_differ_in_any_byte_are_a_mismatch() {
    // A7, HOSTILE 8, 9
    let ours = MechanismName::new("NULL");
    for at in 0..20 {
        let mut side = null(SocketType::Push);
        let mut theirs = greeting("NULL", 0);
        theirs[12 + at] ^= 0x20;
        match side.feed(&theirs).unwrap_err() {
            HandshakeError::MechanismMismatch { ours: o, theirs: t } => {
                assert_eq!(o, ours);
                assert_eq!(t.as_bytes()[..], theirs[12..32]);
            }
            other => panic!("{other}"),
        }
        assert_eq!(side.status(), Status::Failed);
    }
    let error = plain_client().feed(&greeting("CURVE", 1)).unwrap_err();
    let text = "mechanism mismatch: ours is PLAIN, the peer's CURVE";
    assert_eq!(error.to_string(), text);
}

#[test]
fn null_sends_as_server_zero_and_ignores_the_peer_s() {
    // A8
    for as_server in [0, 1, 255] {
        let mut side = null(SocketType::Push);
        assert_eq!(side.output()[32], 0);
        assert_eq!(side.feed(&greeting("NULL", as_server)), Ok(64));
    }
}

#[test]
fn plain_says_who_is_the_server_and_lets_the_peer_keep_silent_about_it() {
    // A9: libzmq's servers say 0
    assert_eq!(plain_client().output()[32], 0);
    assert_eq!(plain_server().output()[32], 1);
    for as_server in [0, 1] {
        assert_eq!(plain_client().feed(&greeting("PLAIN", as_server)), Ok(64));
    }
    assert_eq!(plain_server().feed(&greeting("PLAIN", 0)), Ok(64));
}

#[test]
fn two_servers_or_two_clients_do_not_come_together() {
    // A10, HOSTILE 10
    let error = plain_server().feed(&greeting("PLAIN", 1)).unwrap_err();
    assert_eq!(error, HandshakeError::BothServers);
    let (mut a, mut b) = (plain_client(), plain_client());
    let error = shake_hands(&mut a, &mut b, &mut Whole).unwrap_err();
    assert_eq!(error, HandshakeError::UnexpectedCommand { name_len: 5 });
    // Two servers that say 0 wait for each other until their time is up.
    let mut side = plain_server();
    side.feed(&greeting("PLAIN", 0)).unwrap();
    assert_eq!(side.output().len(), 64);
    let deadline = side.connection.poll_timeout().unwrap();
    let outcome = side.connection.handle_timeout(deadline);
    assert_eq!(outcome, Err(HandshakeError::TimedOut));
}

#[test]
fn the_deadline_is_total_and_no_byte_resets_it() {
    // A11, HOSTILE 4, 5
    let mut side = null(SocketType::Push);
    let deadline = START.saturating_add(Duration::from_secs(10));
    for byte in &greeting("NULL", 0)[..40] {
        assert_eq!(side.connection.poll_timeout(), Some(deadline));
        assert_eq!(side.feed(&[*byte]), Ok(1));
    }
    let early = Instant::from_nanos(deadline.nanos() - 1);
    assert_eq!(side.connection.handle_timeout(early), Ok(()));
    let outcome = side.connection.handle_timeout(deadline);
    assert_eq!(outcome, Err(HandshakeError::TimedOut));
    assert_eq!(side.status(), Status::Failed);
    assert_eq!(side.connection.poll_timeout(), None);
    assert_eq!(side.feed(b"\0"), Err(HandshakeError::TimedOut));
}

#[test]
fn a_decision_that_never_comes_runs_into_the_deadline_too() {
    // A11, HOSTILE 46
    let mut side = plain_server();
    side.feed(&greeting("PLAIN", 0)).unwrap();
    side.feed(&command("HELLO", b"\x01u\x01p")).unwrap();
    assert_eq!(side.status(), Status::AwaitingDecision);
    let deadline = side.connection.poll_timeout().unwrap();
    let outcome = side.connection.handle_timeout(deadline);
    assert_eq!(outcome, Err(HandshakeError::TimedOut));
}

#[test]
fn waiting_for_ever_is_possible() {
    let config = Config {
        handshake_timeout: Duration::MAX,
        ..Config::new(SocketType::Push)
    };
    let side = Side::new(&config, Null);
    assert_eq!(side.connection.poll_timeout(), None);
}

#[test]
fn the_handshake_is_exempt_from_the_frame_limit() {
    // B17
    let (mut side, outcome) = meets(&property("Socket-Type", b"PULL"));
    assert!(outcome.is_ok());
    side.output();
    let limits = Limits {
        frame: 1,
        ..Limits::default()
    };
    let (mut receiver, _) = side.establish(limits);
    assert!(receiver.handle_input(&mut frame(0, b"ab")).is_err());
}

#[test]
fn handshake_commands_have_their_own_cap() {
    // B17, B18, HOSTILE 25: refused by their header
    for (size, taken) in [
        (4353u64, true),
        (4354, false),
        (1 << 40, false),
        (u64::MAX, false),
    ] {
        let mut side = null(SocketType::Push);
        side.feed(&greeting("NULL", 0)).unwrap();
        let header = [&[6], &size.to_be_bytes()[..]].concat();
        let outcome = side.feed(&header);
        assert_eq!(outcome.is_ok(), taken, "{size}");
        if !taken {
            let too_large = matches!(outcome, Err(HandshakeError::CommandTooLarge { .. }));
            assert!(too_large);
        }
    }
}

#[test]
fn either_side_may_say_ready_first() {
    // C23
    let mut eager = null(SocketType::Push);
    let both = [greeting("NULL", 0), ready("PULL")].concat();
    eager.feed(&both).unwrap(); // before a byte of ours is out
    assert_eq!(eager.output().len(), 64 + 28);
    assert_eq!(eager.status(), Status::Established);
    let mut patient = null(SocketType::Push);
    patient.feed(&greeting("NULL", 0)).unwrap();
    assert_eq!(patient.output().len(), 64 + 28);
    patient.feed(&ready("PULL")).unwrap();
    assert_eq!(patient.status(), Status::Established);
}

#[test]
fn ready_in_the_long_form_is_fine() {
    // B12
    let mut side = null(SocketType::Push);
    side.feed(&greeting("NULL", 0)).unwrap();
    let body = [b"\x05READY", &property("Socket-Type", b"PULL")[..]].concat();
    assert!(side.feed(&frame(6, &body)).is_ok());
    side.output();
    assert_eq!(side.status(), Status::Established);
}

#[test]
fn traffic_before_ready_closes() {
    // HOSTILE 20
    for flags in [0, 1, 2, 3] {
        let mut side = null(SocketType::Push);
        side.feed(&greeting("NULL", 0)).unwrap();
        let error = HandshakeError::TrafficTooEarly { flags };
        assert_eq!(side.feed(&[flags]), Err(error));
    }
}

#[test]
fn handshake_commands_obey_the_rules_of_framing() {
    // B13, B14, B20, B22
    let after_greeting = |bytes: &[u8]| {
        let mut side = null(SocketType::Push);
        side.feed(&greeting("NULL", 0)).unwrap();
        side.feed(bytes).unwrap_err()
    };
    for flags in [5, 7, 8, 0x0C, 0x14, 0x84] {
        assert_eq!(after_greeting(&[flags]), HandshakeError::BadFlags { flags });
    }
    for body in [&b""[..], b"\x00", b"\x00READY", b"\x06READY"] {
        let error = HandshakeError::MalformedCommand { len: body.len() };
        assert_eq!(after_greeting(&frame(4, body)), error);
    }
    let error = HandshakeError::UnexpectedCommand { name_len: 4 };
    assert_eq!(after_greeting(&command("PING", b"\0\0")), error);
}

#[test]
fn a_truncated_property_list_is_fatal() {
    // C26, HOSTILE 22, 23
    let whole = [property("Socket-Type", b"PULL"), property("X-A", b"value")].concat();
    let boundary = property("Socket-Type", b"PULL").len();
    for end in 0..whole.len() {
        let (_, outcome) = meets(&whole[..end]);
        assert_eq!(outcome.is_ok(), end == 0 || end == boundary, "{end}");
    }
    let (_, outcome) = meets(b"\x01A\xff\xff\xff\xff");
    assert_eq!(outcome, Err(HandshakeError::PropertyOverrun { offset: 0 }));
}

#[test]
fn property_names_match_in_any_case() {
    // C27
    let metadata = [
        property("SOCKET-type", b"PULL"),
        property("iDENTITY", b"me"),
    ]
    .concat();
    let (side, outcome) = meets(&metadata);
    assert!(outcome.is_ok());
    assert_eq!(side.connection.peer().socket_type, Some(SocketType::Pull));
    assert_eq!(side.identity(), b"me");
}

#[test]
fn a_peer_without_a_socket_type_is_accepted_and_known_as_such() {
    // C28
    let (mut side, outcome) = meets(b"");
    assert!(outcome.is_ok());
    assert_eq!(side.connection.peer().socket_type, None);
    side.output();
    assert_eq!(side.status(), Status::Established);
}

#[test]
fn an_incompatible_socket_type_gets_an_error_and_no_session() {
    // C28, HOSTILE 26
    for (name, theirs) in [("PUSH", Some(SocketType::Push)), ("pull", None), ("", None)] {
        let (mut side, outcome) = meets(&property("Socket-Type", name.as_bytes()));
        let ours = SocketType::Push;
        let error = HandshakeError::IncompatibleSocketTypes { ours, theirs };
        assert_eq!(outcome, Err(error));
        let reason = b"\x19incompatible socket types";
        assert_eq!(side.output(), command("ERROR", reason));
        assert_eq!(side.status(), Status::Failed);
    }
}

#[test]
fn every_pair_of_socket_types_meets_or_is_told() {
    // C28
    for a in SocketType::ALL {
        for b in SocketType::ALL {
            let (mut x, mut y) = (null(a), null(b));
            let outcome = shake_hands(&mut x, &mut y, &mut Whole);
            assert_eq!(outcome.is_ok(), a.accepts(b), "{a} {b}");
        }
    }
}

#[test]
fn an_error_command_is_fatal_and_brings_its_reason() {
    // C30
    let (mut side, _) = meets_error(&command("ERROR", b"\x03400"));
    let error = HandshakeError::RefusedByPeer { status: Some(400) };
    assert_eq!(side.feed(b"anything"), Err(error));
    assert_eq!(side.connection.peer_reason(&side.scratch), b"400");
    let (side, outcome) = meets_error(&command("ERROR", b"\x0bgo away now, not covered"));
    assert_eq!(outcome, Err(HandshakeError::RefusedByPeer { status: None }));
    assert_eq!(side.connection.peer_reason(&side.scratch), b"go away now");
    for (reason, status) in [
        ("+12", None),
        ("4000", None),
        ("", None),
        ("999", Some(999)),
    ] {
        let data = [&[reason.len() as u8], reason.as_bytes()].concat();
        let (_, outcome) = meets_error(&command("ERROR", &data));
        assert_eq!(outcome, Err(HandshakeError::RefusedByPeer { status }));
    }
}

fn meets_error(error: &[u8]) -> (Side, Result<usize, HandshakeError>) {
    let mut side = null(SocketType::Push);
    side.feed(&greeting("NULL", 0)).unwrap();
    let outcome = side.feed(error);
    (side, outcome)
}

#[test]
fn an_error_whose_reason_overruns_closes() {
    // HOSTILE 39
    for data in [&b""[..], b"\x01", b"\x04400"] {
        let (side, outcome) = meets_error(&command("ERROR", data));
        let len = data.len() + 6;
        assert_eq!(outcome, Err(HandshakeError::MalformedCommand { len }));
        assert_eq!(side.connection.peer_reason(&side.scratch), b"");
    }
}

#[test]
fn metadata_beyond_four_kibibytes_or_thirty_two_properties_closes() {
    // HOSTILE 25
    let overhead = property("X-Big", b"").len();
    let (_, outcome) = meets(&property("X-Big", &vec![0; 4096 - overhead]));
    assert!(outcome.is_ok());
    let (_, outcome) = meets(&property("X-Big", &vec![0; 4097 - overhead]));
    let limit = 4096;
    assert_eq!(
        outcome,
        Err(HandshakeError::MetadataTooLarge { len: 4097, limit })
    );
    let many: Vec<u8> = (0..33)
        .flat_map(|n| property(&format!("X-{n}"), b""))
        .collect();
    let (_, outcome) = meets(&many);
    assert_eq!(
        outcome,
        Err(HandshakeError::TooManyProperties { limit: 32 })
    );
}

#[test]
fn duplicate_and_nameless_properties_close() {
    // HOSTILE 23, 24
    let twice = [property("X-A", b"1"), property("x-a", b"1")].concat();
    let (_, outcome) = meets(&twice);
    assert_eq!(
        outcome,
        Err(HandshakeError::DuplicateProperty { offset: 9 })
    );
    let (_, outcome) = meets(&property("", b"1"));
    assert_eq!(
        outcome,
        Err(HandshakeError::EmptyPropertyName { offset: 0 })
    );
}

#[test]
fn identities_that_router_could_not_use_close() {
    // HOSTILE 27, 28
    let (side, outcome) = meets(&property("Identity", &[b'i'; 255]));
    assert!(outcome.is_ok());
    assert_eq!(side.identity(), [b'i'; 255]);
    let (side, outcome) = meets(&property("Identity", &[b'i'; 256]));
    assert_eq!(outcome, Err(HandshakeError::IdentityTooLong { len: 256 }));
    assert_eq!(side.identity(), b"");
    let (_, outcome) = meets(&property("Identity", b"\0me"));
    assert_eq!(outcome, Err(HandshakeError::ReservedIdentity));
}

#[test]
fn plain_runs_hello_welcome_initiate_ready() {
    // D33
    let (mut client, mut server) = (plain_client(), plain_server());
    client.feed(&server.output()).unwrap();
    server.feed(&client.output()).unwrap();
    assert_eq!(server.status(), Status::AwaitingDecision);
    let said = server.connection.mechanism().credentials();
    let Some(Credentials::Plain { username, password }) = said else {
        panic!("no credentials of PLAIN");
    };
    assert_eq!((username, password), (&b"admin"[..], &b"secret"[..]));
    assert_eq!(server.output(), b"");
    server.authenticate(Decision::Allow).unwrap();
    let welcome = server.output();
    assert_eq!(welcome, command("WELCOME", b""));
    client.feed(&welcome).unwrap();
    let initiate = client.output();
    assert_eq!(initiate[2..11], *b"\x08INITIATE");
    server.feed(&initiate).unwrap();
    let ready = server.output();
    assert_eq!(ready[2..8], *b"\x05READY");
    assert_eq!(server.status(), Status::Established);
    client.feed(&ready).unwrap();
    assert_eq!(client.status(), Status::Established);
}

#[test]
fn a_plain_server_lets_nobody_in_by_itself() {
    // D34
    let mut server = plain_server();
    let hello = command("HELLO", b"\x05admin\x06secret");
    let initiate = command("INITIATE", &property("Socket-Type", b"DEALER"));
    server.feed(&greeting("PLAIN", 0)).unwrap();
    let both = [hello.clone(), initiate].concat();
    assert_eq!(server.feed(&both), Ok(hello.len()));
    assert_eq!(server.feed(&both[hello.len()..]), Ok(0));
    assert_eq!(server.status(), Status::AwaitingDecision);
    assert_eq!(server.output(), greeting("PLAIN", 1));
}

#[test]
fn a_denied_client_is_told_unless_it_may_try_later() {
    // D34, D44 (the status codes of ZAP)
    let cases = [
        (Decision::TryLater, 300, &b""[..]),
        (Decision::Deny, 400, b"\x03400"),
        (Decision::Fail, 500, b"\x03500"),
    ];
    for (decision, status, reason) in cases {
        let mut server = plain_server();
        server.feed(&greeting("PLAIN", 0)).unwrap();
        server.output();
        server.feed(&command("HELLO", b"\x01u\x01p")).unwrap();
        let denied = HandshakeError::Denied { status };
        assert_eq!(server.authenticate(decision), Err(denied));
        assert_eq!(server.status(), Status::Failed);
        let output = server.output();
        if reason.is_empty() {
            assert_eq!(output, b"");
        } else {
            assert_eq!(output, command("ERROR", reason));
            // C30: the client learns why
            let mut client = plain_client();
            client.feed(&greeting("PLAIN", 1)).unwrap();
            let status = Some(status);
            let refused = HandshakeError::RefusedByPeer { status };
            assert_eq!(client.feed(&output), Err(refused));
        }
        assert_eq!(server.authenticate(Decision::Allow), Err(denied));
    }
}

#[test]
fn an_eager_server_finds_room_for_all_that_a_client_owes() {
    // A server that sends WELCOME unasked makes the largest pile of output.
    let long = [b'x'; 255];
    let value = vec![0; 1200];
    let config = Config {
        properties: &[("X-Big", &value)],
        ..Config::new(SocketType::Dealer)
    };
    let client = PlainClient::new(&long, &long).unwrap();
    let mut side = Side::new(&config, client);
    side.feed(&greeting("PLAIN", 1)).unwrap();
    side.feed(&command("WELCOME", b"")).unwrap();
    let bad = command("READY", &property("Socket-Type", b"DISH"));
    assert!(side.feed(&bad).is_err());
    let output = side.output();
    assert!(output.len() > 64 + 527 + 1200);
    assert!(output.ends_with(b"incompatible socket types"));
}

#[test]
fn peers_without_our_offer_or_with_a_later_one_get_plain_zmtp() {
    let offer = Offer::new(Features::CRC);
    let mut later = offer.encode();
    later[1] = 2;
    let cases = [
        (offer.encode().to_vec(), Features::CRC),
        (later.to_vec(), Features::NONE),
        (offer.encode()[..15].to_vec(), Features::NONE),
        (
            Offer::new(Features::SWITCH).encode().to_vec(),
            Features::NONE,
        ),
        (vec![], Features::NONE),
    ];
    for (value, features) in cases {
        for ours in [Some(offer), None] {
            let config = Config {
                offer: ours,
                ..Config::new(SocketType::Push)
            };
            let mut side = Side::new(&config, Null);
            let metadata = [
                property("Socket-Type", b"PULL"),
                property("x-FERROMQ", &value),
            ];
            side.feed(&greeting("NULL", 0)).unwrap();
            side.feed(&command("READY", &metadata.concat())).unwrap();
            side.output();
            let on = if ours.is_some() {
                features
            } else {
                Features::NONE
            };
            assert_eq!(side.connection.features(), on);
            let (_, transmitter) = side.establish(Limits::default());
            let trailer = if on == Features::CRC { 4 } else { 0 };
            assert_eq!(transmitter.trailer_len(), trailer);
        }
    }
}

fn null_server(socket_type: SocketType) -> Side {
    Side::new(
        &Config::new(socket_type),
        Security::NullServer(NullServer::new()),
    )
}

#[test]
fn a_null_server_says_nothing_before_somebody_has_decided() {
    let mut side = null_server(SocketType::Router);
    let metadata = [
        property("Socket-Type", b"DEALER"),
        property("Identity", b"ann"),
    ]
    .concat();
    side.feed(&greeting("NULL", 0)).unwrap();
    assert_eq!(side.output().len(), 64, "our greeting, and no READY");
    assert_eq!(side.identity(), b"");
    side.feed(&command("READY", &metadata)).unwrap();
    assert_eq!(side.status(), Status::AwaitingDecision);
    assert_eq!(side.identity(), b"ann");
    assert_eq!(side.property("Socket-Type"), None, "nobody has checked it");
    assert_eq!(side.feed(b"more"), Ok(0));
    assert!(side.output().is_empty());
    side.authenticate(Decision::Allow).unwrap();
    assert!(side.output().starts_with(b"\x04"));
    assert_eq!(side.status(), Status::Established);
    assert_eq!(side.property("Socket-Type"), Some(&b"DEALER"[..]));
}

#[test]
fn a_null_server_tells_those_whom_nobody_lets_in() {
    for (decision, words) in [
        (Decision::Deny, command("ERROR", b"\x03400")),
        (Decision::Fail, command("ERROR", b"\x03500")),
        (Decision::TryLater, Vec::new()),
    ] {
        let mut side = null_server(SocketType::Pull);
        let input = [greeting("NULL", 0), ready("PUSH")].concat();
        side.feed(&input).unwrap();
        side.output();
        let status = decision.status();
        let denied = Err(HandshakeError::Denied { status });
        assert_eq!(side.authenticate(decision), denied);
        assert_eq!(side.output(), words);
        assert_eq!(side.status(), Status::Failed);
    }
}

#[test]
fn the_identity_that_is_pending_may_be_malformed() {
    for metadata in [&b"\x08Iden"[..], b"", b"\xff"] {
        let mut side = null_server(SocketType::Router);
        side.feed(&greeting("NULL", 0)).unwrap();
        side.feed(&command("READY", metadata)).unwrap();
        assert_eq!(side.identity(), b"");
        let refused = side.authenticate(Decision::Allow);
        assert_eq!(refused.is_err(), !metadata.is_empty());
    }
}

#[test]
fn metadata_is_checked_where_it_does_not_come_in_a_handshake() {
    let good = property("X-Team", b"blue");
    let found: Vec<_> = Properties::parse(&good).unwrap().collect();
    assert_eq!(found, [(&b"X-Team"[..], &b"blue"[..])]);
    assert!(Properties::parse(&good[..good.len() - 1]).is_err());
    assert!(Properties::parse(&[good.clone(), good].concat()).is_err());
}

#[test]
fn the_shortest_ready_takes_no_byte_of_the_traffic_behind_it() {
    // Eight bytes: shorter than a header of the long form is.
    let ready = command("READY", b"");
    assert_eq!(ready.len(), 8);
    let handshake = [greeting("NULL", 0), ready].concat();
    let frame = b"\0\x03abc";
    for split in 0..=handshake.len() {
        let mut side = null(SocketType::Pull);
        let taken = side.feed(&handshake[..split]).unwrap();
        assert_eq!(taken, split);
        let rest = [&handshake[split..], &frame[..]].concat();
        let taken = side.feed(&rest).unwrap();
        assert_eq!(taken, handshake.len() - split, "split at {split}");
    }
}
