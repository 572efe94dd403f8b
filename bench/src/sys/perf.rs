//! Counts system calls with the kernel's own counter, which disturbs nothing.
//!
//! It takes a privilege (CAP_PERFMON, or root) and the kernel's tracepoints.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Counts the system calls of this thread, and of the processes that it starts
/// from now on, their threads included.
pub(crate) struct SystemCalls(File);

impl SystemCalls {
    /// Starts to count.
    ///
    /// # Errors
    /// What the kernel says when this user may not, or when it cannot.
    pub(crate) fn start() -> io::Result<Self> {
        let attributes = Attributes {
            kind: TRACEPOINT,
            size: size_of::<Attributes>() as u32,
            config: tracepoint_id()?,
            flags: INHERIT,
            ..Attributes::default()
        };
        let (this_thread, any_cpu, no_group) = (0, -1, -1);
        // SAFETY: the kernel reads `size` bytes of the live attributes; the
        // other arguments are numbers.
        let counter = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &attributes,
                this_thread,
                any_cpu,
                no_group,
                FD_CLOEXEC,
            )
        };
        if counter < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just returned this descriptor, to us alone.
        let counter = unsafe { OwnedFd::from_raw_fd(counter as RawFd) };
        Ok(Self(counter.into()))
    }

    /// How many there were. Those of a process count once it has ended.
    pub(crate) fn read(&mut self) -> io::Result<u64> {
        let mut count = [0; 8];
        self.0.read_exact(&mut count)?;
        Ok(u64::from_ne_bytes(count))
    }
}

/// The first version of `struct perf_event_attr`, which every kernel takes.
#[derive(Default)]
#[repr(C)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    breakpoint_address: u64,
}

/// `PERF_FLAG_FD_CLOEXEC`: the counter is not for the processes counted.
const FD_CLOEXEC: libc::c_ulong = 1 << 3;
/// `PERF_TYPE_TRACEPOINT`.
const TRACEPOINT: u32 = 2;
/// The second of the flags: children are counted, too.
const INHERIT: u64 = 1 << 1;

fn tracepoint_id() -> io::Result<u64> {
    const EVENT: &str = "tracing/events/raw_syscalls/sys_enter/id";
    let id = fs::read_to_string(format!("/sys/kernel/{EVENT}"))
        .or_else(|_| fs::read_to_string(format!("/sys/kernel/debug/{EVENT}")))?;
    id.trim().parse().map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_that_does_more_makes_more_calls() {
        let calls_of = |bytes: &str| -> io::Result<u64> {
            let mut counter = SystemCalls::start()?;
            let mut dd = Command::new("dd");
            dd.args(["if=/dev/zero", "of=/dev/null", "bs=1", "status=none"]);
            assert!(dd.arg(format!("count={bytes}")).status()?.success());
            counter.read()
        };
        // Whoever may not count has nothing to test; sys/ptrace.rs is for them.
        let (Ok(little), Ok(much)) = (calls_of("1000"), calls_of("31000")) else {
            eprintln!("not tested: this user may not count system calls");
            return;
        };
        // A read and a write a byte; starting a process varies by a few.
        let per_byte = (much - little) as f64 / 30_000.0;
        assert!((per_byte - 2.0).abs() < 0.01, "{per_byte} calls a byte");
    }
}
