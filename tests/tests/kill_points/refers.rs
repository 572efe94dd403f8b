//! Payloads that are read where they lie, between sockets of which one dies: in memory that
//! was lent to be filled, or copied into such memory; on their way, looked at, and on their
//! way back.
//!
//! ```text
//!   child: a DEALER  ── a payload of its own memory ──▶  survivor: a DEALER
//!                    ◀── the same in the survivor's ──
//! ```
//! Either side's memory has room for some kinds of payload at a time and not for all, so that
//! regions end and are made all the time.

use ferromq::{AnySocket, Context, Message};
use ferromq_tests::{Watchdog, until};
use ferromq_transport_shm::{KillPoint, Shm};

use crate::child::{self, Ended, Role};
use crate::message::message;
use crate::survivor::Survivor;

/// Bytes of payloads: those beside short ones, which see to it that what was given back is
/// heard of before the next, each need a region of their own kind, of about a mebibyte.
const LENS: [usize; 5] = [70_000, 64, 100_000, 64, 5_000];
/// Payloads of a life.
const ROUNDS: u64 = 30;
/// Those of them that go by reference whoever sends them: the first and the third of five.
const LONG: u64 = ROUNDS / 5 * 2;
/// Bytes of memory for payloads, of a child and of the survivor, who lends nothing that has
/// 5,000 bytes.
const CHILDS: usize = 2 << 20;
const SURVIVORS: usize = 1100 << 10;

/// On which of its passings a child is sent to its death at a point.
pub(crate) fn passings(point: KillPoint) -> &'static [u64] {
    use KillPoint::*;
    match point {
        BlockLent | BlockReturned | PayloadReached => &[1, 5],
        RegionLent | RegionMapped | RegionEnded => &[1, 3],
        RegionUnmapped => &[1, 2],
        // In the middle: references, and what is given back, are on their way.
        BytesCopied | HeadStored | BytesTaken | TailStored => &[16, 21],
        BellDue | BellRung => &[3],
        ClosedStored | MemoryUnmapped | SocketShut => &[1],
        _ => &[],
    }
}

pub(crate) fn every_point_of(role: Role) {
    let _watchdog = Watchdog::start();
    let mut survivor = Survivor::new(role, context(SURVIVORS));
    for point in KillPoint::ALL {
        for passing in passings(*point) {
            survivor.sees_die(*point, *passing);
        }
    }
    // The dead keep nothing of the memory, of which there is as much as one kind needs.
    assert_eq!(survivor.outlive(None), Ended::Well);
    let before = survivor.traffic();
    assert_eq!(survivor.outlive(None), Ended::Well);
    let after = survivor.traffic();
    let sent = after.references_sent - before.references_sent;
    let refused = after.references_refused - before.references_refused;
    assert_eq!(sent + refused, LONG);
    // A child that never sleeps gives back late.
    assert!(sent > LONG / 2, "{refused} of {LONG} found no memory");
}

/// One that has so many bytes of memory for payloads.
fn context(bytes: usize) -> Context {
    let shm = Shm::with_limit(bytes);
    let built = Context::builder().transport(shm).build();
    built.expect("a context")
}

/// A child's side.
pub(crate) fn talk(role: Role, endpoint: &str, life: u64) {
    let context = context(CHILDS);
    let socket = child::socket(&context, role, endpoint);
    for number in 0..ROUNDS {
        let len = LENS[number as usize % LENS.len()];
        let body = message(life, number, len);
        // Each kind in turn is lent, and copied.
        let lent = (number / LENS.len() as u64).is_multiple_of(2) && len > 64;
        let payload = match lent {
            true => lent_to(&socket, &body),
            false => body.into(),
        };
        socket.send(payload).unwrap();
        let echo = child::next_echo(&socket, life);
        assert_eq!(echo, number, "an echo is missing");
    }
}

/// The same in memory that the peer reads.
fn lent_to(socket: &AnySocket, body: &[u8]) -> Message {
    let mut loan = until("memory has come back", || {
        let loan = socket.loan(body.len()).unwrap();
        Some(loan).filter(|loan| loan.is_shared())
    });
    loan.copy_from_slice(body);
    loan.into()
}
