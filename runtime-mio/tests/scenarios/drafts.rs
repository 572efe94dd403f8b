//! CLIENT and SERVER, PEER, SCATTER and GATHER, RADIO and DISH, CHANNEL.

use std::net::TcpListener;
use std::time::Duration;

use ferromq_mio::{
    AnySocket, Context, DropCause, Error, EventKind, GroupError, Message, Options, Peer, Server,
    SocketType,
};

use crate::common::raw::{Incoming, RawPeer};
use crate::common::*;

const BODY: usize = 100_000;

fn quick() -> Options {
    let options = Options::new().linger(Some(Duration::ZERO));
    options.reconnect_interval(Duration::from_millis(5), Duration::from_millis(20))
}

fn pair_of(
    context: &Context,
    endpoint: &str,
    bound: SocketType,
    connected: SocketType,
) -> (AnySocket, AnySocket) {
    linked(context, endpoint, (bound, quick()), (connected, quick()))
}

/// The routing id and the body of the next message.
fn recv_routed(socket: impl AsRef<AnySocket>) -> (Vec<u8>, Vec<u8>) {
    let [routing_id, body] = recv_parts(socket).try_into().unwrap();
    assert_eq!(routing_id.len(), 4);
    assert_ne!(routing_id, [0; 4]);
    (routing_id, body)
}

/// Sends until the message has come out at the other end: a RADIO drops what
/// it sends before it has read the JOIN.
fn send_until_received(radio: &AnySocket, dish: &AnySocket, message: [&str; 2]) {
    until("the group has a member", || {
        radio.send(message).unwrap();
        dish.recv_timeout(Duration::from_millis(5)).ok()
    });
    while dish.try_recv().is_ok() {}
}

over_tcp_and_ipc! {
    // 41/CLISRV
    fn clients_and_a_server_talk_by_routing_id(endpoint) {
        let context = context();
        let (server, real) = bound(&context, SocketType::Server, quick(), endpoint);
        let clients = [b"a", b"b"].map(|name| {
            let client = connected(&context, SocketType::Client, quick(), &real);
            client.send_bytes(name).unwrap();
            client
        });
        let mut ids = [Vec::new(), Vec::new()];
        for _ in &clients {
            let (id, name) = recv_routed(&server);
            ids[usize::from(name[0] - b'a')] = id;
        }
        assert_ne!(ids[0], ids[1]);
        for (client, id) in clients.iter().zip(&ids) {
            // As often as it likes, without being asked again.
            for body in ["one", "two"] {
                server.send_parts(&[id, body.as_bytes()]).unwrap();
                assert_eq!(recv_parts(client), [body.as_bytes()]);
            }
            client.send("again").unwrap();
            assert_eq!(recv_routed(&server), (id.clone(), b"again".to_vec()));
        }
    }

    // 51/P2P
    fn a_peer_knows_the_routing_id_before_the_connection(endpoint) {
        let context = context();
        let listens = context.socket_with::<Peer>(quick()).unwrap();
        let real = listens.bind(endpoint).unwrap().to_string();
        let calls = context.socket_with::<Peer>(quick()).unwrap();
        let id = calls.connect_peer(&real).unwrap();
        assert_ne!(id, 0);
        calls.send_parts(&[&id.to_be_bytes(), b"hello"]).unwrap();
        let (caller, body) = recv_routed(&listens);
        assert_eq!(body, b"hello");
        listens.send_parts(&[&caller, b"hello back"]).unwrap();
        assert_eq!(recv_routed(&calls), (id.to_be_bytes().to_vec(), b"hello back".to_vec()));
    }

    // 48/RADIO-DISH
    fn a_dish_receives_the_very_groups_that_it_joined(endpoint) {
        let context = context();
        let (radio, real) = bound(&context, SocketType::Radio, quick(), endpoint);
        let dish = context.any_socket(SocketType::Dish, quick()).unwrap();
        dish.join("before").unwrap();
        dish.connect(&real).unwrap();
        await_peers(&radio, 1);
        dish.join("after").unwrap();
        dish.join("").unwrap();
        send_until_received(&radio, &dish, ["", "the last JOIN is read"]);
        for group in ["bef", "before!", "before", "after", "", "other"] {
            radio.send([group, "body"]).unwrap();
        }
        for group in ["before", "after", ""] {
            assert_eq!(recv_parts(&dish), [group.as_bytes(), b"body"]);
        }
        dish.leave("after").unwrap();
        dish.join("end").unwrap();
        send_until_received(&radio, &dish, ["end", "the LEAVE is read"]);
        let ignored = radio.statistics().drops.of(DropCause::NoPeer);
        radio.send(["after", "body"]).unwrap();
        assert_eq!(radio.statistics().drops.of(DropCause::NoPeer), ignored + 1);
    }

    // 49/SCATTERGATHER
    fn a_scatter_deals_out_in_turn(endpoint) {
        let context = context();
        let (scatter, real) = bound(&context, SocketType::Scatter, quick(), endpoint);
        let gathers = [(); 2].map(|()| connected(&context, SocketType::Gather, quick(), &real));
        await_peers(&scatter, 2);
        for number in 0..6u64 {
            scatter.send_bytes(&number.to_le_bytes()).unwrap();
        }
        for gather in &gathers {
            let first = recv_number(gather);
            assert_eq!([recv_number(gather), recv_number(gather)], [first + 2, first + 4]);
        }
    }

    // 52/CHANNEL
    fn a_channel_has_one_peer_both_ways(endpoint) {
        let context = context();
        let (a, real) = bound(&context, SocketType::Channel, quick(), endpoint);
        let b = connected(&context, SocketType::Channel, quick(), &real);
        await_peers(&a, 1);
        let monitor = a.monitor();
        let late = connected(&context, SocketType::Channel, quick(), &real);
        await_event(&monitor, "of the refusal", |event| {
            matches!(event.kind, EventKind::Refused { .. })
        });
        a.send("there").unwrap();
        b.send("back").unwrap();
        assert_eq!(recv_parts(&b), [b"there"]);
        assert_eq!(recv_parts(&a), [b"back"]);
        drop(late);
    }
}

