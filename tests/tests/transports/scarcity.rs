//! Where shared memory, or descriptors for it, are not to be had: that is told with the name
//! of the limit, or what was to be sent goes another way, and is counted.
//!
//! Each test has a process for itself ([`alone`]), and limits of its own.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

use ferromq::{Context, EventKind, Options, SocketType, Switching};
use ferromq_tests::{Limited, Ours, PATIENCE, alone};
use ferromq_transport::LinkOptions;

const LONG: usize = 1 << 20;

/// A PUSH that is connected to a PULL, each in a context of its own.
struct Pair {
    push: Ours,
    pull: Ours,
}

impl Pair {
    fn new(context: impl Fn() -> Context, endpoint: &str, options: &Options) -> Self {
        let mut pull = Ours::within(context(), SocketType::Pull, options.clone());
        pull.bind_to(endpoint);
        let push = Ours::within(context(), SocketType::Push, options.clone());
        push.connect(pull.endpoint()).expect("it will be tried");
        push.await_peer();
        pull.await_peer();
        Self { push, pull }
    }

    /// Over shm.
    fn sharing(options: &Options) -> Self {
        Self::new(|| Context::new().expect("a context"), "shm://*", options)
    }

    /// Over tcp, as long as it does not move.
    fn moving() -> Self {
        let context = || {
            // A busy machine must not decide.
            let switching = Switching::new(&["tcp"], "shm").patience(PATIENCE);
            let built = Context::builder().switching(switching).build();
            built.expect("a context")
        };
        Self::new(context, "tcp://127.0.0.1:*", &soon())
    }

    /// What is sent arrives.
    fn carries(&self, byte: u8) {
        self.push.send(vec![byte; LONG]).expect("a peer with room");
        assert_eq!(self.pull.recv_parts(), [vec![byte; LONG]]);
    }

    /// Payloads that went by reference, and those for which there was no memory.
    fn references(&self) -> (u64, u64) {
        let traffic = self.push.statistics().traffic;
        (traffic.references_sent, traffic.references_refused)
    }

    /// Sees that it stays where it is for want of memory, and that both sides count that.
    fn stays(&self) {
        let causes = [&self.push, &self.pull].map(|side| {
            let refused = |kind: &EventKind| matches!(kind, EventKind::SwitchRefused { .. });
            let EventKind::SwitchRefused { cause } = side.await_event("a refusal", refused).kind
            else {
                unreachable!("nothing else was waited for");
            };
            let statistics = side.statistics();
            assert_eq!(statistics.switches_refused, 1);
            assert_eq!(statistics.peers[0].via, None);
            cause
        });
        // Who comes may have to go again, which breaks the path for the other one.
        let told = causes.iter().any(|it| it.contains("memory or descriptors"));
        assert!(told, "{causes:?}");
    }
}

/// With short rings.
fn short() -> Options {
    let mut link = LinkOptions::default();
    link.send_buffer = Some(64 << 10);
    soon().link(link)
}

/// Who comes back at once.
fn soon() -> Options {
    let (soon, later) = (Duration::from_millis(1), Duration::from_millis(20));
    Options::new().reconnect_interval(soon, later)
}

/// Waits until somebody is told that it cannot connect, and why.
fn cannot_connect(ours: &Ours) -> String {
    let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
    match ours.await_event("another attempt", retried).kind {
        EventKind::ConnectRetried { cause, .. } => cause,
        other => unreachable!("{other:?} was not waited for"),
    }
}

/// Waits until a handshake is told to have failed for this.
fn cannot_greet(ours: &Ours, why: &str) {
    let failed = |kind: &EventKind| match kind {
        EventKind::HandshakeFailed { cause } => cause.contains(why),
        _ => false,
    };
    ours.await_event(why, failed);
}

/// Leaves none of the descriptors that doorbells may have: given up with a connection, they
/// would do for the next.
fn forgo_doorbells() {
    let used = 200;
    let lower: Vec<_> = (0..used).map(|_| File::open("/dev/null")).collect();
    assert!(lower.iter().all(Result::is_ok));
    std::mem::forget(lower);
    // More than an eighth of those that there may be.
    Limited::Descriptors.set(2 * used);
}

/// From now on there is no descriptor but those that are open.
fn use_up_descriptors() {
    let next = File::open("/dev/null").expect("a descriptor");
    let next = next.as_raw_fd().try_into().expect("it is not negative");
    Limited::Descriptors.set(next);
    assert!(File::open("/dev/null").is_err());
}

