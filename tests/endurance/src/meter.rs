//! What this process uses: memory, descriptors, time.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;

/// What a process uses at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Bytes allocated and not freed.
    pub(crate) live: i64,
    /// Bytes of memory that it occupies (VmRSS).
    pub(crate) resident: i64,
    /// Open descriptors.
    pub(crate) descriptors: i64,
    /// Those of them that are memory to share: rings, and regions to lend from. A context
    /// keeps the latter for the next payload of their length.
    pub(crate) shared: i64,
}

impl Usage {
    pub(crate) fn now() -> Result<Self, Failure> {
        Ok(Self {
            live: ferromq_tests::live(),
            resident: resident()?,
            descriptors: descriptors()?,
            shared: shared()?,
        })
    }
}

fn resident() -> Result<i64, Failure> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).ok_or("statm has no second field")?;
    let page = i64::try_from(rustix::param::page_size())?;
    Ok(pages.parse::<i64>()?.saturating_mul(page))
}

/// Open descriptors of this process.
pub(crate) fn descriptors() -> Result<i64, Failure> {
    // One is the folder's own.
    let open = fs::read_dir("/proc/self/fd")?.count().saturating_sub(1);
    Ok(i64::try_from(open)?)
}

/// Open descriptors of memory that is shared.
fn shared() -> Result<i64, Failure> {
    let open = fs::read_dir("/proc/self/fd")?.filter_map(Result::ok);
    let names = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    let shared = names.filter(|name| name.to_string_lossy().starts_with("/memfd:"));
    Ok(i64::try_from(shared.count())?)
}

/// CPU time that this process has used. Needs no descriptor.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Lets this process have as many descriptors as it may. False: that is fewer
/// than `wanted`.
pub(crate) fn raise_descriptors(wanted: u64) -> Result<bool, Failure> {
    let limit = getrlimit(Resource::Nofile);
    set_descriptors(limit.maximum)?;
    Ok(limit.maximum.is_none_or(|most| most >= wanted))
}

/// The most descriptors that this process may let itself have.
pub(crate) fn most_descriptors() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

/// Sets the soft limit on descriptors; `None` is no limit.
pub(crate) fn set_descriptors(soft: Option<u64>) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    let changed = Rlimit {
        current: soft,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, changed)?)
}
