//! Waiting for several sockets and descriptors at once.

use std::os::fd::{BorrowedFd, OwnedFd};

use ferromq::{Error, Interest, PollEvent, Poller};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors;
use crate::socket::Socket;
use crate::wait::{Wait, in_slices};

const IN: u32 = 1;
const OUT: u32 = 2;

/// Waits until one of `entries` is ready: pairs of a socket or a descriptor and
/// of what to wait for (1 to receive, 2 to send, 3 either). Answers what each is
/// ready for, in their order; all zeros when the time is over.
#[pyfunction(name = "_poll")]
#[pyo3(signature = (entries, timeout = None))]
pub(crate) fn poll(
    py: Python<'_>,
    entries: Vec<(Bound<'_, PyAny>, u32)>,
    timeout: Option<f64>,
) -> PyResult<Vec<u32>> {
    let mut wait = timeout.map_or(Ok(Wait::Endless), Wait::of_seconds)?;
    let mut poller = Poller::new();
    let mut ready = vec![0; entries.len()];
    for (at, (target, flags)) in entries.iter().enumerate() {
        let Some(interest) = interest(*flags)? else {
            continue;
        };
        match target.cast::<Socket>() {
            Ok(socket) => {
                let socket = socket.get();
                poller.add(Handle(socket.open(py)?), at, interest);
                if socket.keeps_any() && flags & IN != 0 {
                    ready[at] |= IN;
                    wait = Wait::Not;
                }
            }
            Err(_) => poller.add_fd(duplicate(py, target)?, at, interest),
        }
    }
    let mut events: Vec<PollEvent> = Vec::new();
    let found = in_slices(py, wait, || {
        poller.wait(&mut events, Some(wait.left().0))?;
        match events.is_empty() && wait != Wait::Not {
            true => Err(Error::TimedOut),
            false => Ok(()),
        }
    });
    match found {
        Err(error) if !error.is_instance_of::<pyo3::exceptions::PyTimeoutError>(py) => {
            return Err(error);
        }
        _ => {}
    }
    for event in events {
        let readiness = event.readiness;
        ready[event.key] |= u32::from(readiness.readable) * IN;
        ready[event.key] |= u32::from(readiness.writable) * OUT;
    }
    Ok(ready)
}

/// A socket for the poller, which asks for a reference.
struct Handle(ferromq::AnySocket);

impl AsRef<ferromq::AnySocket> for Handle {
    fn as_ref(&self) -> &ferromq::AnySocket {
        &self.0
    }
}

fn interest(flags: u32) -> PyResult<Option<Interest>> {
    match flags {
        0 => Ok(None),
        IN => Ok(Some(Interest::Readable)),
        OUT => Ok(Some(Interest::Writable)),
        3 => Ok(Some(Interest::Both)),
        _ => Err(PyValueError::new_err(format!(
            "cannot poll for {flags:#x}: 1 is to receive, 2 to send, 3 either"
        ))),
    }
}

/// A descriptor of our own, for the poller owns what it waits for.
fn duplicate(py: Python<'_>, target: &Bound<'_, PyAny>) -> PyResult<OwnedFd> {
    let fd: i32 = match target.extract() {
        Ok(fd) => fd,
        Err(_) => target.call_method0("fileno")?.extract()?,
    };
    let system = |cause| {
        let what = "wait for a descriptor";
        errors::raise(py, &Error::System { what, cause })
    };
    if fd < 0 {
        return Err(PyValueError::new_err(format!("{fd} is no descriptor")));
    }
    // SAFETY: used for this call only, in which Python's object keeps it open; a
    // number that is no descriptor makes the call fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned().map_err(system)
}
