//! Rows 51 to 55: too many, too often, and nobody at all.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use ferromq::{EventKind, Options};
use ferromq_tests::{Greeting, Nobody, RawPeer, until};

use crate::arena::{Arena, Kind};
use crate::memory::{alone, descriptor_limits, has_descriptors, limit_descriptors, live};

/// What an idle connection may cost.
const IDLE: i64 = 4 << 10;

/// The number that the next descriptor will get.
fn next_descriptor() -> u64 {
    let file = File::open("/dev/null").expect("a descriptor");
    file.as_raw_fd().try_into().expect("it is not negative")
}

#[test]
fn row_51_without_descriptors_serving_goes_on_and_accepting_comes_back() {
    alone(|| {
        Arena::each(|mut arena| {
            let (before, _) = descriptor_limits();
            // One is left, for the stranger's own end.
            limit_descriptors(next_descriptor() + 1);
            let mut stranger = arena.stranger();
            let failed = |kind: &EventKind| matches!(kind, EventKind::AcceptFailed { .. });
            let started = Instant::now();
            for _ in 0..4 {
                let EventKind::AcceptFailed { cause } =
                    arena.ours.await_event("no descriptor", failed).kind
                else {
                    unreachable!("nothing else was waited for");
                };
                assert!(cause.contains("accept"), "{cause}");
                arena.serves();
            }
            // Tried again, and not all the time.
            assert!(started.elapsed() >= Duration::from_millis(250));
            limit_descriptors(before);
            stranger.handshake(Greeting::default(), arena.kind.peer_type(), &[]);
            arena.ours.await_peer();
            arena.still_peers(&mut stranger);
        });
    });
}

/// Nanoseconds that the I/O threads of the process have run.
fn io_time() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("procfs");
    let ours = tasks.filter_map(|task| {
        let path = task.ok()?.path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let of_io = name.trim() == "ferromq-io";
        of_io.then(|| fs::read_to_string(path.join("schedstat")).ok())?
    });
    ours.map(|stat| {
        let nanos = stat.split(' ').next().map(str::parse::<u64>);
        nanos.expect("a first field").expect("a number")
    })
    .sum()
}

// 10,000, or as many as the process may have of both ends.
#[test]
fn row_52_idle_connections_cost_at_most_4_kib_and_no_time() {
    /// How long nothing happens.
    const REST: Duration = Duration::from_secs(1);
    alone(|| {
        let (_, hard) = descriptor_limits();
        limit_descriptors(hard);
        for kind in Kind::ALL {
            let most = usize::try_from(hard.saturating_sub(500) / 2).expect("a number");
            let wanted = if kind == Kind::Pull { 10_000 } else { 1000 };
            let idle = most.clamp(1, wanted);
            let mut arena = Arena::new(kind);
            let before = live();
            let mut peers = Vec::with_capacity(idle);
            for _ in 0..idle {
                peers.push(RawPeer::established(
                    arena.ours.endpoint(),
                    kind.peer_type(),
                ));
                arena.ours.await_peer();
            }
            arena.serves();
            let each = (live() - before) / idle as i64;
            // What there was to do for those that came is done.
            assert!(
                !arena.ours.happens_within(REST / 4, |_| true),
                "it is quiet"
            );
            let worked = io_time();
            assert!(!arena.ours.happens_within(REST, |_| true), "it is quiet");
            let worked = io_time() - worked;
            println!("{kind:?}: {idle} idle, {each} bytes each, {worked} ns in {REST:?}");
            assert!(each <= IDLE, "{each} bytes a connection");
            assert!(
                worked < REST.as_nanos() as u64 / 100,
                "{worked} ns of {REST:?}"
            );
            arena.serves();
            assert_eq!(arena.ours.statistics().connected(), idle + 1);
        }
    });
}

