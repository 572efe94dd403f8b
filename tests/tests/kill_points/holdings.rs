//! What this process holds: descriptors, and shared memory of the transport's.

use std::fs;

use ferromq_tests::until;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holdings {
    descriptors: usize,
    mappings: usize,
}

impl Holdings {
    pub(crate) fn now() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").expect("our mappings");
        let shared = maps.lines().filter(|it| it.contains("memfd:ferromq-shm"));
        Self {
            descriptors: fs::read_dir("/proc/self/fd").expect("ours").count(),
            mappings: shared.count(),
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
        }
    }

    /// Waits until no more is held than this.
    pub(crate) fn are_back(self) {
        until("descriptors and mappings are back", || {
            (Self::now() == self).then_some(())
        });
    }
}
