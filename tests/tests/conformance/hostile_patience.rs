//! Hostile input that takes its time, or looks worse than it is. Of each: what
//! becomes of the connection, the counter, the event, and that another
//! connection is served before, during and after.

use std::time::{Duration, Instant};

use ferromq::{Error, EventKind, Options, SocketType};
use ferromq_tests::{Greeting, LONG, MORE, Ours, RawPeer, Via, command_body, metadata};

/// The whole time that a handshake has here.
const DEADLINE: Duration = Duration::from_secs(1);

/// A PULL and a peer of it that does nothing wrong.
struct Served {
    ours: Ours,
    neighbour: RawPeer,
    count: u32,
}

impl Served {
    fn with(options: Options) -> Self {
        let ours = Ours::bound(SocketType::Pull, options, Via::Tcp);
        let neighbour = RawPeer::established(ours.endpoint(), "PUSH");
        ours.await_peer();
        Self {
            ours,
            neighbour,
            count: 0,
        }
    }

    /// Sees that the neighbour's next message arrives, and no other before it.
    fn goes_on(&mut self) {
        self.count += 1;
        let number = self.count.to_be_bytes();
        self.neighbour.send_message(&[&b"neighbour"[..], &number]);
        assert_eq!(self.ours.recv_parts(), [&b"neighbour"[..], &number]);
    }

    fn connect(&self) -> RawPeer {
        RawPeer::connect(self.ours.endpoint())
    }

    /// Sees that so many strangers were turned away for being late.
    fn have_timed_out(&mut self, strangers: u64, started: Instant) {
        assert!(started.elapsed() >= DEADLINE, "{:?}", started.elapsed());
        for _ in 0..strangers {
            let cause = self.ours.await_handshake_failure();
            assert!(cause.contains("timed out"), "{cause}");
        }
        let statistics = self.ours.statistics();
        assert_eq!(statistics.handshakes_failed, strangers);
        assert_eq!(statistics.connected(), 1, "the neighbour");
        self.goes_on();
    }
}

#[test]
fn hostile_04_a_peer_that_stalls_in_its_greeting_is_closed_at_the_deadline() {
    let mut served = Served::with(Options::new().handshake_timeout(DEADLINE));
    let started = Instant::now();
    let mut stalling = [0, 1, 10, 32, 63, 64].map(|sent| {
        let mut peer = served.connect();
        peer.send(&Greeting::default().bytes()[..sent]);
        served.goes_on();
        peer
    });
    for peer in &mut stalling {
        peer.read_to_close();
    }
    served.have_timed_out(stalling.len() as u64, started);
}

// 5: through the greeting and into READY, each byte before the deadline.
#[test]
fn hostile_05_single_bytes_do_not_move_the_deadline() {
    let mut served = Served::with(Options::new().handshake_timeout(DEADLINE));
    let ready = command_body("READY", &metadata(&[("Socket-Type", b"PUSH")]));
    let header = [4, u8::try_from(ready.len()).expect("it is short")];
    let whole = [&Greeting::default().bytes()[..], &header, &ready].concat();
    // So that the last of them would come long after the deadline.
    let pause = DEADLINE * 3 / u32::try_from(whole.len()).expect("it is short");
    let started = Instant::now();
    let mut slow = served.connect();
    let sent = whole
        .iter()
        .take_while(|byte| slow.try_send(&[**byte]) && !slow.is_closed_within(pause))
        .inspect(|_| served.goes_on())
        .count();
    assert!(sent < whole.len(), "the handshake was prolonged");
    served.have_timed_out(1, started);
}

// 13: what is announced is neither reserved nor waited for by others.
#[test]
fn hostile_13_a_gigabyte_that_never_comes_costs_what_came() {
    const CLAIMS: usize = 64;
    let mut served = Served::with(Options::new());
    let announced = [&[LONG][..], &(1_u64 << 30).to_be_bytes(), &[7; 1000]].concat();
    let before = virtual_bytes();
    let mut peers: Vec<RawPeer> = (0..CLAIMS)
        .map(|_| RawPeer::established(served.ours.endpoint(), "PUSH"))
        .collect();
    for peer in &mut peers {
        peer.send(&announced);
        served.goes_on();
    }
    for peer in &mut peers {
        assert!(!peer.is_closed_within(Duration::from_millis(1)));
    }
    served.goes_on();
    // Other tests of this process reserve some at the same time; never that.
    let grown = virtual_bytes().saturating_sub(before);
    assert!(grown < 16 << 30, "{grown} bytes for {CLAIMS} GiB announced");
    assert!(matches!(served.ours.try_recv(), Err(Error::WouldBlock)));
    drop(peers);
    for _ in 0..CLAIMS {
        let _ = served.ours.await_disconnect();
    }
    // Nothing was wrong, and nothing of it is delivered.
    let statistics = served.ours.statistics();
    assert_eq!((statistics.violations, statistics.connected()), (0, 1));
    assert_eq!(
        statistics.traffic.messages_received,
        u64::from(served.count)
    );
    served.goes_on();
}

