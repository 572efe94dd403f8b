//! What a row costs in memory. Whoever measures has the process for itself
//! ([`alone`]), for the counts are the process's.

use std::fs;

use ferromq_tests::{Counting, Limited};
pub(crate) use ferromq_tests::{alone, live};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes of address space that the process has, touched or not.
pub(crate) fn reserved() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("procfs");
    let pages = statm.split(' ').next().map(str::parse::<i64>);
    pages.expect("a first field").expect("a number") * 4096
}

/// Lets the process have so many descriptors. False, and it is said that this
/// was not run, where the system does not allow as many.
pub(crate) fn has_descriptors(wanted: u64) -> bool {
    let (_, hard) = descriptor_limits();
    if hard < wanted {
        println!("skipped: {wanted} descriptors are needed, {hard} can be had");
        return false;
    }
    limit_descriptors(hard);
    true
}

/// Sets the soft limit on descriptors.
pub(crate) fn limit_descriptors(soft: u64) {
    Limited::Descriptors.set(soft);
}

/// The soft and the hard limit on descriptors.
pub(crate) fn descriptor_limits() -> (u64, u64) {
    Limited::Descriptors.limits()
}
