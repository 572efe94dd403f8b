//! Every vector of docs/PROTOCOL.md, written and read.

use crate::common::decode::{Reader, Seen};
use crate::common::vectors::Vectors;
use crate::common::*;
use ferromq_wire::*;
use std::time::Duration;

const CONTEXT: &[u8] = b"0123456789abcdef";

fn document() -> Vectors {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");
    Vectors::from_document(&std::fs::read_to_string(path).unwrap())
}

/// Writes with an encoder towards a peer of version 3.`minor`.
fn write(
    minor: u8,
    offer: Option<Offer>,
    call: impl FnOnce(&mut Transmitter, &mut [u8]) -> usize,
) -> Vec<u8> {
    let (_, mut transmitter) = established(Limits::default(), minor, offer);
    let mut out = vec![0; 1024];
    let len = call(&mut transmitter, &mut out);
    out.truncate(len);
    out
}

fn read(offer: Option<Offer>, bytes: &[u8]) -> Vec<Seen> {
    let mut reader = Reader::new(established(Limits::default(), 1, offer).0);
    reader.read(bytes).unwrap();
    reader.seen
}

/// The vector is what we write, and reads as `seen`.
fn assert_frame(vector: &[u8], offer: Option<Offer>, more: bool, body: &[u8]) {
    let written = write(1, offer, |encoder, out| encoder.frame(more, body, out));
    assert_eq!(written, vector);
    let body = body.to_vec();
    assert_eq!(read(offer, vector), [Seen::Frame { more, body }]);
}

fn assert_command(vector: &[u8], command: Command<'_>, seen: Seen) {
    let written = write(1, None, |encoder, out| {
        encoder.command(command, out).unwrap()
    });
    assert_eq!(written, vector);
    assert_eq!(read(None, vector), [seen]);
}

fn side(kind: SocketType, security: Security) -> Side {
    Side::new(&Config::new(kind), security)
}

fn plain_client() -> Security {
    Security::PlainClient(PlainClient::new(b"admin", b"secret").unwrap())
}

#[test]
fn every_vector_is_checked() {
    let mut vectors = document();
    check_greetings(&mut vectors);
    check_frames(&mut vectors);
    check_null(&mut vectors);
    check_plain(&mut vectors);
    check_subscriptions(&mut vectors);
    check_groups(&mut vectors);
    check_heartbeats(&mut vectors);
    check_extensions(&mut vectors);
    check_switch(&mut vectors);
    check_references(&mut vectors);
    check_tensors(&mut vectors);
    vectors.assert_all_used();
}

fn check_greetings(vectors: &mut Vectors) {
    // A1
    let null_greeting = vectors.take("greeting.null");
    let client_greeting = vectors.take("greeting.plain-client");
    let server_greeting = vectors.take("greeting.plain-server");
    let server = || {
        side(
            SocketType::Router,
            Security::PlainServer(PlainServer::new()),
        )
    };
    let client = || side(SocketType::Dealer, plain_client());
    assert_eq!(null(SocketType::Pair).output(), null_greeting);
    assert_eq!(client().output(), client_greeting);
    assert_eq!(server().output(), server_greeting);
    assert_eq!(null(SocketType::Pair).feed(&null_greeting), Ok(64));
    assert_eq!(client().feed(&server_greeting), Ok(64));
    assert_eq!(server().feed(&client_greeting), Ok(64));
}

fn check_frames(vectors: &mut Vectors) {
    // B12
    let long = [b'a'; 256];
    let cases: [(&str, bool, &[u8]); 6] = [
        ("frame.empty", false, b""),
        ("frame.last", false, b"hello"),
        ("frame.more", true, b"hello"),
        ("frame.short-255", false, &long[..255]),
        ("frame.long-256", false, &long),
        ("frame.long-256-more", true, &long),
    ];
    for (name, more, body) in cases {
        assert_frame(&vectors.take(name), None, more, body);
    }
}

fn check_null(vectors: &mut Vectors) {
    // C26, C28, C29
    let ready = vectors.take("ready.push");
    let mut push = null(SocketType::Push);
    push.feed(&greeting("NULL", 0)).unwrap();
    assert_eq!(push.output()[64..], ready);
    let mut pull = null(SocketType::Pull);
    pull.feed(&[greeting("NULL", 0), ready.clone()].concat())
        .unwrap();
    assert_eq!(pull.connection.peer().socket_type, Some(SocketType::Push));
    pull.output();

    let error = vectors.take("error.incompatible");
    assert!(push.feed(&ready).is_err());
    assert_eq!(push.output(), error);

    let full = vectors.take("ready.dealer-with-everything");
    let config = Config {
        identity: b"worker-7",
        properties: &[("X-Region", b"south")],
        offer: Some(Offer::new(Features::CRC)),
        ..Config::new(SocketType::Dealer)
    };
    let mut dealer = Side::new(&config, Security::<NoCrypto>::Null(Null));
    dealer.feed(&greeting("NULL", 0)).unwrap();
    assert_eq!(dealer.output()[64..], full);
    let mut router = null(SocketType::Router);
    router.feed(&[greeting("NULL", 0), full].concat()).unwrap();
    assert_eq!(router.identity(), b"worker-7");
    assert_eq!(router.property("X-Region"), Some(&b"south"[..]));
    assert_eq!(router.connection.peer().offer, config.offer);
}

