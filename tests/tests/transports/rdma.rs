//! Sockets over `rdma://`, on devices in software.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use ferromq::{Context, Frame, Kind, Message, Options, Pub, Pull, Push, Rep, Req, Socket, Sub};
use ferromq_tests::{PATIENCE, Watchdog};
use ferromq_transport::conformance::Subject;
use ferromq_transport::{Endpoint, Transport};
use ferromq_transport_rdma::{Counters, Fabric, Rdma};

/// `rdma://` over a fabric of its own.
struct OverRdma {
    transport: Rdma,
    port: AtomicU16,
}

impl OverRdma {
    fn new() -> Self {
        let fabric = Fabric::new().unwrap();
        Self {
            transport: Rdma::over(&fabric).build(),
            port: AtomicU16::new(5000),
        }
    }
}

impl Subject for OverRdma {
    fn name(&self) -> String {
        "rdma".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.transport.clone())
    }

    fn fresh_endpoint(&self) -> Endpoint {
        let port = self.port.fetch_add(1, Ordering::Relaxed);
        format!("rdma://127.0.0.1:{port}").parse().unwrap()
    }
}

mod suite {
    use super::OverRdma;

    ferromq_mio::transport_conformance!(OverRdma::new());
}

const LONG: usize = 1 << 20;

/// Two processes: each has a transport and a context of its own.
struct Two {
    fabric: Fabric,
    sides: [(Rdma, Context); 2],
    _watchdog: Watchdog,
}

impl Two {
    fn new() -> Self {
        let watchdog = Watchdog::start();
        let fabric = Fabric::new().unwrap();
        let side = || {
            let rdma = Rdma::over(&fabric).build();
            let context = Context::builder().transport(rdma.clone()).build().unwrap();
            (rdma, context)
        };
        Self {
            sides: [side(), side()],
            fabric,
            _watchdog: watchdog,
        }
    }

    /// `A` of the first side, connected to `B` of the second, which is bound.
    fn pair<A: Kind, B: Kind>(&self) -> (Socket<A>, Socket<B>) {
        let options = || Options::new().linger(Some(PATIENCE));
        let a = self.sides[0].1.socket_with::<A>(options()).unwrap();
        let b = self.sides[1].1.socket_with::<B>(options()).unwrap();
        let endpoint = b.bind("rdma://127.0.0.1:*").unwrap().to_string();
        a.connect(&endpoint).unwrap();
        assert!(a.wait_for_peers(1, PATIENCE).unwrap());
        assert!(b.wait_for_peers(1, PATIENCE).unwrap());
        (a, b)
    }

    fn counters(&self) -> [Counters; 2] {
        [0, 1].map(|side| self.sides[side].0.counters())
    }
}

fn part(message: &Message, index: usize) -> &[u8] {
    message.frame(index).unwrap()
}

fn content(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ seed).collect()
}

#[test]
fn messages_of_every_length_arrive() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    let lens = [1, 100, 5000, 40_000, 64 << 10, LONG, 5_000_001, 64 << 20];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (seed, len) in (0..).zip(lens) {
                push.send(content(len, seed)).unwrap();
            }
        });
        for (seed, len) in (0..).zip(lens) {
            let message = pull.recv().unwrap();
            assert!(part(&message, 0) == content(len, seed), "{len} bytes");
        }
    });
}

#[test]
fn a_loan_of_a_mebibyte_is_copied_by_no_cpu() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    push.send("first").unwrap();
    pull.recv().unwrap();
    let before = two.counters();
    let mut loan = push.loan(LONG).unwrap();
    assert!(loan.is_shared());
    loan.fill(7);
    push.send(loan).unwrap();
    let message = pull.recv().unwrap();
    assert!(part(&message, 0).iter().all(|byte| *byte == 7));
    let after = two.counters();
    let [sender, receiver] = [0, 1].map(|side| difference(after[side], before[side]));
    // The reference, and one read of all of it.
    assert_eq!((sender.sends, sender.registrations), (1, 1));
    assert_eq!((receiver.reads, receiver.registrations), (1, 1));
    for copied in [sender.copied, receiver.copied] {
        assert!(copied < 200, "{copied} bytes were copied");
    }
}

/// What happened between two looks, as far as it is asked for here.
fn difference(after: Counters, before: Counters) -> Counters {
    let mut difference = after;
    difference.sends -= before.sends;
    difference.reads -= before.reads;
    difference.copied -= before.copied;
    difference.registrations -= before.registrations;
    difference.completions -= before.completions;
    difference.send_completions -= before.send_completions;
    difference
}

