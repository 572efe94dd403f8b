//! Sockets over `rdma://` on real verbs: on soft-RoCE, by `cargo xtask test --rdma`.

mod children;
mod devices;
mod faults;
// The rows of hostile input that are a device's affair, on this one.
#[path = "../hostile/remote.rs"]
mod remote;
mod switching;
#[path = "../../../transport-rdma/tests/common/verbs.rs"]
mod verbs_subject;

use std::process::Command;

use ferromq::{Context, EventKind, Kind, Message, Options, Pull, Push, Socket};
use ferromq_tests::{PATIENCE, Watchdog};
use ferromq_transport_rdma::Rdma;

use verbs_subject::{OverVerbs, bed};

mod suite {
    use super::OverVerbs;

    ferromq_mio::transport_conformance!(OverVerbs::new());
}

const LONG: usize = 1 << 20;

/// A transport and a context for either end, as two processes have them.
struct Two {
    near: (Rdma, Context),
    far: (Rdma, Context),
    _watchdog: Watchdog,
}

impl Two {
    fn new() -> Self {
        let watchdog = Watchdog::start();
        let side = || {
            let rdma = OverVerbs::new().transport;
            let context = Context::builder().transport(rdma.clone()).build().unwrap();
            (rdma, context)
        };
        Self {
            near: side(),
            far: side(),
            _watchdog: watchdog,
        }
    }

    /// `A` of the near side, connected to `B` of the far one, which is bound.
    fn pair<A: Kind, B: Kind>(&self) -> (Socket<A>, Socket<B>) {
        let options = || Options::new().linger(Some(PATIENCE));
        let a = self.near.1.socket_with::<A>(options()).unwrap();
        let b = self.far.1.socket_with::<B>(options()).unwrap();
        let place = format!("rdma://{}:*", bed().1);
        let endpoint = b.bind(&place).unwrap().to_string();
        a.connect(&endpoint).unwrap();
        assert!(a.wait_for_peers(1, PATIENCE).unwrap());
        assert!(b.wait_for_peers(1, PATIENCE).unwrap());
        (a, b)
    }
}

/// The wire loses some of what crosses it, until this is dropped.
struct Loss;

impl Loss {
    fn new(share: &str) -> Self {
        tc(&["add", "dev", "v0", "root", "netem", "loss", share]);
        Self
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        tc(&["del", "dev", "v0", "root"]);
    }
}

fn tc(arguments: &[&str]) {
    let status = Command::new("tc").arg("qdisc").args(arguments).status();
    assert!(status.unwrap().success());
}

fn part(message: &Message) -> &[u8] {
    message.frame(0).unwrap()
}

fn content(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8 ^ seed).collect()
}

/// Sends messages of these lengths, and sees them arrive.
fn cross(push: &Socket<Push>, pull: &Socket<Pull>, lens: &[usize]) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (seed, len) in (0..).zip(lens) {
                push.send(content(*len, seed)).unwrap();
            }
        });
        for (seed, len) in (0..).zip(lens) {
            let message = pull.recv().unwrap();
            assert!(part(&message) == content(*len, seed), "{len} bytes");
        }
    });
}

#[test]
fn messages_of_every_length_arrive() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    let lens = [1, 100, 5000, 40_000, 64 << 10, LONG, 5_000_001, 64 << 20];
    cross(&push, &pull, &lens);
}

#[test]
fn messages_arrive_whole_over_a_wire_that_loses_some() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    let _loss = Loss::new("2%");
    cross(
        &push,
        &pull,
        &[1, 100, 5000, 40_000, 64 << 10, LONG, 5_000_001],
    );
}

#[test]
fn a_loan_of_a_mebibyte_is_read_by_the_device_alone() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    push.send("first").unwrap();
    pull.recv().unwrap();
    let (near, far) = (two.near.0.counters(), two.far.0.counters());
    let mut loan = push.loan(LONG).unwrap();
    assert!(loan.is_shared());
    loan.fill(7);
    push.send(loan).unwrap();
    let message = pull.recv().unwrap();
    assert!(part(&message).iter().all(|byte| *byte == 7));
    let (sender, receiver) = (two.near.0.counters(), two.far.0.counters());
    // The reference, and one read of all of it.
    assert_eq!(sender.sends - near.sends, 1);
    assert_eq!(sender.registrations - near.registrations, 1);
    assert_eq!(receiver.reads - far.reads, 1);
    for copied in [sender.copied - near.copied, receiver.copied - far.copied] {
        assert!(copied < 200, "{copied} bytes were copied");
    }
}

#[test]
fn sockets_meet_again_after_the_wire_was_cut() {
    let two = Two::new();
    let (push, pull) = two.pair::<Push, Pull>();
    cross(&push, &pull, &[1, LONG]);
    let monitor = push.monitor();
    let cut = Loss::new("100%");
    push.send("lost").unwrap();
    loop {
        let event = monitor.recv_timeout(PATIENCE).expect("the end is told");
        if matches!(event.kind, EventKind::Disconnected { .. }) {
            break;
        }
    }
    drop(cut);
    // The same sockets, over the same devices.
    assert!(push.wait_for_peers(1, PATIENCE).unwrap());
    cross(&push, &pull, &[1, LONG]);
    // And others.
    let (push, pull) = two.pair::<Push, Pull>();
    cross(&push, &pull, &[1, LONG]);
}