#[test]
fn within_a_process_the_drafts_talk_as_they_do_outside() {
    let _watchdog = Watchdog::start();
    let context = context();
    for (socket_type, theirs) in [
        (SocketType::Server, SocketType::Client),
        (SocketType::Peer, SocketType::Peer),
    ] {
        let (server, client) = pair_of(&context, "inproc://routed", socket_type, theirs);
        if theirs == SocketType::Client {
            client.send(vec![1; BODY]).unwrap();
        } else {
            let id = client.connect_peer("inproc://routed").unwrap();
            client.send_parts(&[&id.to_be_bytes(), &[1; BODY]]).unwrap();
        }
        let (id, body) = recv_routed(&server);
        assert_eq!(body, [1; BODY]);
        server.send_parts(&[&id, b"reply"]).unwrap();
        assert_eq!(recv_parts(&client).pop().unwrap(), b"reply");
        server.unbind("inproc://routed").unwrap();
    }
    let (radio, dish) = pair_of(&context, "inproc://g", SocketType::Radio, SocketType::Dish);
    dish.join("g").unwrap();
    send_until_received(&radio, &dish, ["g", "joined"]);
    radio.send(["group", "no"]).unwrap();
    radio.send_parts(&[b"g", &[2; BODY]]).unwrap();
    assert_eq!(recv_parts(&dish), [b"g".to_vec(), vec![2; BODY]]);
}

// 41/CLISRV: an error if the queue does not exist.
#[test]
fn a_server_is_told_that_nobody_has_a_routing_id() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (server, client) = pair_of(
        &context,
        "tcp://127.0.0.1:*",
        SocketType::Server,
        SocketType::Client,
    );
    client.send("hello").unwrap();
    let (id, _) = recv_routed(&server);
    client.close();
    let gone = until("the client is gone", || {
        server.send_parts(&[&id, b"reply"]).err()
    });
    assert!(matches!(gone, Error::HostUnreachable { identity } if identity == id));
    for nobody in [&b"\0\0\0\0"[..], b"", b"\0\0\0\0\x01"] {
        let refused = server.send_parts(&[nobody, b"body"]);
        assert!(matches!(refused, Err(Error::HostUnreachable { .. })));
    }
}

