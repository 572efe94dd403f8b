//! A process may die at any point of a connection through shared memory: whoever is on
//! the other side is told, has whole messages without a gap, keeps nothing of it, and
//! serves the next one.
//!
//! ```text
//!   test: the survivor, a DEALER ◀── shm://, small rings ──▶ a child, a DEALER
//!         echoes what comes                                  dies at a point
//! ```
//! The points are the transport's own ([`KillPoint`]); `FERROMQ_KILL_AT` sends a child
//! to one. Each is died at in each role that passes it, early and in full traffic, with
//! messages that go through rings and with payloads that are read where they lie.

#![cfg(target_os = "linux")]

mod child;
mod early;
mod holdings;
mod lends;
mod message;
mod moves;
mod refers;
mod survivor;

use std::sync::{Mutex, PoisonError};

use ferromq::Context;
use ferromq_tests::Watchdog;
use ferromq_transport_shm::KillPoint;

use child::{Ended, Role};
use survivor::Survivor;

/// On which of its passings a child of this role is sent to its death at a point; none
/// where it does not come by.
fn passings(point: KillPoint, role: Role) -> &'static [u64] {
    use KillPoint::*;
    match (point, role) {
        (point, Role::MovesConnected | Role::MovesBound) => moves::passings(point, role),
        (NameBound | Listening | SocketAccepted, Role::Listens) => &[1],
        (SocketConnected, Role::Connects) => &[1],
        (EarlyBytesCopied | EarlyHeadStored | EarlyClosedStored, Role::IsEarly) => &[1],
        (RegionLent, Role::Lends) => &[1, 2],
        (RegionMapped, Role::Lends) => &[1, 2],
        (RegionEnded | RegionUnmapped, Role::Lends) => &[1],
        (BlockLent | PayloadReached | BlockReturned, Role::Lends) => &[1, 2],
        (point, Role::RefersConnected | Role::RefersBound) => refers::passings(point),
        (_, Role::IsEarly | Role::Lends) => &[],
        (GreetingReceived | PeerMapped, _) => &[1],
        (MemoryCreated | MemoryAllocated | MemoryMapped | MemorySealed, _) => &[1],
        (MemoryPrepared | GreetingSent, _) => &[1],
        (BytesCopied | BytesCopiedInPart | HeadStored, _) => &[1, 3, 60],
        (BytesTaken | BytesTakenInPart | TailStored, _) => &[1, 3, 60],
        (BellDue | BellRung | RoomWanted, _) => &[1, 10],
        (BellTaken | InputWanted | InputUnwanted | CpuTold, _) => &[1],
        (ClosedStored | MemoryUnmapped | SocketShut, _) => &[1],
        _ => &[],
    }
}

/// Descriptors and mappings are a process's: one test at a time.
fn alone<T>(test: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    test()
}

/// Children of this role die at every point of theirs, before the eyes of one socket.
fn every_point_of(role: Role) {
    let _watchdog = Watchdog::start();
    let context = Context::new().expect("a context");
    let mut survivor = Survivor::new(role, context);
    for point in KillPoint::ALL {
        for passing in passings(*point, role) {
            survivor.sees_die(*point, *passing);
        }
        if !passings(*point, role).is_empty() {
            assert_eq!(survivor.outlive(None), Ended::Well);
        }
    }
}

#[test]
fn who_connected_may_die_at_any_point() {
    alone(|| every_point_of(Role::Connects));
}

#[test]
fn who_listens_may_die_at_any_point() {
    alone(|| every_point_of(Role::Listens));
}

#[test]
fn who_dies_unanswered_leaves_what_it_had_published() {
    alone(early::every_point);
}

#[test]
fn who_lends_memory_may_die_at_any_point() {
    alone(lends::every_point);
}

#[test]
fn who_connected_may_die_with_payloads_under_way() {
    alone(|| refers::every_point_of(Role::RefersConnected));
}

#[test]
fn who_listens_may_die_with_payloads_under_way() {
    alone(|| refers::every_point_of(Role::RefersBound));
}

#[test]
fn who_connected_may_die_while_its_connection_moves() {
    alone(|| moves::every_point_of(Role::MovesConnected));
}

#[test]
fn who_listens_may_die_while_a_connection_moves() {
    alone(|| moves::every_point_of(Role::MovesBound));
}

#[test]
fn every_point_is_died_at() {
    for point in KillPoint::ALL {
        let died = Role::ALL
            .iter()
            .any(|role| !passings(*point, *role).is_empty());
        assert!(died, "no child passes {}", point.label());
    }
}