#[test]
fn a_small_message_is_one_post_and_less_than_one_completion() {
    const MESSAGES: u64 = 400;
    let two = Two::new();
    let (req, rep) = two.pair::<Req, Rep>();
    let before = two.counters();
    for _ in 0..MESSAGES {
        req.send("?").unwrap();
        rep.recv().unwrap();
        rep.send("!").unwrap();
        req.recv().unwrap();
    }
    let after = two.counters();
    for side in 0..2 {
        let cost = difference(after[side], before[side]);
        assert_eq!((cost.sends, cost.registrations), (MESSAGES, 0));
        let told = cost.send_completions;
        assert!(
            told <= MESSAGES / 4,
            "{told} completions of {MESSAGES} messages"
        );
    }
}

#[test]
fn what_was_sent_before_a_close_is_fetched_after_it() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    for seed in 0..3 {
        push.send(content(LONG, seed)).unwrap();
    }
    push.send("last").unwrap();
    drop(push);
    for seed in 0..3 {
        assert!(part(&pull.recv().unwrap(), 0) == content(LONG, seed));
    }
    assert_eq!(part(&pull.recv().unwrap(), 0), b"last");
}

#[test]
fn a_payload_between_short_frames_keeps_its_place() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    for round in 0..20 {
        let long = Frame::from(content(LONG, round));
        let message: Message = [Frame::from("a"), long, Frame::from("z")]
            .into_iter()
            .collect();
        push.send(message).unwrap();
        push.send("between").unwrap();
    }
    for round in 0..20 {
        let message = pull.recv().unwrap();
        assert_eq!(
            (part(&message, 0), part(&message, 2)),
            (&b"a"[..], &b"z"[..])
        );
        assert!(part(&message, 1) == content(LONG, round));
        assert_eq!(part(&pull.recv().unwrap(), 0), b"between");
    }
}

#[test]
fn one_payload_is_fetched_by_each_subscriber() {
    let two = Two::new();
    let publisher = two.sides[0].1.socket::<Pub>().unwrap();
    let endpoint = publisher.bind("rdma://127.0.0.1:*").unwrap().to_string();
    let subscribers: Vec<_> = (0..3)
        .map(|_| {
            let subscriber = two.sides[1].1.socket::<Sub>().unwrap();
            subscriber.subscribe("").unwrap();
            subscriber.connect(&endpoint).unwrap();
            subscriber
        })
        .collect();
    ferromq_tests::until("all have subscribed", || {
        publisher.send("?").unwrap();
        let heard = |it: &Socket<Sub>| it.recv_timeout(Duration::from_millis(1)).is_ok();
        subscribers.iter().all(heard).then_some(())
    });
    for round in 0..5 {
        publisher.send(content(LONG, round)).unwrap();
        for subscriber in &subscribers {
            let message = loop {
                let message = subscriber.recv().unwrap();
                if part(&message, 0).len() > 1 {
                    break message;
                }
            };
            assert!(part(&message, 0) == content(LONG, round));
        }
    }
}

#[test]
fn payloads_that_cannot_be_registered_go_through_the_stream() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    two.fabric
        .limit_registrations(Some(two.fabric.registered()));
    push.send(content(LONG, 1)).unwrap();
    assert!(part(&pull.recv().unwrap(), 0) == content(LONG, 1));
    assert_eq!(two.counters()[1].reads, 0);
    two.fabric.limit_registrations(None);
    push.send(content(LONG, 2)).unwrap();
    assert!(part(&pull.recv().unwrap(), 0) == content(LONG, 2));
    assert_eq!(two.counters()[1].reads, 1);
}

#[test]
fn sockets_come_back_after_what_breaks_their_links() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    type Fault = fn(&Fabric);
    let faults: [Fault; 2] = [Fabric::kill_accepted, |fabric| fabric.lose(8)];
    for fault in faults {
        fault(&two.fabric);
        // What is on its way may go with the link; what comes after does not.
        ferromq_tests::until("it arrives again", || {
            push.send("again").unwrap();
            pull.recv_timeout(Duration::from_millis(50)).ok()
        });
    }
    ferromq_tests::until("a long one arrives", || {
        push.send(content(LONG, 3)).unwrap();
        let message = pull.recv_timeout(Duration::from_millis(500)).ok()?;
        (*part(&message, 0) == content(LONG, 3)).then_some(())
    });
}

#[test]
fn loss_that_the_devices_repair_is_seen_by_nobody() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    two.fabric.lose_one_in(50);
    for round in 0..200_u8 {
        push.send(content(2000, round)).unwrap();
        assert!(part(&pull.recv().unwrap(), 0) == content(2000, round));
    }
    for round in 0..20 {
        push.send(content(LONG, round)).unwrap();
        assert!(part(&pull.recv().unwrap(), 0) == content(LONG, round));
    }
    assert!(two.fabric.repeated() > 0);
}

#[test]
fn without_verbs_the_scheme_is_known_and_says_what_is_missing() {
    let context = Context::new().unwrap();
    let pull = context.socket::<Pull>().unwrap();
    let error = pull.bind("rdma://127.0.0.1:*").unwrap_err().to_string();
    assert!(
        error.contains("docs/RDMA.md") || error.contains("ferromq rdma"),
        "{error}"
    );
}