fn virtual_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages = statm.split(' ').next().map(str::parse::<u64>);
    pages.expect("a first field").expect("a number") * 4096
}

// 18: in messages, in commands, and in the handshake.
#[test]
fn hostile_18_the_long_form_of_short_frames_is_accepted() {
    let mut served = Served::with(Options::new());
    let mut peer = served.connect();
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    let ready = command_body("READY", &metadata(&[("Socket-Type", b"PUSH")]));
    peer.send_frame(4 | LONG, &ready);
    peer.read_ready();
    served.ours.await_peer();
    for len in [0, 1, 2, 64, 254, 255] {
        peer.send_frame(MORE | LONG, &vec![1; len]);
        peer.send_frame(LONG, &vec![2; len]);
        assert_eq!(served.ours.recv_parts(), [vec![1; len], vec![2; len]]);
        peer.send_frame(4 | LONG, &command_body("PING", b"\0\0ok"));
        assert_eq!(peer.read_command(), ("PONG".into(), b"ok".to_vec()));
        served.goes_on();
    }
    let statistics = served.ours.statistics();
    assert_eq!(statistics.connected(), 2);
    assert_eq!(
        (statistics.violations, statistics.handshakes_failed),
        (0, 0)
    );
    assert!(statistics.peers.iter().all(|p| p.ignored_commands == 0));
}

// 2, 3: their first byte is not FF, so nobody waits for a second one.
#[test]
fn hostile_02_03_http_and_tls_are_closed_at_the_first_byte() {
    let mut served = Served::with(Options::new());
    for (count, first) in [b"G", b"P", b"\x16", b"\x80"].into_iter().enumerate() {
        let mut stranger = served.connect();
        stranger.send(first);
        stranger.read_to_close();
        let cause = served.ours.await_handshake_failure();
        assert!(!cause.contains("timed out"), "{cause}");
        let failed = served.ours.statistics().handshakes_failed;
        assert_eq!(failed, count as u64 + 1);
        served.goes_on();
    }
}

// 21: the second READY is traffic, wherever the segments end.
#[test]
fn hostile_21_two_readys_in_one_piece_close() {
    let mut served = Served::with(Options::new());
    let ready = command_body("READY", &metadata(&[("Socket-Type", b"PUSH")]));
    let header = [4, u8::try_from(ready.len()).expect("it is short")];
    let ready = [&header[..], &ready].concat();
    let mut peer = served.connect();
    peer.send(&[&Greeting::default().bytes()[..], &ready, &ready].concat());
    peer.read_to_close();
    let _ = served.ours.await_disconnect();
    assert_eq!(served.ours.statistics().violations, 1);
    served.goes_on();
}

// 11, 12, 16, 17, 19, 21, 22, 38, 39: each is told and counted, once.
#[test]
fn hostile_whoever_breaks_the_protocol_in_traffic_is_counted() {
    let mut served = Served::with(Options::new());
    let crimes: [&[u8]; 9] = [
        &[2, 0x80, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 0, 1, 0, 0, 0, 0, 0],
        b"\x08\x01x",
        b"\x05\x06\x05OTHER",
        &b"\x04\x06\x05OTHER".repeat(17),
        b"\x04\x06\x05READY",
        b"\x04\0",
        b"\x04\x06\x04PING\0",
        b"\x04\x0c\x05ERROR\x09short",
    ];
    for (count, crime) in crimes.into_iter().enumerate() {
        let mut peer = RawPeer::established(served.ours.endpoint(), "PUSH");
        peer.send(crime);
        peer.read_to_close();
        let event = served.ours.await_event("the end", |kind| {
            matches!(kind, EventKind::Disconnected { .. })
        });
        assert!(event.peer.is_some(), "of whom: {event:?}");
        let statistics = served.ours.statistics();
        assert_eq!(statistics.violations, count as u64 + 1, "{crime:02x?}");
        assert_eq!(statistics.connected(), 1, "the neighbour");
        served.goes_on();
    }
    assert_eq!(served.ours.statistics().handshakes_failed, 0);
}
