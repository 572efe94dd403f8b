//! Words and handles that steer, and the socket that listens in.

use ferromq_mio::{AnySocket, Context, Options, Proxy, SocketType};

use super::*;

const TCP: &str = "tcp://127.0.0.1:*";

/// A streamer with a control socket of this type, and the socket that talks to
/// it.
struct Steered {
    proxy: Running,
    push: AnySocket,
    pull: AnySocket,
    steering: AnySocket,
}

/// What is left when a test is over is for nobody.
fn hasty() -> Options {
    Options::new().linger(Some(std::time::Duration::ZERO))
}

fn steered(context: &Context, control: SocketType, steering: SocketType) -> Steered {
    let (frontend, front) = bound(context, SocketType::Pull, hasty(), TCP);
    let (backend, back) = bound(context, SocketType::Push, hasty(), TCP);
    let (control, words) = bound(context, control, hasty(), TCP);
    if control.socket_type() == SocketType::Sub {
        control.subscribe("").unwrap();
    }
    let builder = Proxy::builder(frontend, backend).control(control);
    let proxy = Running::start(builder.build().unwrap());
    let push = connected(context, SocketType::Push, hasty(), &front);
    let pull = connected(context, SocketType::Pull, hasty(), &back);
    let steering = connected(context, steering, hasty(), &words);
    await_peers(&steering, 1);
    Steered {
        proxy,
        push,
        pull,
        steering,
    }
}

/// The eight numbers of a reply.
fn numbers(reply: &[Vec<u8>]) -> Vec<u64> {
    let number = |frame: &Vec<u8>| u64::from_ne_bytes(frame[..].try_into().unwrap());
    reply.iter().map(number).collect()
}

#[test]
fn a_requester_pauses_resumes_counts_and_ends_a_proxy() {
    let _watchdog = Watchdog::start();
    let context = context();
    let Steered {
        proxy,
        push,
        pull,
        steering,
    } = steered(&context, SocketType::Rep, SocketType::Req);
    let ask = |word: &str| {
        steering.send(word).unwrap();
        recv_parts(&steering)
    };
    push.send("one").unwrap();
    assert_eq!(recv_text(&pull), "one");
    assert_eq!(ask("PAUSE"), [b""]);
    push.send("two, later").unwrap();
    push.flush().unwrap();
    // It is awake, and yet takes nothing.
    for _ in 0..100 {
        assert_eq!(numbers(&ask("STATISTICS")), [1, 3, 0, 0, 0, 0, 1, 3]);
    }
    assert_eq!(ask("something else"), [b""]);
    assert_eq!(ask("RESUME"), [b""]);
    assert_eq!(recv_text(&pull), "two, later");
    assert_eq!(numbers(&ask("STATISTICS")), [2, 13, 0, 0, 0, 0, 2, 13]);
    assert_eq!(ask("TERMINATE"), [b""]);
    let (_, ran) = proxy.ended();
    ran.unwrap();
}

#[test]
fn a_pair_gets_replies_to_what_it_asks_only() {
    let _watchdog = Watchdog::start();
    let context = context();
    let Steered {
        proxy,
        push,
        pull,
        steering,
    } = steered(&context, SocketType::Pair, SocketType::Pair);
    push.send("x").unwrap();
    assert_eq!(recv_text(&pull), "x");
    for word in ["PAUSE", "RESUME", "no word", "STATISTICS"] {
        steering.send(word).unwrap();
    }
    assert_eq!(numbers(&recv_parts(&steering)), [1, 1, 0, 0, 0, 0, 1, 1]);
    push.send("y").unwrap();
    assert_eq!(recv_text(&pull), "y");
    steering.send("TERMINATE").unwrap();
    proxy.ended().1.unwrap();
}

#[test]
fn a_publisher_steers_without_replies() {
    let _watchdog = Watchdog::start();
    let context = context();
    let Steered {
        proxy,
        push,
        pull,
        steering,
    } = steered(&context, SocketType::Sub, SocketType::XPub);
    assert_eq!(recv_parts(&steering), [b"\x01"]);
    steering.send("STATISTICS").unwrap();
    push.send("x").unwrap();
    assert_eq!(recv_text(&pull), "x");
    // Words of more than one frame are none.
    steering.send(["TERMINATE", ""]).unwrap();
    push.send("y").unwrap();
    assert_eq!(recv_text(&pull), "y");
    steering.send("TERMINATE").unwrap();
    proxy.ended().1.unwrap();
}

