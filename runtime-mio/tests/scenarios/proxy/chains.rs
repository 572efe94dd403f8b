//! Several proxies in a row, and what happens when somebody on the way goes.

use ferromq_mio::{Context, Options, Proxy, SocketType};

use super::*;

/// Two proxies, the second connected to the first: the outer endpoints.
fn chain(
    context: &Context,
    (front_type, front): (SocketType, &str),
    (back_type, back): (SocketType, &str),
) -> ([Running; 2], String, String) {
    let (frontend, front) = bound(context, front_type, Options::new(), front);
    let (middle, endpoint) = bound(context, back_type, Options::new(), "tcp://127.0.0.1:*");
    let next = connected(context, front_type, Options::new(), &endpoint);
    let (backend, back) = bound(context, back_type, Options::new(), back);
    let first = Proxy::builder(frontend, middle).build().unwrap();
    let second = Proxy::builder(next, backend).build().unwrap();
    ([first, second].map(Running::start), front, back)
}

over_every_transport! {
    fn requests_and_replies_find_their_way_through_two_brokers(front, back) {
        let context = context();
        let (proxies, front, back) =
            chain(&context, (SocketType::Router, front), (SocketType::Dealer, back));
        let server = connected(&context, SocketType::Rep, Options::new(), &back);
        let serving = std::thread::spawn(move || {
            for _ in 0..300 {
                let request = recv(&server);
                server.send(request).unwrap();
            }
        });
        let clients: Vec<_> = (0..3_u64).map(|client| {
            let req = connected(&context, SocketType::Req, Options::new(), &front);
            std::thread::spawn(move || {
                for number in 0..100 {
                    let asked = client * 1000 + number;
                    req.send(&asked.to_le_bytes()).unwrap();
                    assert_eq!(recv_number(&req), asked);
                }
            })
        }).collect();
        for thread in clients.into_iter().chain([serving]) {
            thread.join().unwrap();
        }
        for proxy in proxies {
            assert_eq!(proxy.stop().statistics().frontend.messages_sent, 300);
        }
    }

    fn subscriptions_reach_the_origin_through_two_forwarders(front, back) {
        let context = context();
        let (proxies, front, back) =
            chain(&context, (SocketType::XSub, front), (SocketType::XPub, back));
        let origin = connected(&context, SocketType::XPub, Options::new(), &front);
        let sub = connected(&context, SocketType::Sub, Options::new(), &back);
        sub.subscribe("topic").unwrap();
        assert_eq!(recv_parts(&origin), [b"\x01topic"]);
        for number in 0..500_u64 {
            origin.send("another topic").unwrap();
            origin.send([b"topic", &number.to_le_bytes()[..]]).unwrap();
        }
        for number in 0..500_u64 {
            assert_eq!(recv_parts(&sub), [b"topic", &number.to_le_bytes()[..]]);
        }
        // A second origin that comes late is told what is wanted.
        let late = connected(&context, SocketType::XPub, Options::new(), &front);
        assert_eq!(recv_parts(&late), [b"\x01topic"]);
        late.send(["topic", "late"]).unwrap();
        assert_eq!(recv_parts(&sub), [b"topic", &b"late"[..]]);
        sub.unsubscribe("topic").unwrap();
        assert_eq!(recv_parts(&origin), [b"\x00topic"]);
        for proxy in proxies {
            assert_eq!(proxy.stop().statistics().frontend.messages_received, 501);
        }
    }
}

#[test]
fn a_server_that_is_replaced_goes_on_serving() {
    let _watchdog = Watchdog::start();
    let context = context();
    let any = "tcp://127.0.0.1:*";
    let (frontend, front) = bound(&context, SocketType::Router, Options::new(), any);
    let (server, place) = bound(&context, SocketType::Rep, Options::new(), any);
    let fast = Options::new().reconnect_interval(
        std::time::Duration::from_millis(1),
        std::time::Duration::from_millis(10),
    );
    let backend = connected(&context, SocketType::Dealer, fast, &place);
    let watched = backend.clone();
    let proxy = Running::start(Proxy::builder(frontend, backend).build().unwrap());
    let client = connected(&context, SocketType::Req, Options::new(), &front);
    let mut server = Some(server);
    for round in 0..5_u64 {
        let serving = server.take().unwrap_or_else(|| {
            let again = context.any_socket(SocketType::Rep, Options::new()).unwrap();
            until("the place is free", || again.bind(&place).ok());
            again
        });
        client.send(&round.to_le_bytes()).unwrap();
        let request = recv(&serving);
        serving.send(request).unwrap();
        assert_eq!(recv_number(&client), round);
        serving.close();
        until("the server is missed", || {
            (watched.statistics().connected() == 0).then_some(())
        });
    }
    assert_eq!(proxy.stop().statistics().refused, 0);
}

#[test]
fn a_client_that_is_gone_holds_nobody_up() {
    let _watchdog = Watchdog::start();
    let context = context();
    let any = "tcp://127.0.0.1:*";
    let (frontend, front) = bound(&context, SocketType::Router, Options::new(), any);
    let (backend, back) = bound(&context, SocketType::Dealer, Options::new(), any);
    let watched = frontend.clone();
    let proxy = Running::start(Proxy::builder(frontend, backend).build().unwrap());
    let server = connected(&context, SocketType::Rep, Options::new(), &back);
    let hasty = connected(&context, SocketType::Req, Options::new(), &front);
    hasty.send("who will hear the answer").unwrap();
    let request = recv(&server);
    drop(hasty);
    until("the client is missed", || {
        (watched.statistics().connected() == 0).then_some(())
    });
    server.send(request).unwrap();
    let patient = connected(&context, SocketType::Req, Options::new(), &front);
    patient.send("anybody").unwrap();
    assert_eq!(recv_text(&server), "anybody");
    server.send("yes").unwrap();
    assert_eq!(recv_text(&patient), "yes");
    proxy.stop();
    assert_eq!(
        watched
            .statistics()
            .drops
            .of(ferromq_mio::DropCause::Unroutable),
        1
    );
}
