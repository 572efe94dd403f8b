use std::sync::mpsc;
use std::time::{Duration, Instant};

use ferromq_transport_tcp::Tcp;

use crate::{Context, Dealer, Frame, Options, Pub, Pull, Push, Router, Sub};

const PATIENCE: Duration = Duration::from_secs(30);

fn context() -> Context {
    Context::builder().transport(Tcp).build().unwrap()
}

/// HOSTILE 30: a subscriber that goes leaves nothing, though nobody calls.
#[test]
fn an_idle_publisher_forgets_all_that_a_lost_peer_subscribed_to() {
    let context = context();
    let publisher = context.socket::<Pub>().unwrap();
    let endpoint = publisher.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let subscriber = context.socket::<Sub>().unwrap();
    // More than one turn removes.
    for topic in 0..5_000_u32 {
        subscriber.subscribe(topic.to_be_bytes()).unwrap();
    }
    subscriber.connect(&endpoint).unwrap();
    assert!(publisher.wait_for_peers(1, PATIENCE).unwrap());
    let any: &super::AnySocket = publisher.as_ref();
    let held = || any.core().enter_foreign().machine.subscriptions();
    let start = Instant::now();
    while held() < 5_000 {
        assert!(start.elapsed() < PATIENCE, "{} arrived", held());
        std::thread::yield_now();
    }
    drop(subscriber);
    while held() > 0 {
        assert!(start.elapsed() < PATIENCE, "{} are left", held());
        std::thread::yield_now();
    }
}

/// H96: released once, and outside the lock: the callback may call the socket.
#[test]
fn a_release_callback_may_call_its_socket() {
    let context = context();
    // It takes little, so that most waits in the link's output.
    let pull = context
        .socket_with::<Pull>(Options::new().receive_high_water_mark(1))
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let options = Options::new()
        .linger(Some(Duration::ZERO))
        .send_bytes_limit(1 << 30);
    let push = context.socket_with::<Push>(options).unwrap();
    push.connect(&endpoint).unwrap();
    assert!(push.wait_for_peers(1, PATIENCE).unwrap());
    let (done, released) = mpsc::channel();
    // Some are written; the others are dropped with the link.
    for _ in 0..50 {
        let (socket, done) = (push.clone(), done.clone());
        let release = move || done.send(socket.statistics().peers.len()).unwrap();
        push.try_send(Frame::with_release(vec![0; 1 << 20], release))
            .unwrap();
    }
    push.close();
    drop(push);
    for count in 0..50 {
        released
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{count} were released"));
    }
    assert!(released.try_recv().is_err(), "released twice");
}

/// With many peers, a link holds a block only while something is in it.
#[test]
fn links_that_were_read_empty_hold_no_blocks() {
    const PEERS: usize = 40;
    let context = context();
    let router = context.socket::<Router>().unwrap();
    let endpoint = router.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let dealers = [(); PEERS].map(|()| {
        let dealer = context.socket::<Dealer>().unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer
    });
    assert!(router.wait_for_peers(PEERS, PATIENCE).unwrap());
    for round in 0..3 {
        for dealer in &dealers {
            dealer.send("x").unwrap();
        }
        for _ in 0..PEERS {
            let message = router.recv_timeout(PATIENCE).unwrap();
            router.send(message).unwrap();
        }
        let any: &super::AnySocket = router.as_ref();
        let held = any.core().enter_foreign().pools.blocks.live_blocks();
        assert!(held <= 2, "{held} blocks in round {round}");
        for dealer in &dealers {
            dealer.recv_timeout(PATIENCE).unwrap();
        }
    }
}

/// A queue of a million messages took 4 s to fill, for the sender waited for a peer
/// that took nothing, again and again, and the longer the longer its queue was.
#[test]
fn a_peer_that_takes_nothing_is_waited_for_once() {
    const MESSAGES: u64 = 30_000;
    let context = context();
    let pull = context
        .socket_with::<Pull>(Options::new().receive_high_water_mark(1))
        .unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap().to_string();
    let options = Options::new()
        .send_high_water_mark(0)
        .send_bytes_limit(1 << 30)
        .linger(Some(Duration::ZERO));
    let push = context.socket_with::<Push>(options).unwrap();
    push.connect(&endpoint).unwrap();
    assert!(push.wait_for_peers(1, PATIENCE).unwrap());
    let any: &super::AnySocket = push.as_ref();
    // A call bumps the epoch once, and again after each wait.
    let before = any.core().flags.epoch();
    for _ in 0..MESSAGES {
        push.send(&[7; 1024][..]).unwrap();
    }
    let waits = any.core().flags.epoch() - before - MESSAGES;
    assert!(waits <= 8, "{waits} waits");
}
