//! What is measured: one job is one workload, of one contender, in one place.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One run of two worker processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) cell: Cell,
    pub(crate) contender: Contender,
    /// Messages, or round trips, before the clock starts.
    pub(crate) warm_up: u64,
    /// Messages, or round trips, that are measured.
    pub(crate) count: u64,
}

/// A group of rows of the table: the jobs whose figures may be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) workload: Workload,
    /// Length of a message's body in bytes.
    pub(crate) size: usize,
    pub(crate) via: Via,
    pub(crate) placement: Placement,
}

impl Cell {
    /// The few messages that tell how many fill the time of a run.
    pub(crate) fn pilot_count(&self) -> u64 {
        const PILOT_BYTES: u64 = 128 << 20;
        let most = match self.workload {
            Workload::ReqRep => 2_000,
            Workload::PushPull => 200_000,
        };
        (PILOT_BYTES / self.size.max(1) as u64).clamp(8, most)
    }

    /// Whether copying a body costs enough for a zero-copy row of its own.
    pub(crate) fn has_zero_copy_rows(&self) -> bool {
        self.workload == Workload::PushPull && self.size >= 64 << 10
    }
}

/// A pattern and what is measured of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// The rate of one PUSH to one PULL.
    PushPull,
    /// The round-trip time of one REQ and one REP.
    ReqRep,
}

impl Workload {
    /// The sizes that are measured unless the command line names others.
    pub(crate) fn sizes(self) -> &'static [usize] {
        match self {
            Self::PushPull => &[64, 1 << 10, 64 << 10, 10 << 20],
            Self::ReqRep => &[64],
        }
    }
}

/// The transport under the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Via {
    /// Over 127.0.0.1.
    Tcp,
    /// Over a Unix socket in the directory of temporary files.
    Ipc,
}

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Placement {
    /// Both on the first core that this process may use.
    OneCore,
    /// The one that binds on the first core, the one that connects on the next.
    CoreEach,
    /// Wherever the scheduler likes.
    Unpinned,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Contender {
    /// Blocking sockets, as well as they can be used: the limit.
    Raw,
    /// libzmq, copying each body into a message.
    Libzmq,
    /// libzmq, sending the caller's buffer (`zmq_msg_init_data`).
    LibzmqZeroCopy,
    /// FerroMQ, sending from a borrowed slice.
    Ferromq,
    /// FerroMQ, sending a message that shares its body.
    FerromqZeroCopy,
}

impl Contender {
    /// Whether it is a zero-copy row, which only long messages have.
    pub(crate) fn is_zero_copy(self) -> bool {
        matches!(self, Self::LibzmqZeroCopy | Self::FerromqZeroCopy)
    }
}

/// Which of the two processes a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Role {
    /// Binds: the receiver, or the replier.
    Server,
    /// Connects: the sender, or the requester.
    Client,
}

impl Role {
    /// The one that it talks to.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PushPull => "push-pull",
            Self::ReqRep => "req-rep",
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OneCore => "one core",
            Self::CoreEach => "a core each",
            Self::Unpinned => "unpinned",
        })
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raw => "raw",
            Self::Libzmq => "libzmq",
            Self::LibzmqZeroCopy => "libzmq 0-copy",
            Self::Ferromq => "ferromq",
            Self::FerromqZeroCopy => "ferromq 0-copy",
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = format_size(self.size);
        write!(
            f,
            "{} {size} {} {}",
            self.workload, self.via, self.placement
        )
    }
}

/// A size in the largest unit that divides it.
pub(crate) fn format_size(bytes: usize) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_divides_them() {
        let shown: Vec<_> = [0, 64, 1000, 1 << 10, 64 << 10, 10 << 20, (1 << 20) + 1]
            .map(format_size)
            .into_iter()
            .collect();
        assert_eq!(
            shown,
            [
                "0 B",
                "64 B",
                "1000 B",
                "1 KiB",
                "64 KiB",
                "10 MiB",
                "1048577 B"
            ]
        );
    }

    #[test]
    fn a_pilot_of_any_size_sends_something_and_stays_short() {
        for size in [0, 1, 64, 64 << 10, 10 << 20, 1 << 40] {
            for workload in [Workload::PushPull, Workload::ReqRep] {
                let cell = Cell {
                    workload,
                    size,
                    via: Via::Tcp,
                    placement: Placement::Unpinned,
                };
                assert!((8..=200_000).contains(&cell.pilot_count()), "{cell}");
            }
        }
    }
}
