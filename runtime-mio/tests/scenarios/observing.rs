//! Looking at a context from outside: everything is shown, and nothing is
//! disturbed or kept alive by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ferromq_mio::{
    AnySocket, CallerState, Context, Endpoint, EndpointState, Options, PeerState, SocketSnapshot,
    SocketState, SocketType,
};

use crate::common::raw::RawPeer;
use crate::common::*;

/// The only socket of this type.
#[track_caller]
fn the(context: &Context, socket_type: SocketType) -> SocketSnapshot {
    let mut found = context.sockets();
    found.retain(|socket| socket.socket_type == socket_type);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// An endpoint where nobody listens.
fn nowhere() -> Endpoint {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().into()
}

over_tcp_and_ipc! {
    fn a_socket_shows_its_name_its_endpoints_and_its_peers(endpoint) {
        let context = context();
        let (router, dealer) = linked(
            &context,
            endpoint,
            (SocketType::Router, Options::new().name("sink")),
            (SocketType::Dealer, Options::new().name("source").identity("me")),
        );
        dealer.send("12345").unwrap();
        recv(&router);

        let (sink, source) = (the(&context, SocketType::Router), the(&context, SocketType::Dealer));
        assert_eq!((&*sink.name, &*source.name), ("sink", "source"));
        assert_ne!(sink.id, source.id);
        assert_eq!((sink.state, source.state), (SocketState::Open, SocketState::Open));
        let (bound, connected) = (&sink.endpoints[0], &source.endpoints[0]);
        assert_eq!((sink.endpoints.len(), source.endpoints.len()), (1, 1));
        assert_eq!(bound.endpoint, connected.endpoint);
        assert_eq!((bound.state, connected.state), (EndpointState::Listening, EndpointState::Connected));
        assert_eq!((bound.connections, connected.connections), (1, 1));
        assert_eq!((bound.reconnects(), connected.reconnects()), (0, 0));
        let peer = &sink.statistics.peers[0];
        assert_eq!((&peer.identity[..], peer.state), (&b"me"[..], PeerState::Connected));
        assert_eq!(sink.statistics, router.statistics());
        assert_eq!(source.statistics, dealer.statistics());
        assert_eq!(peer.traffic.messages_received, 1);
        assert_eq!(source.statistics.traffic.bytes_sent, 5);
    }

    fn what_waits_is_shown_on_both_sides(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().receive_high_water_mark(10)),
            (SocketType::Push, Options::new().send_high_water_mark(1 << 20)),
        );
        // More than the transport takes, so that some waits on either side.
        let body = vec![b'x'; 1000];
        for _ in 0..20_000 {
            push.send(&body[..]).unwrap();
        }
        let waiting = until("the I/O thread has read up to the mark", || {
            let peer = the(&context, SocketType::Pull).statistics.peers.remove(0);
            (peer.received_messages == 10).then_some(peer)
        });
        assert!(waiting.received_bytes >= 10_000, "{waiting:?}");
        let queued = the(&context, SocketType::Push).statistics.peers.remove(0);
        assert!(queued.queued_messages > 0, "{queued:?}");
        assert!(queued.queued_bytes >= queued.queued_messages * 1000, "{queued:?}");
        assert_eq!(the(&context, SocketType::Pull).caller, CallerState::Away);
        for _ in 0..20_000 {
            assert_eq!(recv(&pull).body_len(), 1000);
        }
        let peer = the(&context, SocketType::Pull).statistics.peers.remove(0);
        assert_eq!((peer.received_messages, peer.received_bytes), (0, 0));
    }

    fn looking_is_no_call(endpoint) {
        let context = context();
        let (_pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        push.send("unasked for").unwrap();
        // It would not, if looking made the application seem present.
        until("the I/O thread has read for an application that is away", || {
            let peer = the(&context, SocketType::Pull).statistics.peers.remove(0);
            (peer.received_messages == 1).then_some(())
        });
    }

    fn a_closed_socket_is_shown_while_it_lingers(endpoint) {
        let context = context();
        let (pull, push) = linked(
            &context,
            endpoint,
            (SocketType::Pull, Options::new().receive_high_water_mark(1)),
            (SocketType::Push, Options::new().send_high_water_mark(0)),
        );
        for _ in 0..20_000 {
            push.send(&[7; 1000]).unwrap();
        }
        drop(push);
        let lingering = the(&context, SocketType::Push);
        assert_eq!(lingering.state, SocketState::Closed);
        assert!(lingering.statistics.peers[0].queued_messages > 0);
        for _ in 0..20_000 {
            recv(&pull);
        }
        until("it is gone", || (context.sockets().len() == 1).then_some(()));
    }
}