fn check_plain(vectors: &mut Vectors) {
    // D33
    let hello = vectors.take("plain.hello");
    let welcome = vectors.take("plain.welcome");
    let initiate = vectors.take("plain.initiate");
    let ready = vectors.take("plain.ready");
    let refusal = vectors.take("error.400");

    let mut client = side(SocketType::Dealer, plain_client());
    client.feed(&greeting("PLAIN", 1)).unwrap();
    assert_eq!(client.output()[64..], hello);
    client.feed(&welcome).unwrap();
    assert_eq!(client.output(), initiate);
    client.feed(&ready).unwrap();
    assert_eq!(client.status(), Status::Established);

    for decision in [Decision::Allow, Decision::Deny] {
        let mut server = side(
            SocketType::Router,
            Security::PlainServer(PlainServer::new()),
        );
        server
            .feed(&[greeting("PLAIN", 0), hello.clone()].concat())
            .unwrap();
        server.output();
        if server.authenticate(decision).is_ok() {
            assert_eq!(server.output(), welcome);
            server.feed(&initiate).unwrap();
            assert_eq!(server.output(), ready);
            assert_eq!(server.status(), Status::Established);
        } else {
            assert_eq!(server.output(), refusal);
        }
    }
    let mut client = side(SocketType::Dealer, plain_client());
    client.feed(&greeting("PLAIN", 1)).unwrap();
    let refused = HandshakeError::RefusedByPeer { status: Some(400) };
    assert_eq!(client.feed(&refusal), Err(refused));
}

fn check_subscriptions(vectors: &mut Vectors) {
    // A5, G70, G81
    let long = [b't'; 246];
    let cases: [(&str, Subscription, &[u8]); 4] = [
        ("subscribe.weather", Subscription::Subscribe, b"weather"),
        ("subscribe.everything", Subscription::Subscribe, b""),
        ("cancel.weather", Subscription::Cancel, b"weather"),
        ("subscribe.246-bytes", Subscription::Subscribe, &long),
    ];
    for (name, subscription, topic) in cases {
        let vector = vectors.take(name);
        let seen = match subscription {
            Subscription::Subscribe => Seen::Subscribe(topic.to_vec()),
            Subscription::Cancel => Seen::Cancel(topic.to_vec()),
        };
        let written = write(1, None, |encoder, out| {
            encoder.subscription(subscription, topic, out).unwrap()
        });
        assert_eq!(written, vector);
        assert_eq!(read(None, &vector), [seen]);
    }
    let cases = [
        (
            "subscribe.weather.3-0",
            Subscription::Subscribe,
            b"\x01weather",
        ),
        ("cancel.weather.3-0", Subscription::Cancel, b"\x00weather"),
    ];
    for (name, subscription, body) in cases {
        let vector = vectors.take(name);
        let written = write(0, None, |encoder, out| {
            encoder.subscription(subscription, b"weather", out).unwrap()
        });
        assert_eq!(written, vector);
        let (more, body) = (false, body.to_vec());
        assert_eq!(read(None, &vector), [Seen::Frame { more, body }]);
    }
}

fn check_groups(vectors: &mut Vectors) {
    let longest = [b'g'; 255];
    let cases: [(&str, Subscription, &[u8]); 4] = [
        ("join.weather", Subscription::Subscribe, b"weather"),
        ("join.empty-group", Subscription::Subscribe, b""),
        ("join.longest-group", Subscription::Subscribe, &longest),
        ("leave.weather", Subscription::Cancel, b"weather"),
    ];
    for (name, subscription, group) in cases {
        let vector = vectors.take(name);
        let seen = match subscription {
            Subscription::Subscribe => Seen::Join(group.to_vec()),
            Subscription::Cancel => Seen::Leave(group.to_vec()),
        };
        for minor in [0, 1] {
            let mut dish = transmitter(SocketType::Dish, minor);
            let mut out = vec![0; 512];
            let len = dish.subscription(subscription, group, &mut out).unwrap();
            assert_eq!(out[..len], vector);
        }
        assert_eq!(read(None, &vector), [seen]);
    }
    let vector = vectors.take("group-message.weather");
    let group = write(1, None, |encoder, out| encoder.frame(true, b"weather", out));
    let body = write(1, None, |encoder, out| encoder.frame(false, b"rain", out));
    assert_eq!([group, body].concat(), vector);
}