#[test]
fn a_ring_that_is_longer_than_files_may_be_is_refused_with_the_limit() {
    alone(|| {
        Limited::FileSize.set(256 << 10);
        let mut pull = Ours::new(SocketType::Pull, Options::new());
        pull.bind_to("shm://*");
        let push = Ours::connected(SocketType::Push, soon(), pull.endpoint());
        let told = cannot_connect(&push);
        let limit = "1052672 bytes of shared memory exceed the limit of 262144 for a file \
                     (RLIMIT_FSIZE)";
        assert!(told.contains(limit), "{told}");
        // Who listens makes its own when somebody has greeted.
        let _short = Ours::connected(SocketType::Push, short(), pull.endpoint());
        cannot_greet(&pull, limit);
    });
}

#[test]
fn payloads_that_are_longer_than_files_may_be_take_the_ring() {
    alone(|| {
        Limited::FileSize.set(256 << 10);
        let pair = Pair::sharing(&short());
        pair.carries(1);
        assert_eq!(pair.references(), (0, 1));
        let loan = pair.push.loan(LONG).expect("memory of its own");
        assert!(!loan.is_shared());
        pair.push.send(loan).expect("a peer with room");
        assert_eq!(pair.pull.recv_parts()[0].len(), LONG);
        assert_eq!(pair.references(), (0, 2));
    });
}

#[test]
fn connections_whose_rings_would_be_too_long_stay_where_they_are() {
    alone(|| {
        Limited::FileSize.set(256 << 10);
        let pair = Pair::moving();
        pair.stays();
        pair.carries(1);
    });
}

/// Has the system refuse `memfd_create`, to this thread and those that it starts. False: it
/// does not do that for us.
fn forbid_memory() -> bool {
    let call = u32::try_from(libc::SYS_memfd_create).expect("a number");
    let (load, jump_if, answer) = (0x20, 0x15, 0x06);
    let step = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut steps = [
        step(load, 0, 0),
        step(jump_if, 1, call),
        step(
            answer,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs(),
        ),
        step(answer, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    let [none, one, mode]: [libc::c_ulong; 3] = [0, 1, libc::SECCOMP_MODE_FILTER.into()];
    // SAFETY: numbers only.
    let bound = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, none, none, none) };
    // SAFETY: the program and its steps outlive the call.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    (bound, set) == (0, 0)
}

#[test]
fn a_sandbox_without_shared_memory_is_told_of_and_gone_around() {
    alone(|| {
        if !forbid_memory() {
            return println!("skipped: no sandbox for us (seccomp)");
        }
        let mut pull = Ours::new(SocketType::Pull, Options::new());
        pull.bind_to("shm://*");
        let push = Ours::connected(SocketType::Push, soon(), pull.endpoint());
        let told = cannot_connect(&push);
        let step = "memfd_create of 1052672 bytes of shared memory";
        assert!(told.contains(step), "{told}");

        let pair = Pair::moving();
        pair.stays();
        pair.carries(1);
        assert!(!pair.push.loan(LONG).expect("memory of its own").is_shared());
    });
}

#[test]
fn a_sender_without_descriptors_sends_payloads_through_the_ring() {
    alone(|| {
        let pair = Pair::sharing(&Options::new());
        let (before, _) = Limited::Descriptors.limits();
        use_up_descriptors();
        pair.carries(1);
        assert!(!pair.push.loan(LONG).expect("memory of its own").is_shared());
        assert_eq!(pair.references(), (0, 1));
        Limited::Descriptors.set(before);
        pair.carries(2);
        assert_eq!(pair.references(), (1, 1));
    });
}

/// Sends a payload of whose memory the receiver has not heard, when it can hear of none.
fn send_unheard(pair: &Pair) {
    let mut loan = pair.push.loan(LONG).expect("memory");
    assert!(loan.is_shared());
    loan.fill(1);
    use_up_descriptors();
    pair.push.send(loan).expect("a peer with room");
    let cause = pair.pull.await_disconnect();
    assert!(cause.contains("RLIMIT_NOFILE"), "{cause}");
    // It is nobody's fault.
    assert_eq!(pair.pull.statistics().violations, 0);
}

#[test]
fn a_receiver_without_descriptors_says_so_and_goes_on_when_it_has_some() {
    alone(|| {
        forgo_doorbells();
        let pair = Pair::sharing(&soon());
        let (before, _) = Limited::Descriptors.limits();
        send_unheard(&pair);
        // A connection needs one as well: none comes about that would lose the next.
        cannot_greet(&pair.pull, "RLIMIT_NOFILE");
        assert_eq!(pair.pull.statistics().connected(), 0);
        Limited::Descriptors.set(before);
        pair.carries(2);
        assert_eq!(pair.references(), (2, 0));
    });
}

#[test]
fn a_connection_that_had_moved_goes_on_over_tcp_when_descriptors_are_used_up() {
    alone(|| {
        forgo_doorbells();
        let pair = Pair::moving();
        assert_eq!(pair.pull.statistics().peers[0].via, Some("shm"));
        send_unheard(&pair);
        pair.stays();
        pair.carries(2);
    });
}
