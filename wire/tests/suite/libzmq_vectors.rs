//! What libzmq really writes (vectors/capture*.py): we read all of it, and
//! write the same bytes where both have no choice.

use crate::common::decode::{Reader, Seen};
use crate::common::vectors::Vectors;
use crate::common::*;
use ferromq_wire::*;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The captures, one file a version of libzmq. Those of the draft sockets are
/// files of their own, for not every libzmq has them.
fn captures(prefix: &str) -> Vec<Vectors> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let files = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(prefix) && name.ends_with(".txt")
    });
    assert!(!files.is_empty());
    files.iter().map(|path| Vectors::load(path)).collect()
}

fn read(bytes: &[u8]) -> Vec<Seen> {
    let mut reader = Reader::new(established(Limits::default(), 1, None).0);
    reader.read(bytes).unwrap();
    reader.seen
}

fn frame_seen(more: bool, body: &[u8]) -> Seen {
    let body = body.to_vec();
    Seen::Frame { more, body }
}

/// Writes something into the room that it gets, and says how much.
type Call<'a> = &'a dyn Fn(&mut Transmitter, &mut [u8]) -> usize;

/// Everything that `calls` write, one call after the other.
fn written(minor: u8, calls: &[Call<'_>]) -> Vec<u8> {
    let (_, mut transmitter) = established(Limits::default(), minor, None);
    let mut bytes = Vec::new();
    for call in calls {
        let mut out = vec![0; 2048];
        let len = call(&mut transmitter, &mut out);
        bytes.extend_from_slice(&out[..len]);
    }
    bytes
}

/// Ours, but for the padding (A3), in which libzmq hides a 1.0 length.
fn assert_same_greeting(theirs: &[u8], ours: &[u8]) {
    assert_eq!(theirs[0], ours[0]);
    assert_eq!(theirs[9..], ours[9..]);
}

#[test]
fn every_capture_is_checked() {
    for mut vectors in captures("libzmq-") {
        check_readies(&mut vectors);
        check_frames(&mut vectors);
        check_subscriptions(&mut vectors);
        check_heartbeats(&mut vectors);
        check_plain_client(&mut vectors);
        check_plain_server(&mut vectors);
        vectors.assert_all_used();
    }
}

#[test]
fn every_capture_of_the_drafts_is_checked() {
    for mut vectors in captures("drafts-libzmq-") {
        check_draft_readies(&mut vectors);
        check_groups(&mut vectors);
        check_single_frames(&mut vectors);
        vectors.assert_all_used();
    }
}

fn check_draft_readies(vectors: &mut Vectors) {
    for name in "SERVER CLIENT RADIO DISH GATHER SCATTER PEER CHANNEL".split(' ') {
        let ready = vectors.take(&format!("ready.{name}"));
        let kind = SocketType::parse(name.as_bytes()).unwrap();
        let peer = SocketType::ALL.into_iter().find(|peer| peer.accepts(kind));
        let mut side = null(peer.unwrap());
        side.feed(&[greeting("NULL", 0), ready.clone()].concat())
            .unwrap();
        side.output();
        assert_eq!(side.status(), Status::Established);
        assert_eq!(side.connection.peer().socket_type, Some(kind));
        let mut same = null(kind);
        same.feed(&greeting("NULL", 0)).unwrap();
        assert_eq!(same.output()[64..], ready);
    }
}

/// A DISH says the same to a 3.0 peer as to a 3.1 peer.
fn check_groups(vectors: &mut Vectors) {
    use Subscription::{Cancel, Subscribe};
    let longest = [b'g'; 255];
    let changes: [(Subscription, &[u8]); 5] = [
        (Subscribe, b"before"),
        (Subscribe, b"weather"),
        (Subscribe, b""),
        (Cancel, b"weather"),
        (Subscribe, &longest),
    ];
    for minor in [0, 1] {
        let vector = vectors.take(&format!("groups.3.{minor}"));
        let mut dish = transmitter(SocketType::Dish, minor);
        let mut bytes = Vec::new();
        for (change, group) in changes {
            let mut out = vec![0; 512];
            let len = dish.subscription(change, group, &mut out).unwrap();
            bytes.extend_from_slice(&out[..len]);
        }
        assert_eq!(bytes, vector);
        let seen = changes.map(|(change, group)| match change {
            Subscribe => Seen::Join(group.to_vec()),
            Cancel => Seen::Leave(group.to_vec()),
        });
        assert_eq!(read(&vector), seen);
    }
}

fn check_single_frames(vectors: &mut Vectors) {
    let vector = vectors.take("frames.radio");
    let seen = [
        frame_seen(true, b"weather"),
        frame_seen(false, b"rain"),
        frame_seen(true, b""),
        frame_seen(false, b"all"),
    ];
    assert_eq!(read(&vector), seen);
    for kind in "server peer client scatter channel".split(' ') {
        let vector = vectors.take(&format!("frames.{kind}"));
        let body: &[u8] = match kind {
            "server" | "peer" => b"answer",
            _ => b"question",
        };
        assert_eq!(read(&vector), [frame_seen(false, body)], "{kind}");
    }
}

fn check_readies(vectors: &mut Vectors) {
    // A1, A8, C26, C29
    let theirs = vectors.take("greeting.null");
    assert_same_greeting(&theirs, &null(SocketType::Pair).output());
    for name in "PAIR PUB SUB REQ REP DEALER ROUTER PULL PUSH XPUB XSUB".split(' ') {
        let ready = vectors.take(&format!("ready.{name}"));
        let kind = SocketType::parse(name.as_bytes()).unwrap();
        let peer = SocketType::ALL.into_iter().find(|peer| peer.accepts(kind));
        let mut side = null(peer.unwrap());
        side.feed(&[theirs.clone(), ready.clone()].concat())
            .unwrap();
        side.output();
        assert_eq!(side.status(), Status::Established);
        assert_eq!(side.connection.peer().socket_type, Some(kind));
        assert_eq!(side.connection.peer().version, Version::ZMTP_3_1);
        let mut same = null(kind);
        same.feed(&theirs).unwrap();
        assert_eq!(same.output()[64..], ready);
    }
    let ready = vectors.take("ready.identity-and-property");
    let config = Config {
        identity: b"worker-7",
        properties: &[("X-Color", b"red")],
        ..Config::new(SocketType::Dealer)
    };
    let mut same = Side::new(&config, Null);
    same.feed(&theirs).unwrap();
    assert_eq!(same.output()[64..], ready);
    let mut side = null(SocketType::Router);
    side.feed(&[theirs, ready].concat()).unwrap();
    assert_eq!(side.identity(), b"worker-7");
    assert_eq!(side.property("X-Color"), Some(&b"red"[..]));
}

fn check_frames(vectors: &mut Vectors) {
    // B12, F53
    let counting: Vec<u8> = (0..255).collect();
    let bodies: [&[u8]; 5] = [b"", b"hello", &counting, &[0; 256], &[0xA5; 1000]];
    for body in bodies {
        let vector = vectors.take(&format!("frame.{}", body.len()));
        assert_eq!(read(&vector), [frame_seen(false, body)]);
        assert_eq!(
            written(1, &[&|encoder, out| encoder.frame(false, body, out)]),
            vector
        );
    }
    let vector = vectors.take("frames.multipart");
    let long = [b'x'; 300];
    let parts = [(true, &b"one"[..]), (true, b""), (false, &long)];
    assert_eq!(
        read(&vector),
        parts.map(|(more, body)| frame_seen(more, body))
    );
    let [one, two, three] = parts;
    let bytes = written(
        1,
        &[
            &|encoder, out| encoder.frame(one.0, one.1, out),
            &|encoder, out| encoder.frame(two.0, two.1, out),
            &|encoder, out| encoder.frame(three.0, three.1, out),
        ],
    );
    assert_eq!(bytes, vector);
    let vector = vectors.take("frames.request");
    assert_eq!(
        read(&vector),
        [frame_seen(true, b""), frame_seen(false, b"question")]
    );
}

fn check_subscriptions(vectors: &mut Vectors) {
    // A5, G70, G81
    let long = [b't'; 246];
    let subscribe = |topic: &'static [u8]| {
        move |encoder: &mut Transmitter, out: &mut [u8]| {
            encoder
                .subscription(Subscription::Subscribe, topic, out)
                .unwrap()
        }
    };
    let all: [Call<'_>; 4] = [
        &subscribe(b"weather"),
        &subscribe(b""),
        &|encoder, out| {
            encoder
                .subscription(Subscription::Cancel, b"weather", out)
                .unwrap()
        },
        &subscribe(&[b't'; 246]),
    ];
    let vector = vectors.take("subscriptions.3.1");
    assert_eq!(written(1, &all), vector);
    let seen = [
        Seen::Subscribe(b"weather".to_vec()),
        Seen::Subscribe(vec![]),
        Seen::Cancel(b"weather".to_vec()),
        Seen::Subscribe(long.to_vec()),
    ];
    assert_eq!(read(&vector), seen);
    let vector = vectors.take("subscriptions.3.0");
    assert_eq!(written(0, &all), vector);
    assert_eq!(read(&vector)[2], frame_seen(false, b"\0weather"));
}