// 41/CLISRV: what cannot be queued waits, and is never dropped.
#[test]
fn a_server_waits_for_room_of_the_one_client_that_is_full() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = quick().send_high_water_mark(2);
    let (server, real) = bound(&context, SocketType::Server, options, "tcp://127.0.0.1:*");
    let mut slow = RawPeer::connect(&real, "CLIENT", &[]);
    let mut quick = RawPeer::connect(&real, "CLIENT", &[]);
    slow.send(&[b"slow"]);
    let (slow_id, _) = recv_routed(&server);
    quick.send(&[b"quick"]);
    let (quick_id, _) = recv_routed(&server);
    let body = vec![7; BODY];
    let long = || Message::from([slow_id.clone(), body.clone()]);
    let mut sent = 0;
    let refused = until("the client is full", || {
        let refused = server.try_send(long()).err();
        sent += usize::from(refused.is_none());
        refused
    });
    assert!(matches!(refused.error, Error::WouldBlock));
    assert_eq!(refused.message.frame(0).unwrap(), &slow_id[..]);
    server.send_parts(&[&quick_id, b"not for long"]).unwrap();
    assert_eq!(quick.next_message().unwrap(), [b"not for long"]);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.send(long()));
        for _ in 0..=sent {
            assert_eq!(slow.next_message().unwrap()[0].len(), BODY);
        }
        waiting.join().unwrap().unwrap();
    });
    assert_eq!(server.statistics().drops.total(), 0);
}

#[test]
fn clients_scatters_and_channels_queue_up_to_the_mark() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    for socket_type in [SocketType::Client, SocketType::Scatter, SocketType::Channel] {
        let options = quick().send_high_water_mark(10);
        let socket = connected(&context, socket_type, options, &nowhere);
        let sent = (0..20).take_while(|_| socket.try_send("x").is_ok()).count();
        assert_eq!(sent, 10, "{socket_type}");
        let refused = socket.try_send("x").unwrap_err().error;
        assert!(matches!(refused, Error::WouldBlock));
    }
}

// 51/P2P: the queue is kept whether or not the connection is established.
#[test]
fn a_peer_s_routing_id_outlives_its_connection() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let calls = context.socket_with::<Peer>(quick()).unwrap();
    let monitor = calls.monitor();
    let id = calls.connect_peer(&endpoint).unwrap().to_be_bytes();
    calls.send_parts(&[&id, b"queued"]).unwrap();
    for _ in 0..3 {
        let mut peer = RawPeer::accept(&listener, "PEER");
        assert_eq!(peer.next_message().unwrap().len(), 1);
        peer.send(&[b"in"]);
        assert_eq!(recv_routed(&calls), (id.to_vec(), b"in".to_vec()));
        drop(peer);
        await_event(&monitor, "of the loss", |event| {
            matches!(event.kind, EventKind::Disconnected { .. })
        });
        calls.send_parts(&[&id, b"queued"]).unwrap();
    }
    calls.disconnect(&endpoint).unwrap();
    let refused = calls.send_parts(&[&id, b"nobody"]);
    assert!(matches!(refused, Err(Error::HostUnreachable { .. })));
}

#[test]
fn a_new_connection_is_told_the_groups_that_are_joined_now() {
    let _watchdog = Watchdog::start();
    let context = context();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let dish = connected(&context, SocketType::Dish, quick(), &endpoint);
    let mut radio = RawPeer::accept(&listener, "RADIO");
    await_peers(&dish, 1);
    dish.join("stays").unwrap();
    dish.join("goes").unwrap();
    dish.leave("goes").unwrap();
    assert_eq!(radio.next_command("JOIN"), b"stays");
    assert_eq!(radio.next_command("JOIN"), b"goes");
    assert_eq!(radio.next_command("LEAVE"), b"goes");
    drop(radio);
    let mut radio = RawPeer::accept(&listener, "RADIO");
    assert_eq!(radio.next_command("JOIN"), b"stays");
    dish.join("new").unwrap();
    assert_eq!(radio.next_command("JOIN"), b"new");
}

// 48/RADIO-DISH: drop for the dish whose queue is full, and never block.
#[test]
fn a_dish_that_does_not_read_loses_messages_and_stops_nobody() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = quick().send_high_water_mark(2);
    let (radio, real) = bound(&context, SocketType::Radio, options, "tcp://127.0.0.1:*");
    let mut deaf = RawPeer::connect(&real, "DISH", &[]);
    deaf.send_command("JOIN", b"g");
    let dish = connected(&context, SocketType::Dish, quick(), &real);
    dish.join("g").unwrap();
    send_until_received(&radio, &dish, ["g", "joined"]);
    let body = vec![1; BODY];
    until("the deaf one is full", || {
        radio.send_parts(&[b"g", &body]).unwrap();
        assert_eq!(recv_parts(&dish)[1].len(), BODY);
        let lost = radio.statistics().drops.of(DropCause::SubscriberFull);
        (lost > 0).then_some(())
    });
}

