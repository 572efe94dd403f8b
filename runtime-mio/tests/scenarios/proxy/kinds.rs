//! Every kind of proxy does for its peers what a direct connection would.

use ferromq_mio::{AnySocket, Frame, Message, Options, Proxy, SocketType};

use super::*;

const COUNT: u64 = 100_000;

/// Replies to `count` requests with what they said, and its own name.
fn serve(server: &AnySocket, count: usize, name: &str) {
    for _ in 0..count {
        let request = recv_text(server);
        server.send([&request[..], name]).unwrap();
    }
}

over_every_transport! {
    fn a_broker_brings_each_reply_to_whom_it_belongs(front, back) {
        let context = context();
        let (proxy, front, back) =
            between(&context, (SocketType::Router, front), (SocketType::Dealer, back));
        let servers: Vec<_> = ["one", "two"].map(|name| {
            let server = connected(&context, SocketType::Rep, Options::new(), &back);
            await_peers(&server, 1);
            std::thread::spawn(move || serve(&server, 300, name))
        }).into();
        let clients: Vec<_> = (0..3).map(|client| {
            let req = connected(&context, SocketType::Req, Options::new(), &front);
            std::thread::spawn(move || {
                for number in 0..200 {
                    let asked = format!("{client}/{number}");
                    req.send(&asked).unwrap();
                    let reply = recv_parts(&req);
                    assert_eq!((reply.len(), &reply[0][..]), (2, asked.as_bytes()));
                }
            })
        }).collect();
        for thread in clients.into_iter().chain(servers) {
            thread.join().unwrap();
        }
        let counted = proxy.stop().statistics();
        assert_eq!((counted.frontend.messages_received, counted.backend.messages_sent), (600, 600));
        assert_eq!((counted.backend.messages_received, counted.frontend.messages_sent), (600, 600));
        assert_eq!(counted.refused, 0);
    }

    fn a_forwarder_asks_publishers_for_what_its_subscribers_want(front, back) {
        let context = context();
        let (proxy, front, back) =
            between(&context, (SocketType::XSub, front), (SocketType::XPub, back));
        let origin = connected(&context, SocketType::XPub, Options::new(), &front);
        await_peers(&origin, 1);
        let (red, all) = (
            connected(&context, SocketType::Sub, Options::new(), &back),
            connected(&context, SocketType::Sub, Options::new(), &back),
        );
        red.subscribe("red").unwrap();
        assert_eq!(recv_parts(&origin), [b"\x01red"]);
        origin.send("blue, for nobody").unwrap();
        all.subscribe("").unwrap();
        assert_eq!(recv_parts(&origin), [b"\x01"]);
        origin.send("blue").unwrap();
        origin.send(["red", "rose"]).unwrap();
        assert_eq!(recv_parts(&red), [&b"red"[..], b"rose"]);
        assert_eq!(recv_parts(&all), [b"blue"]);
        assert_eq!(recv_parts(&all), [&b"red"[..], b"rose"]);
        red.unsubscribe("red").unwrap();
        assert_eq!(recv_parts(&origin), [b"\x00red"]);
        // Who leaves without a word has his subscriptions taken back.
        drop(all);
        assert_eq!(recv_parts(&origin), [b"\x00"]);
        let counted = proxy.stop().statistics();
        // What nobody had subscribed to was not even sent.
        assert_eq!((counted.frontend.messages_received, counted.backend.messages_received), (2, 4));
    }

    fn a_streamer_passes_every_task_on_in_order(front, back) {
        let context = context();
        let (proxy, front, back) =
            between(&context, (SocketType::Pull, front), (SocketType::Push, back));
        let push = connected(&context, SocketType::Push, Options::new(), &front);
        let pull = connected(&context, SocketType::Pull, Options::new(), &back);
        let sender = std::thread::spawn(move || {
            for number in 0..COUNT {
                match number % 10 {
                    0 => push.send([&number.to_le_bytes()[..], b"", b"more"]).unwrap(),
                    _ => push.send(&number.to_le_bytes()).unwrap(),
                }
            }
        });
        for expected in 0..COUNT {
            let message = recv(&pull);
            assert_eq!(number(&message), expected);
            assert_eq!(message.len(), if expected % 10 == 0 { 3 } else { 1 });
        }
        sender.join().unwrap();
        let counted = proxy.stop().statistics();
        let bytes = COUNT * 8 + COUNT / 10 * 4;
        assert_eq!((counted.frontend.messages_received, counted.backend.messages_sent), (COUNT, COUNT));
        assert_eq!((counted.frontend.bytes_received, counted.backend.bytes_sent), (bytes, bytes));
        assert_eq!(counted.backend.messages_received + counted.frontend.messages_sent, 0);
    }

    fn envelopes_stay_as_they_are(front, back) {
        let context = context();
        let (proxy, front, back) =
            between(&context, (SocketType::Router, front), (SocketType::Dealer, back));
        let named = |name: &str| Options::new().identity(name);
        let dealer = connected(&context, SocketType::Dealer, named("client"), &front);
        let router = connected(&context, SocketType::Router, Options::new(), &back);
        let body = [&b"outer"[..], b"inner", b"", b"body", b""];
        dealer.send(&body[..]).unwrap();
        let mut request = recv(&router);
        let proxy_identity = request.pop_front().unwrap();
        let frames: Vec<_> = request.iter().map(|frame| frame.to_vec()).collect();
        assert_eq!(frames, [&[&b"client"[..]], &body[..]].concat());
        request.push_front(proxy_identity);
        router.send(request).unwrap();
        assert_eq!(recv_parts(&dealer), body);
        proxy.stop();
    }
}

