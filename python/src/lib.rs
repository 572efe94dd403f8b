//! The native half of the Python package `ferromq`.
//!
//! ```text
//!   ferromq, ferromq.zmq, ferromq.asyncio, communicators   Python: names, types
//!   ──────────────────────────────────────────────────────────────────────────
//!   ferromq._native   contexts, sockets, frames: this crate
//!     wait     a call in slices, without the GIL, that Ctrl-C ends
//!     lent     Python's memory while a message is made of it
//!     gil      giving it away, and asking for it again
//!     errors   the runtime's errors as exceptions, mapped once
//!   ──────────────────────────────────────────────────────────────────────────
//!   ferromq           the runtime
//! ```
//! No lock of the runtime is held while the GIL is waited for: what the I/O
//! thread gives back is queued (`lent`) and released by whoever has the GIL.

mod authenticator;
mod buffer;
mod context;
mod convert;
mod curve;
mod dlpack;
mod errors;
mod fork;
mod frame;
mod gil;
mod lent;
mod loan;
mod monitor;
mod numpy;
mod options;
mod poll;
mod socket;
mod statistics;
mod tensor;
mod tracker;
mod wait;

/// Sockets, contexts and frames; the package `ferromq` is what to import.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    #[pymodule_init]
    fn init(module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        crate::fork::check_interpreter(module.py())
    }

    #[pymodule_export]
    use crate::context::{Context, close_all};
    #[pymodule_export]
    use crate::curve::{curve_keypair, curve_public};
    #[pymodule_export]
    use crate::dlpack::Loan;
    #[pymodule_export]
    use crate::fork::forked;
    #[pymodule_export]
    use crate::frame::{Frame, Peer};
    #[pymodule_export]
    use crate::monitor::Monitor;
    #[pymodule_export]
    use crate::numpy::plain_array;
    #[pymodule_export]
    use crate::poll::poll;
    #[pymodule_export]
    use crate::socket::Socket;
    #[pymodule_export]
    use crate::tensor::{
        TensorHeader, next_sequence, parse_tensor_header, plain_header, whole_header,
    };
    #[pymodule_export]
    use crate::tracker::Tracker;
}
