//! Why a command ended early, and with which exit code.

use std::fmt;
use std::io;
use std::time::Duration;

use super::text::EscapeError;

/// What ends a command before its work is done. `Display` is the one line that
/// is printed: what, and where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The library's answer, which names the endpoint.
    #[error(transparent)]
    Library(#[from] ferromq::Error),
    /// The proxy's, which names its socket.
    #[error(transparent)]
    Proxy(#[from] ferromq::ProxyError),
    /// The status of a process cannot be had, or served.
    #[error(transparent)]
    Status(#[from] ferromq::status::StatusError),
    /// No process shows its status.
    #[error(
        "no process of yours shows its status: start one with FERROMQ_STATUS=1 in its environment"
    )]
    NothingServed,
    /// `--timeout` passed while waiting.
    #[error("{waited_for} within {} on {place}", Seconds(*timeout))]
    TimedOut {
        waited_for: &'static str,
        timeout: Duration,
        place: String,
    },
    /// Messages that nobody took before `--linger` was over.
    #[error("{messages} messages were not delivered to {place} and are discarded")]
    Undelivered { messages: u64, place: String },
    /// A message source that cannot be read.
    #[error("cannot read {source_name}: {cause}")]
    Input {
        source_name: String,
        cause: io::Error,
    },
    /// A line that is no message.
    #[error("standard input, line {line}: {cause}")]
    Line { line: u64, cause: EscapeError },
    /// A line for a ROUTER whose first field is no identity.
    #[error("standard input, line {line}: the first field is no identity in hexadecimal")]
    Identity { line: u64 },
    /// A request came and no line is left to answer it.
    #[error("standard input ended: the last request stays without a reply")]
    NoReplyLeft,
    /// Standard output refuses what is printed.
    #[error("cannot write to standard output: {cause}")]
    Output { cause: io::Error },
    /// A file that cannot be written.
    #[error("cannot write {file}: {cause}")]
    File { file: String, cause: io::Error },
    /// Keys, users or passwords that cannot be used, or are missing.
    #[error("{0}")]
    Security(String),
    /// The command for replies does not run.
    #[error("cannot run sh -c {command:?}: {cause}")]
    Command { command: String, cause: io::Error },
    /// The system refused something else.
    #[error("cannot {what}: {cause}")]
    System {
        what: &'static str,
        cause: io::Error,
    },
    /// A directory that files cannot be received into.
    #[error("cannot receive into {directory}: {cause}")]
    Directory { directory: String, cause: io::Error },
    /// The demonstration found something wrong.
    #[error("demo: {0}")]
    Demo(String),
    /// A failure that was told already.
    #[error("see above")]
    Told,
    /// Whoever read our output has seen enough. Not an error.
    #[error("standard output was closed")]
    OutputClosed,
    /// Ended by a signal.
    #[error("ended by signal {signal}")]
    Interrupted { signal: i32 },
}

impl Failure {
    /// What a write to standard output failed with.
    pub(crate) fn output(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Output { cause },
        }
    }

    /// For `map_err` on system calls.
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::System { what, cause }
    }

    /// 0 when nobody listens any more, 128 and the signal's number as shells
    /// have it, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Interrupted { signal } => u8::try_from(128 + signal).unwrap_or(1),
            _ => 1,
        }
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(
            self,
            Self::OutputClosed | Self::Interrupted { .. } | Self::Told
        )
    }

    /// Whether what was to be sent is at fault.
    pub(crate) fn is_input(&self) -> bool {
        use ferromq::Error::{Group, WrongParts};
        matches!(
            self,
            Self::Input { .. }
                | Self::Line { .. }
                | Self::Identity { .. }
                | Self::Library(WrongParts { .. } | Group(_))
        )
    }
}

/// A duration as people write it: `2 s`, `0.5 s`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_the_only_quiet_success() {
        let failure = Failure::output(io::ErrorKind::BrokenPipe.into());
        assert!(failure.is_quiet());
        assert_eq!(failure.exit_code(), 0);
        let failure = Failure::output(io::ErrorKind::StorageFull.into());
        assert!(!failure.is_quiet());
        assert_eq!(failure.exit_code(), 1);
    }

    #[test]
    fn signals_end_as_shells_expect() {
        assert_eq!(Failure::Interrupted { signal: 2 }.exit_code(), 130);
        assert_eq!(Failure::Interrupted { signal: 15 }.exit_code(), 143);
    }

    #[test]
    fn a_timeout_says_what_how_long_and_where() {
        let failure = Failure::TimedOut {
            waited_for: "no message came",
            timeout: Duration::from_millis(500),
            place: "tcp://127.0.0.1:5555".into(),
        };
        let expected = "no message came within 0.5 s on tcp://127.0.0.1:5555";
        assert_eq!(failure.to_string(), expected);
    }
}
