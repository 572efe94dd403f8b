//! What becomes of messages when sockets and contexts go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ferromq_mio::{DropCause, EventKind, Frame, Message, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

/// Numbers of `count` messages, drawn from a socket in another context.
fn receive_all(endpoint: &str, count: u64) -> std::thread::JoinHandle<()> {
    let context = context();
    let pull = context
        .any_socket(SocketType::Pull, Options::new())
        .unwrap();
    pull.bind(endpoint).unwrap();
    std::thread::spawn(move || {
        for number in 0..count {
            assert_eq!(recv_number(&pull), number);
        }
        drop(context);
    })
}

fn free_endpoint(wildcard: &str) -> String {
    let context = context();
    let (socket, real) = bound(&context, SocketType::Pull, Options::new(), wildcard);
    if real.starts_with("ipc") {
        // The directory goes with the socket: take a path next to it.
        return format!("ipc:///tmp/ferromq-{}-{}", std::process::id(), unique());
    }
    drop(socket);
    real
}

fn unique() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

over_tcp_and_ipc! {
    fn dropping_socket_and_context_delivers_everything(endpoint) {
        for (count, size) in [(1, 8), (1000, 8), (30, 10 << 20)] {
            let receiving = context();
            let (pull, real) = bound(&receiving, SocketType::Pull, Options::new(), endpoint);
            let receiver = std::thread::spawn(move || {
                for number in 0..count {
                    let message = recv(&pull);
                    assert_eq!(message.body_len(), size);
                    assert_eq!(number_of(&message), number);
                }
            });
            let sending = context();
            let push = connected(&sending, SocketType::Push, Options::new(), &real);
            for number in 0..count {
                let mut body = number.to_le_bytes().to_vec();
                body.resize(size, 1);
                push.send(body).unwrap();
            }
            drop(push);
            drop(sending);
            receiver.join().unwrap();
        }
    }

    fn what_was_sent_before_anybody_listened_arrives_after_the_drop(endpoint) {
        let endpoint = free_endpoint(endpoint);
        let sending = context();
        let options = Options::new()
            .linger(None)
            .reconnect_interval(Duration::from_millis(5), Duration::from_millis(20));
        let push = connected(&sending, SocketType::Push, options, &endpoint);
        for number in 0..100_u64 {
            push.send_bytes(&number.to_le_bytes()).unwrap();
        }
        let started = Instant::now();
        let (dropped, is_dropped) = std::sync::mpsc::channel();
        let dropping = std::thread::spawn(move || {
            drop(push);
            drop(sending);
            dropped.send(()).unwrap();
        });
        assert!(is_dropped.recv_timeout(Duration::from_millis(100)).is_err());
        receive_all(&endpoint, 100).join().unwrap();
        // The drop ends because all was sent, not because time was over.
        until("the drop is over", || is_dropped.try_recv().ok());
        dropping.join().unwrap();
        assert!(started.elapsed() >= Duration::from_millis(100));
    }

    // H91
    fn linger_zero_discards_and_counts(endpoint) {
        let endpoint = free_endpoint(endpoint);
        let context = context();
        let options = Options::new().linger(Some(Duration::ZERO));
        let push = connected(&context, SocketType::Push, options, &endpoint);
        let monitor = push.monitor();
        for _ in 0..7 {
            push.send("x").unwrap();
        }
        push.close();
        let event = await_event(&monitor, "of the discarded", |event| {
            matches!(event.kind, EventKind::LingerExpired { .. })
        });
        assert_eq!(event.kind, EventKind::LingerExpired { messages: 7 });
        assert_eq!(push.statistics().drops.of(DropCause::Linger), 7);
    }

    fn linger_expires_and_says_how_many_were_lost(endpoint) {
        let endpoint = free_endpoint(endpoint);
        let context = context();
        let linger = Duration::from_millis(50);
        let push = connected(
            &context,
            SocketType::Push,
            Options::new().linger(Some(linger)),
            &endpoint,
        );
        let monitor = push.monitor();
        for _ in 0..3 {
            push.send("x").unwrap();
        }
        let started = Instant::now();
        drop(push);
        await_event(&monitor, "of the discarded", |event| {
            event.kind == EventKind::LingerExpired { messages: 3 }
        });
        assert!(started.elapsed() >= linger);
    }

    fn what_was_received_is_still_there_after_the_peer_went(endpoint) {
        let receiving = context();
        let (pull, real) = bound(&receiving, SocketType::Pull, Options::new(), endpoint);
        let monitor = pull.monitor();
        let sending = context();
        let push = connected(&sending, SocketType::Push, Options::new(), &real);
        for number in 0..900_u64 {
            push.send_bytes(&number.to_le_bytes()).unwrap();
        }
        drop(push);
        drop(sending);
        await_event(&monitor, "of the end", |event| {
            matches!(event.kind, EventKind::Disconnected { .. })
        });
        for number in 0..900 {
            assert_eq!(recv_number(&pull), number);
        }
        until("the peer is forgotten", || {
            assert!(pull.try_recv().is_err());
            pull.statistics().peers.is_empty().then_some(())
        });
    }
}

