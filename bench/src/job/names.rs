//! What is measured, in words.

use std::fmt;

use super::{Cell, Contender, Mechanism, Placement, Role, Shape, Via, Workload};

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Middle => "middle",
            Self::Both => "both",
        })
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::PushPull => "push-pull",
            Self::ReqRep => "req-rep",
            Self::PubSub => "pub-sub",
            Self::Topics => "topics",
            Self::DealerRouter => "dealer-router",
            Self::Clients => "clients",
            Self::Proxy => "proxy",
            Self::Backlog => "backlog",
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Ipc => "ipc",
            Self::Inproc => "inproc",
            Self::Shm => "shm",
            Self::TcpSwitched => "tcp, switched",
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OneCore => "one core",
            Self::CoreEach => "a core each",
            Self::Unpinned => "unpinned",
            Self::Contended => "contended",
        })
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Raw => "raw",
            Self::RawBusy => "raw, busy",
            Self::Memcpy => "memcpy",
            Self::Words => "words",
            Self::Libzmq => "libzmq",
            Self::LibzmqZeroCopy => "libzmq 0-copy",
            Self::LibzmqSystem => "libzmq, Debian",
            Self::Omq => "omq-tokio",
            Self::Zeromq => "zeromq",
            Self::Rzmq => "rzmq",
            Self::Iceoryx2 => "iceoryx2",
            Self::Nng => "libnng",
            Self::Ferromq => "ferromq",
            Self::FerromqZeroCopy => "ferromq 0-copy",
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (workload, placement) = (self.workload, self.placement);
        let (shape, carrier) = (self.format_shape(), self.format_carrier());
        write!(f, "{workload} {shape} {carrier} {placement}")
    }
}

impl Cell {
    /// The transport, and what secures it.
    pub(crate) fn format_carrier(&self) -> String {
        match self.mechanism {
            Mechanism::Null => self.via.to_string(),
            Mechanism::Curve => format!("{} CURVE", self.via),
        }
    }

    /// The shape in the words of the workload: `64 B to 8`.
    pub(crate) fn format_shape(&self) -> String {
        let Shape { size, peers, load } = self.shape;
        let size = format_size(size);
        match self.workload {
            Workload::PubSub => format!("{size} to {peers}"),
            Workload::Topics => format!("{size}, {peers} x {}", load / peers.max(1)),
            Workload::Clients => format!("{size}, {load} of {peers}"),
            Workload::DealerRouter => format!("{size}, {load} deep"),
            Workload::Backlog => format!("{size}, {load} wait"),
            Workload::PushPull | Workload::ReqRep | Workload::Proxy => size,
        }
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
}
