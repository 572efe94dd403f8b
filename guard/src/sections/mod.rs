//! What is counted. A name once given stays, for the stored figures go by it.

mod patterns;
mod sockets;
mod wire;

use crate::meter::{EMPTY, section};

/// What went wrong while a section was prepared or run.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Bytes of a small message.
pub(crate) const SMALL: usize = 64;

/// Whether there are several cores. With one, a receive that finds nothing sleeps
/// at once where it else spins: that is another figure, which is not stored.
pub(crate) fn several_cores() -> bool {
    // SAFETY: takes one integer and touches no memory of ours.
    let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    online > 1
}

/// Runs every section.
pub(crate) fn run() -> Result<(), Failure> {
    section(EMPTY, 1, |meter| meter.count(|| ()));
    wire::run()?;
    patterns::run()?;
    sockets::run()
}
