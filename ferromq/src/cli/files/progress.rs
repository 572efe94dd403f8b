//! A bar for each file on its way, on a terminal; a line for each that arrived,
//! always.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{BinaryBytes, MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::error::Failure;

/// All bars of a command. Where standard error is no terminal there are none.
pub(super) struct Bars(MultiProgress);

/// The bar of one file; it goes away when dropped.
pub(super) struct Bar {
    bar: ProgressBar,
    started: Instant,
}

/// A file that is where it should be.
pub(super) struct Whole<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    /// Bytes that were there from before.
    pub(super) from: u64,
    pub(super) sha256: &'a [u8; 32],
}

const TEMPLATE: &str = "  {msg} [{wide_bar}] {binary_bytes} of {binary_total_bytes}, \
                        {binary_bytes_per_sec}, {eta} left";

impl Bars {
    pub(super) fn new() -> Self {
        Self(MultiProgress::new())
    }

    pub(super) fn add(&self, name: &str, size: u64) -> Bar {
        let bar = self.0.add(ProgressBar::new(size));
        if !bar.is_hidden() {
            let style = ProgressStyle::with_template(TEMPLATE);
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Bar {
            bar,
            started: Instant::now(),
        }
    }

    /// Prints a line on standard output, above the bars.
    pub(super) fn print(&self, line: &str) -> Result<(), Failure> {
        let print = || {
            let mut out = std::io::stdout().lock();
            writeln!(out, "{line}").and_then(|()| out.flush())
        };
        self.0.suspend(print).map_err(Failure::output)
    }

    /// Prints a line on standard error, above the bars.
    pub(super) fn say(&self, line: &str) {
        self.0
            .suspend(|| crate::cli::say(std::format_args!("{line}")));
    }
}

impl Bar {
    /// So many bytes are there, some of them perhaps from before.
    pub(super) fn resume_at(&self, written: u64) {
        self.bar.set_position(written);
        self.bar.reset_eta();
    }

    pub(super) fn set(&self, written: u64, size: u64) {
        if self.bar.length() != Some(size) {
            self.bar.set_length(size);
            self.bar.reset_eta();
        }
        self.bar.set_position(written);
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Whole<'_> {
    /// `photo.jpg: 4.80 MiB in 0.1 s, SHA-256 …`
    pub(super) fn line(&self, elapsed: Duration) -> String {
        let size = BinaryBytes(self.size);
        let how = match self.from {
            from if from == self.size && from > 0 => ", there already".to_owned(),
            0 => format!(" in {:.1} s", elapsed.as_secs_f64()),
            from => format!(
                ", {} of it from before, in {:.1} s",
                BinaryBytes(from),
                elapsed.as_secs_f64()
            ),
        };
        let hash: String = self
            .sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}: {size}{how}, SHA-256 {hash}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_there_and_since_when() {
        let line = |from| {
            let whole = Whole {
                name: "a",
                size: 2048,
                from,
                sha256: &[0xab; 32],
            };
            whole.line(Duration::from_millis(1500))
        };
        let hash = "ab".repeat(32);
        assert_eq!(line(0), format!("a: 2.00 KiB in 1.5 s, SHA-256 {hash}"));
        assert_eq!(
            line(1024),
            format!("a: 2.00 KiB, 1.00 KiB of it from before, in 1.5 s, SHA-256 {hash}")
        );
        assert_eq!(
            line(2048),
            format!("a: 2.00 KiB, there already, SHA-256 {hash}")
        );
    }
}
