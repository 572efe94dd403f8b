//! Verbs in software: a network of devices within one process, with faults.
//!
//! Whatever is posted is carried out by a thread of the fabric's, later and in its own
//! time, so that nothing is complete when the call that posted it returns: what only
//! works on a quick device is found out here. Descriptors are real ones.
//!
//! ```text
//!   Queue ── post ──▶ ┌─────────── State, behind one lock ───────────┐
//!                     │ pairs: operations, receives, registrations   │ ◀── carrier: one
//!   Queue ◀─ poll ─── │        completions, events, what is armed    │     operation at
//!     fd ◀─ ring ──── │ doors: who waits to be accepted              │     a time
//!                     └──────────────────────────────────────────────┘
//! ```

mod connect;
mod faults;
mod meeting;
mod pair;
mod queue;
mod state;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

pub use faults::LinkState;

use super::{Dialling, Listening, Provider, Served};
use connect::{SoftDialling, SoftListening};
use state::State;

/// Devices in software that reach each other, and nobody else.
///
/// Clones are the same fabric. Its thread ends with the last of them and of the links
/// that were made over it.
#[derive(Clone)]
pub struct Fabric(Arc<Owner>);

/// What the thread and everybody else share.
struct Shared {
    state: Mutex<State>,
    /// There is something to carry out, or nobody is left.
    work: Condvar,
}

/// Ends the thread.
struct Owner(Arc<Shared>);

impl Fabric {
    /// A fabric with one device, at 127.0.0.1.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn new() -> io::Result<Self> {
        Self::with_devices(&[Ipv4Addr::LOCALHOST.into()])
    }

    /// A fabric with a device at each of these addresses, whose interfaces are called
    /// `soft0`, `soft1` and so on. Without any, everything is refused as where there is
    /// no device.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn with_devices(addresses: &[IpAddr]) -> io::Result<Self> {
        static FABRICS: AtomicU64 = AtomicU64::new(0);
        // Relaxed: a number that nobody else has, and nothing more.
        let number = FABRICS.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(number, addresses.to_vec())),
            work: Condvar::new(),
        });
        let carried = shared.clone();
        thread::Builder::new()
            .name("ferromq-fabric".into())
            .spawn(move || carried.carry())?;
        Ok(Self(Arc::new(Owner(shared))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock()
    }

    /// Changes the state, and has the thread look at it.
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.0.0.work.notify_all();
        result
    }
}

impl std::fmt::Debug for Fabric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fabric").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: one thing at a time, and others get their turn in between.
    fn carry(&self) {
        loop {
            let mut state = self.lock();
            while !state.is_stopped() && !state.perform_one() {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            if state.is_stopped() {
                return;
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().stop();
        self.0.work.notify_all();
    }
}

impl Provider for Fabric {
    fn network(&self) -> [u8; 16] {
        let mut network = *b"software........";
        network[8..].copy_from_slice(&self.lock().number.to_be_bytes());
        network
    }

    fn addresses(&self) -> io::Result<Vec<Served>> {
        let state = self.lock();
        if state.devices.is_empty() {
            return Err(Errno::NODEV.into());
        }
        let served = |(number, address): (usize, &IpAddr)| Served {
            interface: format!("soft{number}"),
            address: *address,
        };
        Ok(state.devices.iter().enumerate().map(served).collect())
    }

    fn listen(&self, at: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listening>> {
        Ok(Box::new(SoftListening::new(self, at, backlog)?))
    }

    fn dial(&self, to: SocketAddr, from: Option<SocketAddr>) -> io::Result<Box<dyn Dialling>> {
        Ok(Box::new(SoftDialling::new(self, to, from)?))
    }
}

/// A descriptor that is readable for as long as something was rung and not taken.
#[derive(Clone)]
struct Bell(Arc<OwnedFd>);

impl Bell {
    fn new() -> io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE;
        Ok(Self(Arc::new(eventfd(0, flags)?)))
    }

    fn ring(&self) {
        // Fails only when 2^64 - 2 rings wait.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Takes one ring, if there is any.
    fn take(&self) -> bool {
        rustix::io::read(&*self.0, &mut [0_u8; 8]).is_ok()
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests;