#[test]
fn row_53_a_storm_of_connections_is_let_in_while_others_are_served() {
    const STORM: usize = 300;
    // Those of the tests beside this one, too.
    if !has_descriptors(2 * STORM as u64 + 1000) {
        return;
    }
    Arena::each(|mut arena| {
        let (endpoint, kind) = (arena.ours.endpoint().to_owned(), arena.kind);
        std::thread::scope(|scope| {
            let storm = scope.spawn(|| {
                let mut peers: Vec<_> = (0..STORM).map(|_| RawPeer::connect(&endpoint)).collect();
                for peer in &mut peers {
                    peer.handshake(Greeting::default(), kind.peer_type(), &[]);
                }
                peers
            });
            while !storm.is_finished() {
                arena.serves();
            }
            let peers = storm.join().expect("all of them are let in");
            for _ in 0..STORM {
                arena.ours.await_peer();
            }
            assert_eq!(arena.ours.statistics().connected(), STORM + 1);
            arena.serves();
            drop(peers);
            for _ in 0..STORM {
                arena.leaves("");
            }
            arena.adds_up();
        });
    });
}

// Who says nothing costs little until it has gone, and then nothing: no handshake
// is begun for it.
#[test]
fn row_54_a_port_scan_leaves_nothing_behind() {
    const SCANS: u64 = 500;
    const SILENT: i64 = 100;
    /// Of a stranger who has not said a byte.
    const EACH: i64 = 1 << 10;
    /// Of the place where it was.
    const KEPT: i64 = 1 << 9;
    alone(|| {
        Arena::each(|mut arena| {
            let scan = |arena: &mut Arena, count: u64| {
                for _ in 0..count {
                    drop(arena.stranger());
                    arena.walked_away();
                }
            };
            scan(&mut arena, 20);
            let before = live();
            scan(&mut arena, SCANS);
            // The last one is told of before it is freed.
            until("nothing is left of the scans", || {
                (live() - before < 8 << 10).then_some(())
            });

            let silent: Vec<_> = (0..SILENT)
                .map(|_| {
                    let stranger = arena.stranger();
                    arena.accepted();
                    stranger
                })
                .collect();
            arena.serves();
            let each = until("a silent stranger costs little", || {
                let each = (live() - before) / SILENT;
                (each < EACH).then_some(each)
            });
            println!("{:?}: {each} bytes a silent stranger", arena.kind);
            drop(silent);
            (0..SILENT).for_each(|_| arena.walks_away());
            arena.adds_up();
            // Places for so many, to be used again, and no more.
            until("it is freed", || {
                (live() - before < SILENT * KEPT).then_some(())
            });
        });
    });
}

// Each is later than the one before, and no two at the same time.
#[test]
fn row_55_reconnections_back_off_with_chance_in_them() {
    const CLIENTS: usize = 12;
    let (least, longest) = (Duration::from_millis(4), Duration::from_millis(64));
    let nobody = Nobody::listens();
    for kind in Kind::ALL {
        let options = Options::new().reconnect_interval(least, longest);
        let mut arenas: Vec<_> = (0..CLIENTS)
            .map(|_| Arena::with(kind, options.clone()))
            .collect();
        for arena in &arenas {
            arena
                .ours
                .connect(nobody.endpoint())
                .expect("it will be tried");
        }
        let mut firsts = Vec::new();
        for failures in 0..6 {
            let nominal = (least * (1 << failures)).min(longest);
            for arena in &mut arenas {
                let retried = |kind: &EventKind| matches!(kind, EventKind::ConnectRetried { .. });
                let event = arena.ours.await_event("another attempt", retried);
                let EventKind::ConnectRetried { delay, .. } = event.kind else {
                    unreachable!("nothing else was waited for");
                };
                assert!(
                    (nominal / 2..=nominal).contains(&delay),
                    "{delay:?} of {nominal:?}"
                );
                if failures == 5 {
                    firsts.push(delay);
                }
                arena.serves();
            }
        }
        firsts.sort();
        firsts.dedup();
        assert!(firsts.len() > CLIENTS / 2, "they come together: {firsts:?}");
    }
}
