//! Tests that have a process for themselves, and what such a process may have.

use std::process::Command;

/// Set in a process that runs one test only.
const ALONE: &str = "FERROMQ_TEST_ALONE";

/// Runs this test again in a process of its own, and `measured` there.
///
/// `measured` has to be a closure of the test itself: its type has the name of the test.
///
/// # Panics
/// When the test fails there.
pub fn alone<F: FnOnce()>(measured: F) {
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

/// What a process may have only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    /// Descriptors (`RLIMIT_NOFILE`).
    Descriptors,
    /// Bytes of a file (`RLIMIT_FSIZE`).
    FileSize,
}

impl Limited {
    /// The soft and the hard limit.
    ///
    /// # Panics
    /// Where the system does not tell.
    #[must_use]
    pub fn limits(self) -> (u64, u64) {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        let asked = match self {
            // SAFETY: a live, writable structure.
            Self::Descriptors => unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) },
            // SAFETY: the same.
            Self::FileSize => unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) },
        };
        assert_eq!(asked, 0, "{self:?}");
        (limit.rlim_cur, limit.rlim_max)
    }

    /// Sets the soft limit, for the whole process.
    ///
    /// # Panics
    /// When that is more than the hard one.
    pub fn set(self, soft: u64) {
        let (_, hard) = self.limits();
        let limit = libc::rlimit {
            rlim_cur: soft,
            rlim_max: hard,
        };
        let set = match self {
            // SAFETY: a live structure.
            Self::Descriptors => unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) },
            // SAFETY: the same.
            Self::FileSize => unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) },
        };
        assert_eq!(set, 0, "{soft} of {hard}: {self:?}");
    }
}