fn check_heartbeats(vectors: &mut Vectors) {
    // E47, E48
    let vector = vectors.take("ping.ttl-1500ms");
    let ttl = Duration::from_millis(1_500);
    let ping = Command::Ping { ttl, context: b"" };
    assert_eq!(
        written(1, &[&|encoder, out| encoder.command(ping, out).unwrap()]),
        vector
    );
    let seen = Seen::Ping {
        tenths: 15,
        context: vec![],
    };
    assert_eq!(read(&vector), [seen]);
    for (name, context) in [
        ("pong.empty", &b""[..]),
        ("pong.context", b"0123456789abcdef"),
    ] {
        let vector = vectors.take(name);
        let pong = Command::Pong { context };
        assert_eq!(
            written(1, &[&|encoder, out| encoder.command(pong, out).unwrap()]),
            vector
        );
        assert_eq!(read(&vector), [Seen::Pong]);
    }
}

/// libzmq is the client, we serve; then the other way round, with its bytes
/// as the measure of ours.
fn check_plain_client(vectors: &mut Vectors) {
    // A9, D33
    let theirs = vectors.take("greeting.plain-client");
    let hello = vectors.take("plain.hello");
    let initiate = vectors.take("plain.initiate");
    let message = vectors.take("plain.first-message");
    let router = Config::new(SocketType::Router);
    let mut server: Side = Side::new(&router, Security::PlainServer(PlainServer::new()));
    server
        .feed(&[theirs.clone(), hello.clone()].concat())
        .unwrap();
    let said = server.connection.mechanism().credentials();
    let Some(Credentials::Plain { username, password }) = said else {
        panic!("no credentials of PLAIN");
    };
    assert_eq!((username, password), (&b"admin"[..], &b"secret"[..]));
    server.authenticate(Decision::Allow).unwrap();
    server.feed(&initiate).unwrap();
    server.output();
    assert_eq!(
        server.connection.peer().socket_type,
        Some(SocketType::Dealer)
    );
    let mut reader = Reader::new(server.establish(Limits::default()).0);
    reader.read(&message).unwrap();
    assert_eq!(reader.seen, [frame_seen(false, b"in")]);

    let mut client = plain_client();
    assert_same_greeting(&theirs, &client.output());
    client.feed(&greeting("PLAIN", 1)).unwrap();
    assert_eq!(client.output(), hello);
    client.feed(&command("WELCOME", b"")).unwrap();
    assert_eq!(client.output(), initiate);
}

fn check_plain_server(vectors: &mut Vectors) {
    // A9, C30, D33
    let theirs = vectors.take("greeting.plain-server");
    let welcome = vectors.take("plain.welcome");
    let ready = vectors.take("plain.ready");
    let error = vectors.take("plain.error");
    let mut client = plain_client();
    client.feed(&[theirs.clone(), welcome].concat()).unwrap();
    client.feed(&ready).unwrap();
    client.output();
    assert_eq!(client.status(), Status::Established);
    assert_eq!(
        client.connection.peer().socket_type,
        Some(SocketType::Router)
    );

    // 4.3.5 garbles its ERROR: see PROTOCOL.md, section 4.
    let mut client = plain_client();
    client.feed(&theirs).unwrap();
    let refused = HandshakeError::RefusedByPeer { status: Some(400) };
    assert_eq!(client.feed(&error), Err(refused));
    assert_eq!(client.connection.peer_reason(&client.scratch), b"400");
}

fn plain_client() -> Side {
    let client = PlainClient::new(b"admin", b"secret").unwrap();
    let dealer = Config::new(SocketType::Dealer);
    Side::new(&dealer, Security::PlainClient(client))
}
