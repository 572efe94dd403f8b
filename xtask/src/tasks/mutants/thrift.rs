//! What makes a mutant cheap, and what ends a test that does not end: cargo's
//! settings for the copy, in a file above it.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process;

/// The package with the mistake is compiled most quickly if it is not optimised; what it
/// depends on, cryptography for one, stays as it is and is worth it.
const PROFILES: &str = r#"
[profile.test]
debug = false
opt-level = 0

[profile.test.package."*"]
opt-level = 2

[profile.dev]
debug = false
opt-level = 0

[profile.dev.package."*"]
opt-level = 2
"#;

/// More than any test takes.
const MEMORY: u64 = 4 << 30;

/// For a test that waits and does not work, if work is counted.
const ASLEEP: Duration = Duration::from_secs(3600);

/// What `cargo test` says of a program whose share of the processor was used up.
const USED_UP: &str = "SIGXCPU";

/// What a command took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    time: Duration,
    /// Of the processor, where the system tells.
    work: Option<Duration>,
}

impl Took {
    /// Runs a command, which our process has to wait for.
    pub(super) fn by<T>(run: impl FnOnce() -> T) -> (Self, T) {
        let (started, before) = (Instant::now(), work_of_children());
        let result = run();
        let work = work_of_children().zip(before);
        let took = Self {
            time: started.elapsed(),
            work: work.map(|(after, before)| after.saturating_sub(before)),
        };
        (took, result)
    }
}

/// What ended children of ours, and theirs, took of the processor.
fn work_of_children() -> Option<Duration> {
    // A hundredth of a second each, wherever Linux tells user space.
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in parentheses, and may have spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(13);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

/// What ends a test that a mistake keeps from ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// So much work, whatever else the machine does meanwhile.
    Work(Duration),
    /// So much time, where nothing limits a program's work.
    Time(Duration),
}

impl Patience {
    /// For tests without a mistake: they have to pass in the memory that all get.
    pub(super) fn longest() -> Self {
        match process::succeeds(Command::new("prlimit").arg("--version")) {
            true => Self::Work(ASLEEP),
            false => Self::Time(ASLEEP),
        }
    }

    /// Six times what some tests take without a mistake.
    pub(super) fn after(took: Took) -> Self {
        match (Self::longest(), took.work) {
            (Self::Work(_), Some(work)) => Self::Work((work * 6).max(Duration::from_secs(5))),
            _ => Self::Time((took.time * 6).max(Duration::from_secs(8))),
        }
    }

    /// When to end a test, whatever it does.
    pub(super) fn timeout(self) -> Duration {
        match self {
            Self::Work(_) => ASLEEP,
            Self::Time(time) => time,
        }
    }

    /// The program, and its arguments, that runs another within these limits; empty where
    /// nothing limits work.
    pub(super) fn limits(self) -> Vec<String> {
        let Self::Work(work) = self else {
            return Vec::new();
        };
        // Beyond the first number there is a signal, which we know again.
        let (signal, end) = (work.as_secs(), work.as_secs().saturating_mul(2));
        let (work, memory) = (format!("--cpu={signal}:{end}"), format!("--as={MEMORY}"));
        vec!["prlimit".to_owned(), work, memory]
    }

    /// Cargo's setting: a program that is run for tests, and runs them.
    fn runner(self) -> String {
        match self.limits() {
            limits if limits.is_empty() => String::new(),
            limits => format!("[target.'cfg(unix)']\nrunner = {limits:?}\n"),
        }
    }
}

/// Writes cargo's settings for what is below `folder`.
pub(super) fn settle(folder: &Path, patience: Patience) -> io::Result<()> {
    fs::create_dir_all(folder.join(".cargo"))?;
    let settings = patience.runner() + PROFILES;
    fs::write(folder.join(".cargo/config.toml"), settings)
}

/// Whether a test that failed, failed because it did not end.
pub(super) fn used_up(log: &str) -> bool {
    log.contains(USED_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_counted_in_work_where_that_is_limited() {
        let work = Patience::Work(Duration::from_secs(8));
        assert!(work.runner().contains("\"--cpu=8:16\""));
        assert_eq!(work.timeout(), ASLEEP);
        let time = Patience::Time(Duration::from_secs(8));
        assert_eq!(time.runner(), "");
        assert_eq!(time.timeout(), Duration::from_secs(8));
    }

    /// What decides between a failed test and one that does not end.
    #[test]
    fn who_works_too_long_is_known_by_the_signal() {
        let mut endless = Command::new("prlimit");
        endless.args(["--cpu=1:30", "sh", "-c", "while :; do :; done"]);
        let (took, status) = Took::by(|| endless.status());
        let Patience::Work(patience) = Patience::after(took) else {
            return println!("skipped: nothing counts or limits work here");
        };
        let status = status.expect("prlimit runs");
        assert!(used_up(&status.to_string()), "{status}");
        assert!(patience >= Duration::from_millis(5_400), "{patience:?}");
    }
}