#[test]
fn a_flood_of_words_does_not_stop_the_messages() {
    let _watchdog = Watchdog::start();
    let context = context();
    let Steered {
        proxy,
        push,
        pull,
        steering,
    } = steered(&context, SocketType::Pull, SocketType::Push);
    let flooding = steering.clone();
    let flood = std::thread::spawn(move || while flooding.send("RESUME").is_ok() {});
    for number in 0..2000_u64 {
        push.send(&number.to_le_bytes()).unwrap();
        assert_eq!(recv_number(&pull), number);
    }
    steering.close();
    flood.join().unwrap();
    proxy.stop();
}

#[test]
fn words_are_heard_while_messages_flow() {
    let _watchdog = Watchdog::start();
    let context = context();
    let Steered {
        proxy,
        push,
        pull,
        steering,
    } = steered(&context, SocketType::Rep, SocketType::Req);
    let flooding = push.clone();
    let flood = std::thread::spawn(move || while flooding.send_bytes(b"more").is_ok() {});
    let draining = pull.clone();
    let drain = std::thread::spawn(move || while draining.recv().is_ok() {});
    for _ in 0..20 {
        steering.send("STATISTICS").unwrap();
        assert_eq!(recv(&steering).len(), 8);
    }
    steering.send("TERMINATE").unwrap();
    recv(&steering);
    proxy.ended().1.unwrap();
    push.close();
    pull.close();
    flood.join().unwrap();
    drain.join().unwrap();
}

#[test]
fn handles_steer_from_any_thread() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (proxy, front, back) = between(&context, (SocketType::Pull, TCP), (SocketType::Push, TCP));
    let push = connected(&context, SocketType::Push, Options::new(), &front);
    let pull = connected(&context, SocketType::Pull, Options::new(), &back);
    await_peers(&push, 1);
    for round in 0..50_u64 {
        let handle = proxy.handle.clone();
        std::thread::spawn(move || handle.pause()).join().unwrap();
        push.send(&round.to_le_bytes()).unwrap();
        let handle = proxy.handle.clone();
        std::thread::spawn(move || handle.resume()).join().unwrap();
        assert_eq!(recv_number(&pull), round);
    }
    let handle = proxy.handle.clone();
    let stopping = std::thread::spawn(move || handle.stop());
    proxy.ended().1.unwrap();
    stopping.join().unwrap();
}

#[test]
fn a_paused_proxy_takes_nothing_and_forgets_nothing() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, front) = bound(&context, SocketType::Pull, Options::new(), TCP);
    let (backend, back) = bound(&context, SocketType::Push, Options::new(), TCP);
    let waiting = frontend.clone();
    let proxy = Proxy::builder(frontend, backend).build().unwrap();
    proxy.handle().pause();
    let proxy = Running::start(proxy);
    let push = connected(&context, SocketType::Push, Options::new(), &front);
    let pull = connected(&context, SocketType::Pull, Options::new(), &back);
    for number in 0..200_u64 {
        push.send(&number.to_le_bytes()).unwrap();
    }
    until("they have come", || {
        let peers = waiting.statistics().peers;
        let bytes: usize = peers.iter().map(|peer| peer.received_bytes).sum();
        // Decoded or not.
        (bytes >= 200 * 8).then_some(())
    });
    assert_eq!(proxy.handle.statistics(), Default::default());
    proxy.handle.resume();
    for number in 0..200 {
        assert_eq!(recv_number(&pull), number);
    }
    proxy.stop();
}

#[test]
fn a_stop_before_the_run_is_for_that_run() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (frontend, _) = bound(&context, SocketType::Pull, Options::new(), TCP);
    let (backend, _) = bound(&context, SocketType::Push, Options::new(), TCP);
    let mut proxy = Proxy::builder(frontend, backend).build().unwrap();
    proxy.handle().stop();
    proxy.run().unwrap();
    // And for that one only.
    let running = Running::start(proxy);
    let handle = running.handle.clone();
    assert!(!running.thread.is_finished());
    handle.stop();
    running.ended().1.unwrap();
}