fn check_heartbeats(vectors: &mut Vectors) {
    // E47, E48
    let cases: [(&str, u64, u16, &[u8]); 2] = [
        ("ping.ttl-1500ms", 1_500, 15, b""),
        ("ping.ttl-longest-context", 10_000_000, 65_535, CONTEXT),
    ];
    for (name, millis, tenths, context) in cases {
        let ttl = Duration::from_millis(millis);
        let ping = Command::Ping { ttl, context };
        let context = context.to_vec();
        assert_command(&vectors.take(name), ping, Seen::Ping { tenths, context });
    }
    for (name, context) in [("pong.empty", &b""[..]), ("pong.context", CONTEXT)] {
        assert_command(&vectors.take(name), Command::Pong { context }, Seen::Pong);
    }
}

fn check_references(vectors: &mut Vectors) {
    let offer = Some(Offer::new(Features::BY_REFERENCE));
    let reference = Reference {
        region: 3,
        offset: 4096,
        len: 1 << 20,
        key: 0,
        token: 7,
    };
    for (name, more) in [("reference.last", false), ("reference.more", true)] {
        let vector = vectors.take(name);
        let written = write(1, offer, |encoder, out| {
            encoder.reference(more, reference, out)
        });
        assert_eq!(written, vector);
        assert_eq!(read(offer, &vector), [Seen::Reference { more, reference }]);
    }
    let vector = vectors.take("release");
    let release = Command::Release { token: 7 };
    let written = write(1, offer, |encoder, out| {
        encoder.command(release, out).unwrap()
    });
    assert_eq!(written, vector);
    assert_eq!(read(offer, &vector), [Seen::Release(7)]);
    // Nobody knows it where the extension is off.
    assert_eq!(read(None, &vector), []);
}

fn check_extensions(vectors: &mut Vectors) {
    let offers = [
        ("offer.none", Features::NONE),
        ("offer.crc", Features::CRC),
        ("offer.by-reference", Features::BY_REFERENCE),
    ];
    for (name, features) in offers {
        let vector = vectors.take(name);
        let offer = Offer::new(features);
        assert_eq!(offer.encode()[..], vector);
        assert_eq!(Offer::decode(&vector), Some(offer));
    }
    let offer = Some(Offer::new(Features::CRC));
    assert_frame(&vectors.take("crc.frame"), offer, false, b"hello");
    assert_frame(&vectors.take("crc.frame-empty-more"), offer, true, b"");
    let long = vectors.take("crc.frame-300");
    assert_frame(&long, offer, false, &[b'a'; 300]);
    let (_, mut encoder) = established(Limits::default(), 1, offer);
    let header = encoder.header(false, 300);
    let trailer = encoder.trailer(&header, &[b'a'; 300]);
    assert_eq!(header.as_ref(), &long[..9]);
    assert_eq!(trailer.as_ref(), &long[309..]);
    let pong = Command::Pong { context: b"" };
    let vector = vectors.take("crc.pong");
    let written = write(1, offer, |encoder, out| encoder.command(pong, out).unwrap());
    assert_eq!(written, vector);
    assert_eq!(read(offer, &vector), [Seen::Pong]);
}

fn check_switch(vectors: &mut Vectors) {
    let side = |side, label| {
        let ours = Introduction {
            host: [7; 16],
            fabric: [0; 16],
            label: [label; 16],
            secret: [label + 1; SWITCH_PROOF],
        };
        Switch::new(side, ours, Features::SWITCH, Duration::from_millis(200))
    };
    let now = Instant::from_nanos(0);
    let mut accepted = side(SwitchSide::Accepted, 0xA1);
    let mut connected = side(SwitchSide::Connected, 0xC1);
    let said = |switch: &mut Switch| {
        let mut frame = [0; Switch::FRAME_MAX];
        let len = switch.poll_output(&mut frame);
        frame[..len].to_vec()
    };
    let xferro = vectors.take("switch.xferro");
    assert_eq!(said(&mut accepted), xferro);
    assert_eq!(connected.handle_input(&xferro, now), Ok(xferro.len()));
    let theirs = said(&mut connected);
    assert_eq!(accepted.handle_input(&theirs, now), Ok(theirs.len()));
    accepted.bound();
    let ready = vectors.take("switch.ready");
    assert_eq!(said(&mut accepted), ready);
    assert_eq!(connected.handle_input(&ready, now), Ok(ready.len()));
    assert_eq!(connected.poll_action(), Some(SwitchAction::Connect));
    let mut late = accepted.clone();
    accepted.handle_proof(&[0xA2; SWITCH_PROOF]);
    assert_eq!(accepted.poll_proof(), Some([0xC2; SWITCH_PROOF]));
    accepted.proof_written();
    let go = vectors.take("switch.go");
    assert_eq!(said(&mut accepted), go);
    assert_eq!(connected.handle_input(&go, now), Ok(go.len()));
    late.handle_timeout(now.saturating_add(Duration::from_millis(200)));
    let stay = vectors.take("switch.stay-late");
    assert_eq!(said(&mut late), stay);
    assert_eq!(accepted.handle_input(&stay, now), Ok(stay.len()));
    let outcome = SwitchOutcome::Stay(SwitchReason::TimedOut);
    assert_eq!(accepted.outcome(), outcome);
    check_fabric(vectors);
}

