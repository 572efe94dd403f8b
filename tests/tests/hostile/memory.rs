//! What a row costs in memory. Whoever measures has the process for itself
//! ([`alone`]), for the counts are the process's.

use std::fs;
use std::process::Command;

use ferromq_tests::Counting;
pub(crate) use ferromq_tests::live;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Set in a process that runs one test only.
const ALONE: &str = "FERROMQ_HOSTILE_ALONE";

/// Runs this test again in a process of its own, and what it measures there.
///
/// `measured` has to be a closure of the test itself: its type has the name of
/// the test.
pub(crate) fn alone<F: FnOnce()>(measured: F) {
    if std::env::var_os(ALONE).is_some() {
        return measured();
    }
    let path = std::any::type_name::<F>();
    let test = path
        .trim_end_matches("::{{closure}}")
        .split_once("::")
        .map_or(path, |(_, test)| test);
    let mut command = Command::new(std::env::current_exe().expect("our own path"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    let output = command.env(ALONE, "1").output().expect("our own program");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} alone: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

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
    let (_, hard) = descriptor_limits();
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // SAFETY: a live structure.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0, "{soft} descriptors of {hard}");
}

/// The soft and the hard limit on descriptors.
pub(crate) fn descriptor_limits() -> (u64, u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a live, writable structure.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(asked, 0);
    (limit.rlim_cur, limit.rlim_max)
}
