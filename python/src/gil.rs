//! Giving the GIL away, and asking for it again.
//!
//! Who asks for the GIL while another thread has it sleeps, which costs a microsecond or
//! two and, where a core has to be woken, 30 more. Two threads of a process that ask and
//! answer would meet like that at each message: one is back from its send while the other
//! makes an answer of what came, for half a microsecond. So who comes back while a thread
//! has the GIL that is expected to be in a call of ours soon waits for that, awake, for as
//! long as falling asleep would have cost. Whether it pays is learnt.

mod turns;

use pyo3::prelude::*;

use turns::Turns;

/// Calls without the GIL, and asks for it when that is done.
#[inline]
pub(crate) fn without<T: Send>(py: Python<'_>, call: impl FnOnce() -> T + Send) -> T {
    let me = this_thread();
    let result = py.detach(|| {
        TURNS.left(me);
        let result = call();
        TURNS.wait();
        result
    });
    TURNS.has(me);
    result
}

static TURNS: Turns = Turns::new();

/// A number of this thread's that no other one has while it lives.
#[inline]
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}
