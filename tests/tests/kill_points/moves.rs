//! Connections that met over tcp and move to shared memory, of which one side dies on the way.

use std::net::TcpListener;

use ferromq::{Context, Switching};
use ferromq_tests::{PATIENCE, Watchdog};
use ferromq_transport_shm::KillPoint;

use crate::child::{Ended, RING, Role};
use crate::survivor::Survivor;

/// On which of its passings a child is sent to its death at a point. Who accepted waits at the
/// place where both meet, and who connected comes there.
pub(crate) fn passings(point: KillPoint, role: Role) -> &'static [u64] {
    use KillPoint::*;
    match (point, role) {
        (NameBound | Listening | SocketAccepted, Role::MovesBound) => &[1],
        (SocketConnected, Role::MovesConnected) => &[1],
        (MemoryCreated | MemoryAllocated | MemoryMapped | MemorySealed, _) => &[1],
        (MemoryPrepared | GreetingSent | GreetingReceived | PeerMapped, _) => &[1],
        // The proof of either side, and then its messages.
        (BytesTaken | TailStored, _) => &[1, 30],
        (BytesCopied | HeadStored, Role::MovesBound) => &[1, 30],
        (BytesCopied | HeadStored, _) => &[30],
        (ClosedStored | MemoryUnmapped | SocketShut, _) => &[1],
        _ => &[],
    }
}

pub(crate) fn every_point_of(role: Role) {
    let _watchdog = Watchdog::start();
    let mut survivor = Survivor::new(role, context());
    for point in KillPoint::ALL {
        for passing in passings(*point, role) {
            survivor.sees_die(*point, *passing);
            // Who connects does not ask for a move again that ended its connection: this
            // one stays where it is.
            assert_eq!(survivor.outlive(None), Ended::Well);
        }
    }
    let before = survivor.switched();
    assert_eq!(survivor.outlive(None), Ended::Well);
    assert_eq!(survivor.switched(), before + 1);
}

/// One whose connections move, however busy the machine is.
pub(crate) fn context() -> Context {
    let switching = Switching::new(&["tcp"], "shm").patience(PATIENCE);
    let built = Context::builder().switching(switching.ring(RING)).build();
    built.expect("a context")
}

/// A place on tcp where nobody listens.
pub(crate) fn free_place() -> String {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("tcp://{}", taken.local_addr().expect("a port"))
}