fn number_of(message: &Message) -> u64 {
    number(message)
}

/// Counts how often each lent buffer comes back.
struct Lender(Arc<AtomicUsize>);

impl Lender {
    fn lend(&self, len: usize) -> Frame {
        let returned = self.0.clone();
        Frame::with_release(vec![5; len], move || {
            returned.fetch_add(1, Ordering::SeqCst);
        })
    }

    #[track_caller]
    fn expect(&self, count: usize) {
        until("every buffer is released", || {
            (self.0.load(Ordering::SeqCst) == count).then_some(())
        });
    }
}

// H96
#[test]
fn lent_buffers_come_back_exactly_once_when_sent_and_when_dropped() {
    let _watchdog = Watchdog::start();
    let lender = Lender(Arc::default());
    let endpoint = free_endpoint("tcp://127.0.0.1:*");
    {
        // Discarded by linger, queued without a peer.
        let context = context();
        let options = Options::new().linger(Some(Duration::ZERO));
        let push = connected(&context, SocketType::Push, options, &endpoint);
        for len in [10, 10_000, 1 << 20] {
            push.send(lender.lend(len)).unwrap();
        }
    }
    lender.expect(3);
    {
        // Sent, and received.
        let context = context();
        let (pull, push) = linked(
            &context,
            "tcp://127.0.0.1:*",
            (SocketType::Pull, Options::new()),
            (SocketType::Push, Options::new()),
        );
        for len in [10, 10_000, 1 << 20] {
            push.send(lender.lend(len)).unwrap();
        }
        for _ in 0..3 {
            recv(&pull);
        }
        lender.expect(6);
        // Refused: it comes back with the error, and is released with it.
        push.close();
        let refused = push.send(lender.lend(9000)).unwrap_err();
        assert_eq!(lender.0.load(Ordering::SeqCst), 6);
        drop(refused);
        lender.expect(7);
    }
    {
        // Stuck in the output of a peer that does not read.
        let context = context();
        let options = Options::new()
            .linger(Some(Duration::ZERO))
            .send_high_water_mark(0);
        let (push, real) = bound(&context, SocketType::Push, options, "tcp://127.0.0.1:*");
        let _peer = RawPeer::connect(&real, "PULL", &[]);
        await_peers(&push, 1);
        for _ in 0..20 {
            push.send(lender.lend(1 << 20)).unwrap();
        }
    }
    lender.expect(27);
}

#[test]
fn a_buffer_may_own_the_context_that_releases_it() {
    let _watchdog = Watchdog::start();
    let context = context();
    let options = Options::new().linger(Some(Duration::ZERO));
    let endpoint = free_endpoint("tcp://127.0.0.1:*");
    let push = connected(&context, SocketType::Push, options, &endpoint);
    let (gone, is_gone) = std::sync::mpsc::channel();
    let frame = Frame::with_release(vec![0; 10_000], move || {
        drop(context);
        gone.send(()).unwrap();
    });
    push.send(frame).unwrap();
    drop(push);
    is_gone.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn two_hundred_sockets_close_at_once() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (pull, real) = bound(
        &context,
        SocketType::Pull,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let pushes: Vec<_> = (0..200)
        .map(|_| connected(&context, SocketType::Push, Options::new(), &real))
        .collect();
    for push in &pushes {
        push.send("x").unwrap();
    }
    drop(pushes);
    for _ in 0..200 {
        recv(&pull);
    }
}
