//! The hand-over under loom.
//!
//! The code is the real one; what surrounds it is modelled: the socket's lock
//! by loom's mutex (`lock::models` has the real one), the kernel's epolls by a
//! mutex and a condition variable.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p ferromq-mio --release --lib models
//! ```

mod asking;
mod left;
mod socket;
mod waiting;