/// A broker with this capture socket: the client, the server.
fn captured(context: &Context, capture: AnySocket) -> (Running, AnySocket, AnySocket) {
    let (frontend, front) = bound(context, SocketType::Router, Options::new(), TCP);
    let (backend, back) = bound(context, SocketType::Dealer, Options::new(), TCP);
    let builder = Proxy::builder(frontend, backend).capture(capture);
    let proxy = Running::start(builder.build().unwrap());
    let named = Options::new().identity("client");
    let client = connected(context, SocketType::Req, named, &front);
    let server = connected(context, SocketType::Rep, Options::new(), &back);
    await_peers(&server, 1);
    (proxy, client, server)
}

fn round_trip(client: &AnySocket, server: &AnySocket) {
    client.send("question").unwrap();
    assert_eq!(recv_text(server), "question");
    server.send("answer").unwrap();
    assert_eq!(recv_text(client), "answer");
}

#[test]
fn whoever_listens_in_gets_a_copy_of_both_directions() {
    let _watchdog = Watchdog::start();
    let context = context();
    for (capture, listener) in [
        (SocketType::Push, SocketType::Pull),
        (SocketType::Pair, SocketType::Pair),
        (SocketType::Dealer, SocketType::Dealer),
        (SocketType::XPub, SocketType::Sub),
        (SocketType::Pub, SocketType::Sub),
    ] {
        let (capture, real) = bound(&context, capture, Options::new(), TCP);
        let tap = capture.clone();
        let (proxy, client, server) = captured(&context, capture);
        let listener = connected(&context, listener, Options::new(), &real);
        if listener.socket_type() == SocketType::Sub {
            listener.subscribe("").unwrap();
        }
        await_peers(&tap, 1);
        // Whether a PUB has got the subscription cannot be asked: the messages
        // before are missed, or dropped.
        let mut copies = Vec::new();
        until("there is a copy", || {
            round_trip(&client, &server);
            copies.push(recv_parts_now(&listener)?);
            Some(())
        });
        while copies.len() < 4 {
            round_trip(&client, &server);
            copies.push(recv_parts(&listener));
            copies.push(recv_parts(&listener));
        }
        let question = [&b"client"[..], b"", b"question"];
        let answer = [&b"client"[..], b"", b"answer"];
        assert!(
            copies
                .iter()
                .all(|copy| copy == &question || copy == &answer)
        );
        assert!(copies.windows(2).all(|two| two[0] != two[1]), "{copies:?}");
        proxy.stop();
    }
}

/// The next message, if one comes soon.
fn recv_parts_now(socket: &AnySocket) -> Option<Vec<Vec<u8>>> {
    let soon = std::time::Duration::from_millis(20);
    let message = socket.recv_timeout(soon).ok()?;
    Some(message.iter().map(|frame| frame.to_vec()).collect())
}

#[test]
fn a_capture_without_room_stops_nobody_and_is_counted() {
    let _watchdog = Watchdog::start();
    let context = context();
    // Nobody listens in.
    let (capture, real) = bound(
        &context,
        SocketType::Push,
        Options::new().send_high_water_mark(3),
        TCP,
    );
    let (proxy, client, server) = captured(&context, capture);
    for _ in 0..50 {
        round_trip(&client, &server);
    }
    let counted = until("all are counted", || {
        let counted = proxy.handle.statistics();
        (counted.frontend.messages_sent == 50).then_some(counted)
    });
    assert_eq!((counted.captured, counted.capture_missed), (0, 100));
    // Somebody who does not read.
    let deaf = raw::RawPeer::connect(&real, "PULL", &[]);
    let long = vec![7; 256 << 10];
    let missed = || {
        client.send(&long).unwrap();
        let request = recv(&server);
        server.send(request).unwrap();
        recv(&client);
        let counted = proxy.handle.statistics();
        (counted.captured > 0 && counted.capture_missed > 110).then_some(counted)
    };
    until("a copy found no room", missed);
    drop(deaf);
    let counted = proxy.stop().statistics();
    let passed = counted.frontend.messages_sent + counted.backend.messages_sent;
    assert_eq!(counted.captured + counted.capture_missed, passed);
}
