//! What is measured of which workload: its sizes, transports and places, by whom.
//!
//! A whole run is to take 20 to 25 minutes. So each workload is measured in all
//! three places at the sizes that goals are about, and elsewhere with a core
//! each, which is where sizes and contenders differ most.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::job::{Cell, Contender, Mechanism, Placement, Shape, Via, Workload};
use crate::measure::Effort;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// How much is measured, unless the command line says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Plan {
    /// What goals are about, in three minutes.
    Quick,
    /// Everything.
    Full,
}

/// Bodies between two sockets.
const STREAM: &[Shape] = &sized([64, KIB, 64 * KIB, 10 * MIB]);
const LONGER_STREAM: &[Shape] = &sized([8, 64, KIB, 64 * KIB, MIB, 10 * MIB]);
/// Where nothing is copied, length is to cost nothing.
const LOANED_STREAM: &[Shape] = &sized([64, KIB, 64 * KIB, 10 * MIB, GIB]);
const SHORT_STREAM: &[Shape] = &sized([64, KIB]);
const SHORTEST_AND_LONGEST: &[Shape] = &sized([64, 10 * MIB]);
const SMALL: &[Shape] = &sized([64]);
const ASKED: &[Shape] = &sized([8, 64, KIB]);
const FAN_OUT: &[Shape] = &[
    Shape::new(64, 8, 1),
    Shape::new(64, 100, 1),
    Shape::new(64, 1_000, 1),
];
const TOPICS: &[Shape] = &[
    Shape::new(64, 1, 1_000_000),
    Shape::new(64, 1_000, 1_000_000),
];
const PIPELINED: &[Shape] = &[Shape::new(64, 1, 100), Shape::new(KIB, 1, 100)];
const CLIENTS: &[Shape] = &[
    Shape::new(64, 10, 10),
    Shape::new(64, 10_000, 10),
    Shape::new(64, 10_000, 10_000),
];

const fn sized<const N: usize>(sizes: [usize; N]) -> [Shape; N] {
    let mut shapes = [Shape::of_size(0); N];
    let mut index = 0;
    while index < N {
        shapes[index].size = sizes[index];
        index += 1;
    }
    shapes
}

impl Plan {
    /// Rounds, and seconds that a run measures.
    pub(crate) fn effort(self) -> Effort {
        let (rounds, seconds) = match self {
            Self::Quick => (3, 0.1),
            Self::Full => (5, 0.2),
        };
        Effort {
            rounds,
            seconds,
            plan: self,
        }
    }

