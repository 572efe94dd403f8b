//! Every socket type talks to every type that it may talk to.

use ferromq_mio::{Context, Error, Frame, Message, Options, SocketType, StateError};

use crate::common::*;

fn plain(socket_type: SocketType) -> (SocketType, Options) {
    (socket_type, Options::new())
}

fn pair_of(
    context: &Context,
    endpoint: &str,
    bound: SocketType,
    connected: SocketType,
) -> (ferromq_mio::AnySocket, ferromq_mio::AnySocket) {
    linked(context, endpoint, plain(bound), plain(connected))
}

over_tcp_and_ipc! {
    fn push_and_pull_keep_the_order_of_a_flood(endpoint) {
        let context = context();
        let (pull, push) = pair_of(&context, endpoint, SocketType::Pull, SocketType::Push);
        let sender = std::thread::spawn(move || {
            for number in 0..50_000_u64 {
                push.send_bytes(&number.to_le_bytes()).unwrap();
            }
        });
        for number in 0..50_000 {
            assert_eq!(recv_number(&pull), number);
        }
        sender.join().unwrap();
    }

    // H86
    fn push_alternates_and_pull_is_fair(endpoint) {
        let context = context();
        let (push, real) = bound(&context, SocketType::Push, Options::new(), endpoint);
        let pulls = [(); 2].map(|()| connected(&context, SocketType::Pull, Options::new(), &real));
        await_peers(&push, 2);
        for number in 0..100_u64 {
            push.send_bytes(&number.to_le_bytes()).unwrap();
        }
        let mut all: Vec<u64> = Vec::new();
        for pull in &pulls {
            let got: Vec<_> = (0..50).map(|_| recv_number(pull)).collect();
            assert!(got.windows(2).all(|pair| pair[1] == pair[0] + 2), "{got:?}");
            all.extend(got);
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..100));
    }

    // H87
    fn pair_talks_both_ways_and_refuses_a_second_peer(endpoint) {
        let context = context();
        let (one, real) = bound(&context, SocketType::Pair, Options::new(), endpoint);
        let two = connected(&context, SocketType::Pair, Options::new(), &real);
        await_peers(&one, 1);
        let monitor = one.monitor();
        let _third = connected(&context, SocketType::Pair, Options::new(), &real);
        await_event(&monitor, "of a refusal", |event| {
            matches!(event.kind, ferromq_mio::EventKind::Refused { .. })
        });
        one.send(["to", "two"]).unwrap();
        two.send("to one").unwrap();
        assert_eq!(recv_parts(&two), [b"to".to_vec(), b"two".to_vec()]);
        assert_eq!(recv_parts(&one), [b"to one"]);
    }

    // F53, F54
    fn req_and_rep_take_turns(endpoint) {
        let context = context();
        let (rep, req) = pair_of(&context, endpoint, SocketType::Rep, SocketType::Req);
        for round in 0..200_u64 {
            assert!(matches!(rep.send("early").unwrap_err().error,
                Error::State(StateError::NoRequestReceived)));
            assert!(matches!(req.try_recv(), Err(Error::State(StateError::NoRequestSent))));
            req.send(vec![b"ask".to_vec(), round.to_le_bytes().to_vec()]).unwrap();
            assert!(matches!(req.send("again").unwrap_err().error,
                Error::State(StateError::AwaitingReply)));
            let request = recv(&rep);
            assert_eq!(request.len(), 2);
            assert!(matches!(rep.try_recv(), Err(Error::State(StateError::ReplyPending))));
            rep.send(request).unwrap();
            assert_eq!(recv_parts(&req), [b"ask".to_vec(), round.to_le_bytes().to_vec()]);
        }
    }

    fn req_talks_to_router_and_dealer_to_rep(endpoint) {
        let context = context();
        let (router, req) = pair_of(&context, endpoint, SocketType::Router, SocketType::Req);
        req.send("question").unwrap();
        let request = recv_parts(&router);
        assert_eq!((request.len(), &request[1][..], &request[2][..]), (3, &b""[..], &b"question"[..]));
        router.send(vec![request[0].clone(), vec![], b"answer".to_vec()]).unwrap();
        assert_eq!(recv_parts(&req), [b"answer"]);

        let (rep, dealer) = pair_of(&context, endpoint, SocketType::Rep, SocketType::Dealer);
        for _ in 0..3 {
            dealer.send(["a", "b", "", "body"]).unwrap();
        }
        for _ in 0..3 {
            assert_eq!(recv_parts(&rep), [b"body"]);
            rep.send("done").unwrap();
            // F58: the whole envelope comes back.
            assert_eq!(recv_parts(&dealer), [&b"a"[..], b"b", b"", b"done"]);
        }
    }

    // F62
    fn routers_tell_anonymous_and_named_peers_apart(endpoint) {
        let context = context();
        let (router, real) = bound(&context, SocketType::Router, Options::new(), endpoint);
        let named = connected(&context, SocketType::Dealer, Options::new().identity("me"), &real);
        let anonymous = connected(&context, SocketType::Dealer, Options::new(), &real);
        await_peers(&router, 2);
        named.send(["", "from me"]).unwrap();
        assert_eq!(recv_parts(&router), [&b"me"[..], b"", b"from me"]);
        anonymous.send("from nobody").unwrap();
        let message = recv_parts(&router);
        assert_eq!((message[0].len(), message[0][0]), (5, 0));
        router.send(vec![message[0].clone(), b"hello nobody".to_vec()]).unwrap();
        router.send(["me", "hello me"]).unwrap();
        assert_eq!(recv_parts(&anonymous), [b"hello nobody"]);
        assert_eq!(recv_parts(&named), [b"hello me"]);
    }

    // G71
    fn subscribers_get_what_they_subscribed_to(endpoint) {
        let context = context();
        let (publisher, real) = bound(&context, SocketType::XPub, Options::new(), endpoint);
        let subscriber = connected(&context, SocketType::Sub, Options::new(), &real);
        subscriber.subscribe("a").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01a"]);
        for topic in ["b", "abc", "", "a"] {
            publisher.send([topic, "body"]).unwrap();
        }
        assert_eq!(recv_parts(&subscriber), [b"abc".to_vec(), b"body".to_vec()]);
        assert_eq!(recv_parts(&subscriber), [b"a".to_vec(), b"body".to_vec()]);
        subscriber.unsubscribe("a").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x00a"]);
    }

    fn pub_reaches_xsub_after_its_subscription_message(endpoint) {
        let context = context();
        let (publisher, subscriber) = pair_of(&context, endpoint, SocketType::XPub, SocketType::XSub);
        subscriber.send(b"\x01news").unwrap();
        assert_eq!(recv_parts(&publisher), [b"\x01news"]);
        publisher.send("news of today").unwrap();
        assert_eq!(recv_parts(&subscriber), [b"news of today"]);
        // G83: anything else travels upstream as it is.
        subscriber.send(["up", "stream"]).unwrap();
        assert_eq!(recv_parts(&publisher), [b"up".to_vec(), b"stream".to_vec()]);
    }

    // B19
    fn multipart_messages_arrive_whole_with_all_sizes(endpoint) {
        let context = context();
        let (pull, push) = pair_of(&context, endpoint, SocketType::Pull, SocketType::Push);
        let sizes = [0, 1, 255, 256, 4095, 8192, 32 << 10, (32 << 10) + 1, 100_000, 1 << 20];
        let message: Message = sizes
            .iter()
            .map(|&len| Frame::from((0..len).map(|at| (at * 7 + len) as u8).collect::<Vec<u8>>()))
            .collect();
        let copy = message.clone();
        let sender = std::thread::spawn(move || {
            for _ in 0..20 {
                push.send(copy.clone()).unwrap();
                push.send("between").unwrap();
                let parts: Vec<&[u8]> = copy.iter().map(|frame| &frame[..]).collect();
                push.send_parts(&parts).unwrap();
            }
        });
        for _ in 0..20 {
            assert!(recv(&pull) == message);
            assert_eq!(recv_parts(&pull), [b"between"]);
            assert!(recv(&pull) == message);
        }
        sender.join().unwrap();
    }

    fn large_bodies_are_aligned_and_intact(endpoint) {
        let context = context();
        let (pull, push) = pair_of(&context, endpoint, SocketType::Pull, SocketType::Push);
        let body: Vec<u8> = (0..20_000_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let copy = body.clone();
        let sender = std::thread::spawn(move || {
            push.send_bytes(&copy).unwrap();
            push.send(vec![b"head".to_vec(), copy, b"tail".to_vec()]).unwrap();
        });
        assert!(recv(&pull).frame(0).unwrap()[..] == body[..]);
        let message = recv(&pull);
        let frame = message.frame(1).unwrap();
        assert!(frame[..] == body[..]);
        assert_eq!(frame.as_ptr() as usize % 64, 0);
        assert_eq!(&message.frame(2).unwrap()[..], b"tail");
        sender.join().unwrap();
    }

    // H89
    fn conflate_keeps_the_last_message_only(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().conflate(true)),
            plain(SocketType::Push),
        );
        for number in 0..100_u64 {
            push.send_bytes(&number.to_le_bytes()).unwrap();
        }
        // Away, the socket reads on; the last number may take a moment.
        let mut seen = Vec::new();
        while seen.last() != Some(&99) {
            seen.push(recv_number(&pull));
        }
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
        let dropped = pull.statistics().drops.of(ferromq_mio::DropCause::Conflated);
        assert_eq!(dropped, 100 - seen.len() as u64);
    }
}

#[test]
fn wrong_directions_are_refused() {
    let context = context();
    let socket = |socket_type| context.any_socket(socket_type, Options::new()).unwrap();
    let unsupported = |error| matches!(error, Error::Unsupported { .. });
    assert!(unsupported(
        socket(SocketType::Pull).send("x").unwrap_err().error
    ));
    assert!(unsupported(
        socket(SocketType::Sub).send("x").unwrap_err().error
    ));
    assert!(unsupported(
        socket(SocketType::Push).try_recv().unwrap_err()
    ));
    assert!(unsupported(socket(SocketType::Pub).try_recv().unwrap_err()));
    assert!(unsupported(
        socket(SocketType::Push).subscribe("x").unwrap_err()
    ));
}

#[test]
fn an_empty_message_is_refused_and_one_empty_frame_is_not() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, push) = pair_of(
        &context,
        "tcp://127.0.0.1:*",
        SocketType::Pull,
        SocketType::Push,
    );
    assert!(matches!(
        push.send(Message::new()).unwrap_err().error,
        Error::TooFewParts { .. }
    ));
    push.send("").unwrap();
    assert_eq!(recv_parts(&pull), [b""]);
}
