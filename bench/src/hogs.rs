//! Others on the same cores, who never sleep.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::peers::Failure;
use crate::sys;

/// A thread on each core that this program may use. Dropping it ends them.
pub(crate) struct Hogs {
    enough: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Hogs {
    pub(crate) fn on_each_core() -> Result<Self, Failure> {
        let mut hogs = Self {
            enough: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for core in sys::allowed_cores()? {
            let enough = hogs.enough.clone();
            let thread = thread::Builder::new().spawn(move || {
                // Where it may not be kept there it is a hog all the same.
                let _ = sys::pin_to(core);
                // Not `spin_loop`: a hypervisor may take its instruction for idleness.
                while !enough.load(Ordering::Relaxed) {
                    hint::black_box(core);
                }
            })?;
            hogs.threads.push(thread);
        }
        Ok(hogs)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot panic.
            let _ = thread.join();
        }
    }
}
