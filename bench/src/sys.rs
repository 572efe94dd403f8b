//! The system calls that the standard library lacks. All of the benchmark's
//! own unsafe code is here, in the files of `sys/`, and in the interface to libzmq.

pub(crate) mod perf;
pub(crate) mod ptrace;
pub(crate) mod words;

use std::fs;
use std::io;
use std::mem::{self, MaybeUninit};
use std::time::Duration;

/// The cores that this process may run on, in order.
pub(crate) fn allowed_cores() -> io::Result<Vec<usize>> {
    // SAFETY: a cpu_set_t is plain bits; all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the kernel writes at most the given size to the live set.
    let got = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) };
    check(got)?;
    let all = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: the number is below CPU_SETSIZE, the bits in the set.
    Ok(all
        .filter(|core| unsafe { libc::CPU_ISSET(*core, &set) })
        .collect())
}

/// Keeps this thread, and the threads that it makes, on `core`.
pub(crate) fn pin_to(core: usize) -> io::Result<()> {
    // SAFETY: as in `allowed_cores`.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `allowed_cores` returned the number, below CPU_SETSIZE.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the kernel reads the given size of the live set.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) })
}

/// User and system time that all threads of this process took so far.
pub(crate) fn cpu_time() -> Duration {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to storage of the right size. RUSAGE_SELF cannot
    // fail with a valid pointer.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    // SAFETY: zeroed before the call, and integers only.
    let usage = unsafe { usage.assume_init() };
    duration(usage.ru_utime) + duration(usage.ru_stime)
}

/// A field of `/proc/self/status` that is given in kB: `VmHWM`, `RssAnon`.
///
/// Not `ru_maxrss`: that one survives exec and would count the coordinator.
pub(crate) fn status_bytes(field: &str) -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    number
        .map(|kilobytes| kilobytes << 10)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Bytes that malloc gave out and did not get back, over all arenas.
pub(crate) fn heap_bytes() -> u64 {
    // SAFETY: mallinfo2 has no preconditions.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks + info.hblkhd) as u64
}

/// Allows this process as many descriptors as it may have, and says how many.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live rlimit.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is to a live rlimit.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) })?;
    Ok(limit.rlim_max)
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_micros(time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64)
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_core_and_memory() {
        assert!(!allowed_cores().unwrap().is_empty());
        assert!(status_bytes("VmHWM").unwrap() >= status_bytes("RssAnon").unwrap());
        assert!(status_bytes("NoSuchField").is_err());
    }

    #[test]
    fn the_heap_grows_by_what_is_allocated() {
        // Other tests allocate and free at the same time, but not megabytes.
        let before = heap_bytes();
        let held = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert!(heap_bytes() >= before + (48 << 20));
        drop(held);
    }
}
