//! The table that the demonstration prints, and the line below it that shows
//! that something goes on.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::act::Act;
use super::conductor::Outcome;
use super::tally::Tally;
use crate::cli::Failure;

/// Rows so far, and the progress line.
pub(crate) struct Table {
    progress: ProgressBar,
    rows: u64,
    moved: u64,
}

impl Table {
    pub(crate) fn start(rows: usize) -> Result<Self, Failure> {
        let progress = ProgressBar::new(rows as u64);
        let style = ProgressStyle::with_template("  {spinner} {wide_msg} {pos}/{len}");
        progress.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        progress.enable_steady_tick(Duration::from_millis(100));
        let table = Self {
            progress,
            rows: 0,
            moved: 0,
        };
        table.print("FerroMQ, each row between two processes on this machine:\n")?;
        let titles = columns("pattern", "over", "what moved", "how fast", "arrived");
        table.print(&titles)?;
        Ok(table)
    }

    /// Says what is being done.
    pub(crate) fn working(&self, act: Act, transport: &str) {
        self.progress
            .set_message(format!("{act} over {transport} …"));
    }

    /// Adds an act that went well.
    pub(crate) fn row(
        &mut self,
        act: Act,
        transport: &str,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let row = columns(
            &act.to_string(),
            transport,
            &moved(act, outcome),
            &speed(act, outcome),
            &proof(act, outcome),
        );
        self.progress.inc(1);
        self.rows += 1;
        self.moved += total(outcome).bytes;
        self.print(&row)
    }

    /// Adds a remark.
    pub(crate) fn note(&self, text: &str) -> Result<(), Failure> {
        self.print(text)
    }

    /// Adds the last line.
    pub(crate) fn finish(self, elapsed: Duration) -> Result<(), Failure> {
        let Self { rows, moved, .. } = &self;
        self.print(&format!(
            "\nEverything arrived whole: {rows} of {rows} rows, {} in {:.1} s.",
            bytes(*moved),
            elapsed.as_secs_f64()
        ))
    }

    fn print(&self, line: &str) -> Result<(), Failure> {
        let print = || writeln!(std::io::stdout(), "{line}");
        self.progress.suspend(print).map_err(Failure::output)
    }
}

impl Drop for Table {
    /// Takes the progress line away.
    fn drop(&mut self) {
        self.progress.finish_and_clear();
    }
}

fn columns(pattern: &str, over: &str, moved: &str, speed: &str, arrived: &str) -> String {
    format!("  {pattern:<15} {over:<5} {moved:<31} {speed:<24} {arrived}")
}

fn total(outcome: &Outcome) -> Tally {
    let (there, back) = (outcome.bind.sent, outcome.connect.sent);
    Tally {
        messages: there.messages + back.messages,
        bytes: there.bytes + back.bytes,
        digest: there.digest,
    }
}

fn moved(act: Act, outcome: &Outcome) -> String {
    let Tally {
        messages,
        bytes: amount,
        ..
    } = total(outcome);
    match act {
        Act::Payload => format!("{} in one message", bytes(amount)),
        Act::Rate => format!("{} messages of 64 B", grouped(messages)),
        Act::ReqRep => format!("{} round trips, {}", grouped(messages / 2), bytes(amount)),
        _ => format!("{} messages, {}", grouped(messages), bytes(amount)),
    }
}

/// Told by the side that connects: it receives, or knows when it asked.
fn speed(act: Act, outcome: &Outcome) -> String {
    let report = &outcome.connect;
    let received = report.received;
    let seconds = report.elapsed.as_secs_f64();
    if seconds == 0.0 {
        return "too fast to tell".into();
    }
    match act {
        Act::Payload => format!("{}/s", bytes((received.bytes as f64 / seconds) as u64)),
        Act::ReqRep => format!(
            "{:.1} µs a round trip",
            seconds * 1e6 / received.messages as f64
        ),
        _ => format!(
            "{} messages/s",
            grouped((received.messages as f64 / seconds) as u64)
        ),
    }
}

fn proof(act: Act, outcome: &Outcome) -> String {
    match act {
        Act::Rate => "whole, in order".into(),
        _ => {
            let [a, b, c, d, ..] = total(outcome).digest;
            format!("whole, SHA-256 {a:02x}{b:02x}{c:02x}{d:02x}…")
        }
    }
}

/// An amount of bytes with its unit: `17 B`, `4.8 MiB`, `1 GiB`.
pub(crate) fn bytes(amount: u64) -> String {
    let (unit, name) = match amount {
        ..1_024 => return format!("{amount} B"),
        1_024..1_048_576 => (1_u64 << 10, "KiB"),
        1_048_576..1_073_741_824 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    match amount % unit {
        0 => format!("{} {name}", amount / unit),
        _ => format!("{:.1} {name}", amount as f64 / unit as f64),
    }
}

/// A number with its thousands apart: `5,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(5_000), "5,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn amounts_have_the_largest_unit_that_fits() {
        assert_eq!(bytes(17), "17 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(1 << 30), "1 GiB");
        assert_eq!(bytes((3 << 30) / 2), "1.5 GiB");
    }
}