// A message of one frame, which a welcome is, would be for no group.
#[test]
fn a_radio_welcomes_nobody() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = quick().welcome_message("hello");
    let (radio, real) = bound(&context, SocketType::Radio, options, "tcp://127.0.0.1:*");
    let mut dish = RawPeer::connect(&real, "DISH", &[]);
    dish.send_command("JOIN", b"g");
    dish.ping(0, b"joined");
    let (name, data) = ("PONG".to_owned(), b"joined".to_vec());
    assert_eq!(dish.next(), Incoming::Command { name, data });
    radio.send(["g", "first"]).unwrap();
    assert_eq!(dish.next_message().unwrap(), [&b"g"[..], b"first"]);
}

#[test]
fn memberships_are_checked() {
    let _watchdog = Watchdog::start();
    let context = context();
    let dish = context.any_socket(SocketType::Dish, quick()).unwrap();
    dish.join([0xFF; 255]).unwrap();
    dish.join("g").unwrap();
    assert!(matches!(dish.join("g"), Err(Error::AlreadyJoined)));
    assert!(matches!(dish.leave("other"), Err(Error::NotJoined)));
    dish.leave("g").unwrap();
    assert!(matches!(dish.leave("g"), Err(Error::NotJoined)));
    dish.join("g").unwrap();
    let too_long = dish.join([1; 256]);
    assert!(matches!(
        too_long,
        Err(Error::Group(GroupError::TooLong { len: 256 }))
    ));
    let (radio, _) = bound(&context, SocketType::Radio, quick(), "tcp://127.0.0.1:*");
    let zero = radio.send(["a\0b", "body"]).unwrap_err();
    assert!(matches!(
        zero.error,
        Error::Group(GroupError::ZeroByte { at: 1 })
    ));
    assert_eq!(zero.message.len(), 2);
}

#[test]
fn messages_have_the_one_frame_that_the_type_sends() {
    let _watchdog = Watchdog::start();
    let context = context();
    let pairs = [
        (SocketType::Client, SocketType::Server, 1),
        (SocketType::Scatter, SocketType::Gather, 1),
        (SocketType::Channel, SocketType::Channel, 1),
        (SocketType::Radio, SocketType::Dish, 2),
        (SocketType::Peer, SocketType::Peer, 2),
        (SocketType::Server, SocketType::Client, 2),
    ];
    for (sends, receives, frames) in pairs {
        // With a peer that has room: what is refused is the shape.
        let (sender, receiver) = pair_of(&context, "tcp://127.0.0.1:*", sends, receives);
        for parts in (1..4).filter(|parts| *parts != frames) {
            let message = Message::from(vec!["x"; parts]);
            let refused = sender.try_send(message).unwrap_err();
            assert_eq!(refused.message.len(), parts);
            match refused.error {
                Error::WrongParts {
                    parts: had, needed, ..
                } => assert_eq!((had, needed), (parts, frames), "{sends}"),
                other => panic!("{sends}: {other}"),
            }
        }
        let empty = sender.try_send(Message::new()).unwrap_err().error;
        assert!(matches!(empty, Error::TooFewParts { parts: 0, .. }));
        assert!(matches!(receiver.try_recv(), Err(Error::WouldBlock)));
    }
}

#[test]
fn calls_of_other_types_are_refused_by_name() {
    let _watchdog = Watchdog::start();
    let context = context();
    let socket = |socket_type| context.any_socket(socket_type, quick()).unwrap();
    let unsupported = |result: Result<(), Error>, wanted| {
        assert!(matches!(result, Err(Error::Unsupported { operation, .. }) if operation == wanted));
    };
    unsupported(socket(SocketType::Sub).join("g"), "join a group");
    unsupported(socket(SocketType::Sub).leave("g"), "leave a group");
    unsupported(socket(SocketType::Dish).subscribe("t"), "subscribe");
    unsupported(socket(SocketType::Dish).unsubscribe("t"), "unsubscribe");
    for mute in [SocketType::Dish, SocketType::Gather] {
        unsupported(socket(mute).send("x").map_err(Error::from), "send");
    }
    for deaf in [SocketType::Radio, SocketType::Scatter] {
        unsupported(socket(deaf).try_recv().map(|_| ()), "receive");
    }
    let server = context.socket_with::<Server>(quick()).unwrap();
    let refused = server.as_ref().connect_peer("tcp://127.0.0.1:1");
    assert!(matches!(refused, Err(Error::Unsupported { .. })));
}