#[test]
fn a_proxy_works_either_way_round() {
    let _watchdog = Watchdog::start();
    let context = context();
    let any = "tcp://127.0.0.1:*";
    let (proxy, front, back) = between(&context, (SocketType::Push, any), (SocketType::Pull, any));
    let pull = connected(&context, SocketType::Pull, Options::new(), &front);
    let push = connected(&context, SocketType::Push, Options::new(), &back);
    push.send("backwards").unwrap();
    assert_eq!(recv_text(&pull), "backwards");
    let counted = proxy.stop().statistics();
    assert_eq!(
        (
            counted.backend.messages_received,
            counted.frontend.messages_sent
        ),
        (1, 1)
    );
}

#[test]
fn publishers_and_subscribers_can_be_the_sides_too() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (sub, front) = bound(&context, SocketType::Sub, Options::new(), "ipc://*");
    sub.subscribe("a").unwrap();
    let (publisher, back) = bound(&context, SocketType::Pub, Options::new(), "ipc://*");
    let proxy = Running::start(Proxy::builder(sub, publisher).build().unwrap());
    let origin = connected(&context, SocketType::XPub, Options::new(), &front);
    assert_eq!(recv_parts(&origin), [b"\x01a"]);
    let reader = connected(&context, SocketType::Sub, Options::new(), &back);
    reader.subscribe("").unwrap();
    // A PUB does not tell of its subscribers.
    until("the subscription is in force", || {
        origin.send("abc").unwrap();
        reader.try_recv().ok()
    });
    proxy.stop();
}

#[test]
fn two_dealers_share_what_comes_both_ways() {
    let _watchdog = Watchdog::start();
    let context = context();
    let any = "tcp://127.0.0.1:*";
    let (proxy, front, back) = between(
        &context,
        (SocketType::Dealer, any),
        (SocketType::Dealer, any),
    );
    let one = connected(&context, SocketType::Dealer, Options::new(), &front);
    let other = connected(&context, SocketType::Dealer, Options::new(), &back);
    for number in 0..1000_u64 {
        one.send(&number.to_le_bytes()).unwrap();
        other.send(&(number + 5000).to_le_bytes()).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(recv_number(&other), number);
        assert_eq!(recv_number(&one), number + 5000);
    }
    proxy.stop();
}