fn check_fabric(vectors: &mut Vectors) {
    let ours = |label| Introduction {
        host: [0; 16],
        fabric: [0xF7; 16],
        label: [label; 16],
        secret: [label + 1; SWITCH_PROOF],
    };
    let features = Features::SWITCH | Features::FABRIC;
    let side = |side, label| Switch::new(side, ours(label), features, Duration::from_secs(1));
    let now = Instant::from_nanos(0);
    let mut accepted = side(SwitchSide::Accepted, 0xA1);
    let mut connected = side(SwitchSide::Connected, 0xC1);
    let said = |switch: &mut Switch| {
        let mut frame = [0; Switch::FRAME_MAX];
        let len = switch.poll_output(&mut frame);
        frame[..len].to_vec()
    };
    let xferro = vectors.take("switch.fabric-xferro");
    assert_eq!(said(&mut accepted), xferro);
    assert_eq!(connected.handle_input(&xferro, now), Ok(xferro.len()));
    let theirs = said(&mut connected);
    assert_eq!(accepted.handle_input(&theirs, now), Ok(theirs.len()));
    let mut six = accepted.clone();
    accepted.bound_at("10.2.0.1:40000".parse().unwrap());
    six.bound_at("[2001:db8::7]:40000".parse().unwrap());
    for (mut accepted, name, address) in [
        (accepted, "switch.fabric-ready", "10.2.0.1:40000"),
        (six, "switch.fabric-ready-ipv6", "[2001:db8::7]:40000"),
    ] {
        let ready = vectors.take(name);
        assert_eq!(said(&mut accepted), ready);
        let mut connected = connected.clone();
        assert_eq!(connected.handle_input(&ready, now), Ok(ready.len()));
        assert_eq!(connected.poll_action(), Some(SwitchAction::Connect));
        assert_eq!(connected.address(), Some(address.parse().unwrap()));
    }
}

fn check_tensors(vectors: &mut Vectors) {
    let tensor = |code, bits, flags, payload_len, sequence| TensorHeader {
        element: TensorType {
            code,
            bits,
            lanes: 1,
        },
        flags,
        device_type: 1,
        device_id: 0,
        log2_align: 6,
        part: 0,
        payload_len,
        offset: 0,
        sequence,
        payload_crc: 0,
        user_tag: 0,
    };
    let none = TensorFlags::NONE;
    let checked = TensorHeader {
        payload_crc: tensor_checksum(b"\x80\x3f"),
        user_tag: 0x1122_3344_5566_7788,
        ..tensor(4, 16, TensorFlags::CHECKSUM, 2, 0)
    };
    let transposed = TensorFlags::STRIDED.with(TensorFlags::READ_ONLY);
    type Case<'a> = (&'a str, TensorHeader, &'a [i64], Option<&'a [i64]>);
    let cases: [Case<'_>; 4] = [
        ("tensor.f32-2x3", tensor(2, 32, none, 24, 7), &[2, 3], None),
        ("tensor.bf16-scalar-checked", checked, &[], None),
        (
            "tensor.f64-transposed",
            tensor(2, 64, transposed, 48, 1),
            &[3, 2],
            Some(&[1, 3]),
        ),
        (
            "tensor.u8-nine-dimensions",
            tensor(1, 8, none, 512, 2),
            &[2; 9],
            None,
        ),
    ];
    for (name, header, shape, strides) in cases {
        let vector = vectors.take(name);
        let mut out = vec![0xff; 1024];
        let len = header.encode(shape, strides, &mut out).unwrap();
        assert_eq!(out[..len], vector, "{name}");
        let view = TensorView::parse(&vector).unwrap();
        assert_eq!(*view.header(), header, "{name}");
        assert!(view.shape().eq(shape.iter().copied()), "{name}");
        let read = view.strides().map(Iterator::collect::<Vec<_>>);
        assert_eq!(read.as_deref(), strides, "{name}");
    }
}
