//! How large a payload this machine can hold twice.

/// The size to move: `wanted`, or less when the sender's and the receiver's
/// copy would not fit into free memory with a third as much to spare.
pub(crate) fn affordable(wanted: usize) -> usize {
    match std::fs::read_to_string("/proc/meminfo")
        .ok()
        .as_deref()
        .and_then(available)
    {
        Some(bytes) => wanted.min(bytes / 3),
        None => wanted,
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: usize = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_memory_is_read() {
        let meminfo = "MemTotal:        8000 kB\nMemAvailable:       30 kB\nBuffers: 1 kB\n";
        assert_eq!(available(meminfo), Some(30 * 1024));
        assert_eq!(available("MemTotal: 8000 kB\n"), None);
    }
}
