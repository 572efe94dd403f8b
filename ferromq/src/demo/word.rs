//! What a peer tells the conductor: a line each.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use super::tally::Tally;

/// What the conductor says on a peer's standard input, the only word there.
pub(crate) const GO: &str = "go";

/// One line on a peer's standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// Where the binding side listens.
    Endpoint(String),
    /// The other side may go on.
    Ready,
    /// It is done.
    Report(Report),
    /// It failed, and why.
    Failed(String),
}

/// What one side saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Report {
    pub(crate) sent: Tally,
    pub(crate) received: Tally,
    /// How long it took, where this side can tell; else zero.
    pub(crate) elapsed: Duration,
}

/// A line that is no [`Word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unknown;

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(endpoint) => write!(f, "endpoint {endpoint}"),
            Self::Ready => f.write_str("ready"),
            Self::Report(Report {
                sent,
                received,
                elapsed,
            }) => {
                write!(f, "report {sent} {received} {}", elapsed.as_nanos())
            }
            // A line must stay a line.
            Self::Failed(cause) => write!(f, "failed {}", cause.replace('\n', " ")),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.messages, self.bytes)?;
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Word {
    type Err = Unknown;

    fn from_str(line: &str) -> Result<Self, Unknown> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("endpoint", endpoint) => Ok(Self::Endpoint(endpoint.into())),
            ("ready", "") => Ok(Self::Ready),
            ("report", report) => report_from(report).map(Self::Report).ok_or(Unknown),
            ("failed", cause) => Ok(Self::Failed(cause.into())),
            _ => Err(Unknown),
        }
    }
}

fn report_from(text: &str) -> Option<Report> {
    let mut fields = text.split_whitespace();
    let sent = tally_from(&mut fields)?;
    let received = tally_from(&mut fields)?;
    let elapsed = Duration::from_nanos(fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(Report {
        sent,
        received,
        elapsed,
    })
}

fn tally_from(fields: &mut SplitWhitespace<'_>) -> Option<Tally> {
    let messages = fields.next()?.parse().ok()?;
    let bytes = fields.next()?.parse().ok()?;
    let digits = fields.next()?;
    let mut digest = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(Tally {
        messages,
        bytes,
        digest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        let tally = Tally {
            messages: 3,
            bytes: 1 << 40,
            digest: [0xa5; 32],
        };
        let report = Report {
            sent: tally,
            received: Tally::default(),
            elapsed: Duration::new(2, 7),
        };
        for word in [
            Word::Endpoint("ipc:///tmp/a b".into()),
            Word::Ready,
            Word::Report(report),
            Word::Failed("no room: 3 of 4".into()),
        ] {
            assert_eq!(word.to_string().parse(), Ok(word));
        }
    }

    #[test]
    fn other_lines_are_unknown() {
        for line in ["", "report", "report 1 2 3", "ready or not", "hello"] {
            assert_eq!(line.parse::<Word>(), Err(Unknown), "{line}");
        }
        assert_eq!(Word::Failed("a\nb".into()).to_string(), "failed a b");
    }
}