#[test]
fn an_endpoint_without_anybody_is_retried_and_says_why() {
    let _watchdog = Watchdog::start();
    let context = context();
    let hour = Duration::from_secs(3600);
    let options = Options::new()
        .reconnect_interval(hour, hour)
        .linger(Some(Duration::ZERO));
    let push = connected(&context, SocketType::Push, options, &nowhere().to_string());
    push.send("waits").unwrap();
    let endpoint = until("the first attempt has failed", || {
        let endpoint = the(&context, SocketType::Push).endpoints.remove(0);
        endpoint.failure.is_some().then_some(endpoint)
    });
    assert!(
        matches!(endpoint.state, EndpointState::Retrying { pause } if pause > hour / 4),
        "{endpoint:?}"
    );
    let cause = endpoint.failure.unwrap();
    assert!(cause.contains("nothing accepts connections"), "{cause}");
    let peer = the(&context, SocketType::Push).statistics.peers.remove(0);
    assert_eq!(
        (peer.state, peer.address, peer.queued_messages),
        (PeerState::Unconnected, None, 1)
    );
}

#[test]
fn reconnections_are_counted_also_where_peers_are_forgotten() {
    let _watchdog = Watchdog::start();
    let context = context();
    let soon = Duration::from_millis(1);
    for socket_type in [SocketType::Push, SocketType::Router] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::from(listener.local_addr().unwrap()).to_string();
        let options = Options::new()
            .reconnect_interval(soon, soon)
            .linger(Some(Duration::ZERO));
        let socket = connected(&context, socket_type, options, &endpoint);
        let peer_type = match socket_type {
            SocketType::Push => "PULL",
            _ => "DEALER",
        };
        for reconnects in 0..3 {
            let _peer = RawPeer::accept(&listener, peer_type);
            until("the connection counts", || {
                let _ = socket.readiness();
                let endpoint = the(&context, socket_type).endpoints.remove(0);
                (endpoint.state == EndpointState::Connected && endpoint.reconnects() == reconnects)
                    .then_some(())
            });
        }
    }
}

#[test]
fn an_observer_keeps_nothing_alive() {
    let _watchdog = Watchdog::start();
    /// Tells that it was dropped.
    struct Told(Arc<AtomicBool>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let context = context();
    let dropped = Arc::new(AtomicBool::new(false));
    context.keep(Told(dropped.clone()));
    let observer = context.observer();
    assert!(observer.is_same(&context.observer()));
    let (pull, _) = bound(&context, SocketType::Pull, Options::new(), "ipc://*");
    assert_eq!(observer.sockets().len(), 1);
    drop(context);
    // The socket keeps the context.
    assert_eq!(observer.sockets()[0].endpoints.len(), 1);
    assert!(!dropped.load(Ordering::Relaxed));
    drop(pull);
    assert!(dropped.load(Ordering::Relaxed));
    assert_eq!(observer.sockets(), []);
}

#[test]
fn looking_all_the_time_disturbs_no_message() {
    const MESSAGES: u64 = 100_000;
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, push) = linked(
        &context,
        "ipc://*",
        (SocketType::Pull, Options::new()),
        (SocketType::Push, Options::new()),
    );
    let observer = context.observer();
    let sender = std::thread::spawn(move || {
        (0..MESSAGES).for_each(|number| push.send_bytes(&number.to_le_bytes()).unwrap());
    });
    let receiver = std::thread::spawn(move || {
        (0..MESSAGES).for_each(|number| assert_eq!(recv_number(&pull), number));
        pull.statistics()
    });
    let received = |socket: &SocketSnapshot| socket.statistics.traffic.messages_received;
    let mut last = 0;
    while !receiver.is_finished() {
        let now = observer.sockets().iter().map(received).max().unwrap_or(0);
        assert!(now >= last || now == 0, "{now} after {last}");
        last = now;
    }
    sender.join().unwrap();
    let end = receiver.join().unwrap();
    assert_eq!(end.traffic.messages_received, MESSAGES);
}

#[test]
fn a_name_is_no_novel() {
    let context = context();
    let make = |len| context.any_socket(SocketType::Pull, Options::new().name("x".repeat(len)));
    let refused = make(256).map(|_: AnySocket| ()).unwrap_err();
    assert_eq!(refused.to_string(), "option name: longer than 255 bytes");
    make(255).unwrap();
}