#[test]
fn the_draft_types_pass_too() {
    let _watchdog = Watchdog::start();
    let context = context();
    let any = "tcp://127.0.0.1:*";
    let (proxy, front, back) = between(
        &context,
        (SocketType::Server, any),
        (SocketType::Dealer, any),
    );
    let echo = connected(&context, SocketType::Dealer, Options::new(), &back);
    let clients = ["one", "two"].map(|name| {
        let client = connected(&context, SocketType::Client, Options::new(), &front);
        client.send(name).unwrap();
        client
    });
    for _ in 0..2 {
        let request = recv(&echo);
        assert_eq!(request.len(), 2);
        echo.send(request).unwrap();
    }
    assert_eq!(clients.each_ref().map(recv_text), ["one", "two"]);
    // A reply that no SERVER can send.
    echo.send(["a", "b", "c"]).unwrap();
    until("it is refused", || {
        (proxy.handle.statistics().refused == 1).then_some(())
    });
    proxy.stop();

    let (proxy, front, back) = between(
        &context,
        (SocketType::Gather, any),
        (SocketType::Scatter, any),
    );
    let source = connected(&context, SocketType::Scatter, Options::new(), &front);
    let sink = connected(&context, SocketType::Gather, Options::new(), &back);
    for number in 0..1000_u64 {
        source.send(&number.to_le_bytes()).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(recv_number(&sink), number);
    }
    proxy.stop();
}

#[test]
fn one_socket_on_both_sides_returns_what_comes() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (router, real) = bound(
        &context,
        SocketType::Router,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let proxy = Running::start(Proxy::builder(router.clone(), router).build().unwrap());
    let dealers = [0, 1].map(|_| connected(&context, SocketType::Dealer, Options::new(), &real));
    for number in 0..500_u64 {
        for (dealer, odd) in dealers.iter().zip([0, 1]) {
            dealer.send(&(2 * number + odd).to_le_bytes()).unwrap();
        }
    }
    for number in 0..500_u64 {
        for (dealer, odd) in dealers.iter().zip([0, 1]) {
            assert_eq!(recv_number(dealer), 2 * number + odd);
        }
    }
    let counted = proxy.stop().statistics();
    assert_eq!(
        (
            counted.frontend.messages_received,
            counted.backend.messages_sent
        ),
        (1000, 1000)
    );
}

#[test]
fn a_long_body_passes_without_a_copy() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (proxy, front, back) = between(
        &context,
        (SocketType::Pull, "inproc://front"),
        (SocketType::Push, "inproc://back"),
    );
    let push = connected(&context, SocketType::Push, Options::new(), &front);
    let pull = connected(&context, SocketType::Pull, Options::new(), &back);
    let body = Frame::from(vec![7; 1 << 20]);
    push.send(Message::from([Frame::from("head"), body.clone()]))
        .unwrap();
    let message = recv(&pull);
    assert_eq!(message.frame(1).unwrap().as_ptr(), body.as_ptr());
    proxy.stop();
}

#[test]
fn sockets_that_do_not_fit_are_refused_by_name() {
    let _watchdog = Watchdog::start();
    let context = context();
    let socket = |socket_type| context.any_socket(socket_type, Options::new()).unwrap();
    let refused = |builder: ferromq_mio::ProxyBuilder| builder.build().unwrap_err().to_string();
    let sides = |front, back| Proxy::builder(socket(front), socket(back));
    use SocketType::{Dealer, Pub, Pull, Push, Rep, Req, Router, Sub, XPub};
    assert_eq!(
        refused(sides(Rep, Req)),
        "a REP socket cannot be the frontend of a proxy: \
         it lets one request through at a time; ROUTER and DEALER let all"
    );
    for (front, back) in [(Pull, Sub), (Push, Pub), (Pull, Pull)] {
        let expected = format!(
            "nothing passes between a {} frontend and a {} backend",
            front.name(),
            back.name()
        );
        assert_eq!(refused(sides(front, back)), expected);
    }
    assert_eq!(
        refused(sides(Router, Dealer).capture(socket(Pull))),
        "a PULL socket cannot be the capture of a proxy: PUB, XPUB, PUSH, DEALER and PAIR can"
    );
    assert_eq!(
        refused(sides(Router, Dealer).control(socket(XPub))),
        "a XPUB socket cannot be the control of a proxy: PAIR, REP, SUB and PULL can"
    );
    let pull = socket(Pull);
    assert_eq!(
        refused(Proxy::builder(pull.clone(), socket(Push)).control(pull)),
        "the control is also the frontend"
    );
    let pull = socket(Pull);
    assert_eq!(
        refused(Proxy::builder(pull.clone(), pull)),
        "nothing passes between a PULL frontend and a PULL backend"
    );
}
