//! What this process holds: descriptors, and shared memory of the transport's.

use std::collections::BTreeSet;
use std::fs;
use std::os::linux::fs::MetadataExt;

use ferromq_tests::until;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    /// But for those of regions.
    descriptors: usize,
    /// The same.
    mappings: usize,
    /// Regions that we lend from, which stay for the next payload.
    regions: usize,
}

impl Holdings {
    pub(crate) fn now() -> Self {
        let (regions, descriptors) = descriptors();
        let maps = fs::read_to_string("/proc/self/maps").expect("our mappings");
        let shared = maps.lines().filter(|it| it.contains("memfd:ferromq-shm"));
        let file = |line: &str| line.split_whitespace().nth(4)?.parse::<u64>().ok();
        let others = shared.filter(|it| file(it).is_none_or(|file| !regions.contains(&file)));
        Self {
            descriptors,
            mappings: others.count(),
            regions: regions.len(),
        }
    }

    /// What is held when nothing goes on: who connects again and again holds one
    /// descriptor more now and then.
    pub(crate) fn at_rest() -> Self {
        until("no memory is shared", || {
            (Self::now().mappings == 0).then_some(())
        });
        let looks = (0..50).map(|_| Self::now().descriptors);
        Self {
            descriptors: looks.min().unwrap_or(0),
            mappings: 0,
            regions: Self::now().regions,
        }
    }

    /// Waits until no more is held than this.
    pub(crate) fn are_back(self) {
        until("descriptors and mappings are back", || {
            let now = Self::now();
            let back = (now.descriptors, now.mappings) == (self.descriptors, self.mappings);
            // Which of them stay is a matter of who died when.
            (back && now.regions <= self.regions).then_some(())
        });
    }
}

/// The files of regions of ours, by their inodes: a ring's is closed once it was sent. And
/// how many other descriptors there are.
fn descriptors() -> (BTreeSet<u64>, usize) {
    let (mut regions, mut others) = (BTreeSet::new(), 0);
    for descriptor in fs::read_dir("/proc/self/fd").expect("ours") {
        let path = descriptor.expect("a descriptor").path();
        let is_region = fs::read_link(&path)
            .is_ok_and(|file| file.to_string_lossy().contains("memfd:ferromq-shm"));
        match is_region.then(|| fs::metadata(&path)) {
            Some(Ok(status)) => {
                regions.insert(status.st_ino());
            }
            _ => others += 1,
        }
    }
    (regions, others)
}