    /// The shapes of a workload; none where it is not measured.
    pub(crate) fn shapes(self, of: Workload, via: Via, by: Mechanism) -> &'static [Shape] {
        use Workload::{Backlog, Clients, DealerRouter, Proxy, PubSub, PushPull, ReqRep, Topics};
        let full = self == Self::Full;
        match (of, via) {
            (PushPull, Via::Tcp) if by == Mechanism::Curve => STREAM,
            (ReqRep, Via::Tcp) if by == Mechanism::Curve => SMALL,
            _ if by == Mechanism::Curve => &[],
            (ReqRep, Via::TcpSwitched) => SMALL,
            (_, Via::TcpSwitched) => &[],
            (PushPull, Via::Tcp) if full => LONGER_STREAM,
            (PushPull, Via::Inproc) if !full => SMALL,
            (PushPull, Via::Ipc) if !full => SHORT_STREAM,
            (PushPull, Via::Shm) if full => LOANED_STREAM,
            (PushPull, Via::Shm) => SHORTEST_AND_LONGEST,
            (PushPull, _) => STREAM,
            (ReqRep, Via::Tcp) if full => ASKED,
            (ReqRep, _) => SMALL,
            (PubSub, Via::Tcp) => FAN_OUT,
            (PubSub, Via::Ipc) => &FAN_OUT[..1],
            (PubSub, Via::Shm) if full => &FAN_OUT[..1],
            (DealerRouter, Via::Tcp) if full => PIPELINED,
            (DealerRouter, Via::Tcp) => &PIPELINED[..1],
            (DealerRouter, Via::Ipc | Via::Shm) if full => &PIPELINED[..1],
            (Topics, Via::Tcp) => TOPICS,
            (Clients, Via::Tcp) if full => CLIENTS,
            (Clients, Via::Tcp) => &CLIENTS[1..],
            (Proxy, Via::Tcp) => SMALL,
            (PubSub | Topics | DealerRouter | Clients | Proxy | Backlog, _) => &[],
        }
    }

    /// What connections are secured by.
    pub(crate) fn mechanisms(self) -> &'static [Mechanism] {
        match self {
            Self::Quick => &[Mechanism::Null],
            Self::Full => Mechanism::value_variants(),
        }
    }

    /// Where the processes of a cell run; its placement does not matter.
    pub(crate) fn placements(self, cell: &Cell) -> &'static [Placement] {
        use Placement::{Contended, CoreEach, OneCore, Unpinned};
        use Workload::{DealerRouter, PubSub, PushPull, ReqRep};
        let Shape { size, peers, .. } = cell.shape;
        let (tcp, inproc) = (cell.via == Via::Tcp, cell.via == Via::Inproc);
        match cell.workload {
            // A round trip with a core each is mostly waking the other core.
            ReqRep if self == Self::Quick => &[OneCore, CoreEach],
            ReqRep if cell.mechanism == Mechanism::Curve || size != 64 => &[OneCore, CoreEach],
            _ if self == Self::Quick || cell.mechanism == Mechanism::Curve => &[CoreEach],
            ReqRep if tcp || cell.via == Via::Ipc => &[OneCore, CoreEach, Unpinned, Contended],
            ReqRep => &[OneCore, CoreEach, Unpinned],
            PushPull if inproc && size > 64 => &[CoreEach],
            PushPull if !STREAM.contains(&cell.shape) => &[CoreEach],
            PushPull => &[OneCore, CoreEach, Unpinned],
            PubSub if tcp && peers == 8 => &[OneCore, CoreEach, Unpinned],
            DealerRouter if tcp && size == 64 => &[OneCore, CoreEach, Unpinned],
            // Where the processes share a core, the plain one takes most of it.
            _ => &[CoreEach],
        }
    }

    /// Whether a contender takes part in a cell, unless it was named.
    pub(crate) fn asks(self, contender: Contender, cell: &Cell) -> bool {
        match contender {
            // They are seldom the best, and no goal is about them.
            Contender::LibzmqSystem | Contender::Nng => {
                self == Self::Full && cell.placement == Placement::CoreEach
            }
            // They are over a Unix socket there, which is measured as such.
            Contender::Libzmq | Contender::LibzmqZeroCopy | Contender::Zeromq | Contender::Rzmq => {
                self == Self::Full || cell.via != Via::Shm
            }
            _ => true,
        }
    }
}

impl Cell {
    /// About how long a run of one contender takes, in seconds, with the
    /// processes that it starts.
    pub(crate) fn cost(&self, effort: Effort) -> f64 {
        let subscriptions = match self.workload {
            Workload::Topics => self.shape.load,
            _ => 0,
        };
        let setup = match self.has_plain_peers() {
            true => 150e-6 * self.shape.peers as f64 + 3e-6 * subscriptions as f64,
            false => 0.0,
        };
        let measured = match self.is_heavy() || self.has_loans_only() {
            true => 1.5,
            false => 1.2 * effort.seconds,
        };
        START + setup + measured
    }
}

/// Seconds to start and end the processes of a run.
const START: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_of_a_whole_run_is_measured_with_a_core_each() {
        for workload in Workload::value_variants() {
            let shapes = Plan::Full.shapes(*workload, Via::Tcp, Mechanism::Null);
            assert!(!shapes.is_empty(), "{workload}");
            for shape in shapes {
                let cell = Cell::new(*workload, *shape, Via::Tcp, Placement::CoreEach);
                let placements = Plan::Full.placements(&cell);
                assert!(placements.contains(&Placement::CoreEach), "{cell}");
            }
        }
    }

    #[test]
    fn a_quick_run_measures_nothing_that_a_whole_one_does_not() {
        for workload in Workload::value_variants() {
            for via in Via::value_variants() {
                let full = Plan::Full.shapes(*workload, *via, Mechanism::Null);
                let quick = Plan::Quick.shapes(*workload, *via, Mechanism::Null);
                assert!(quick.iter().all(|shape| full.contains(shape)));
            }
        }
    }
}
