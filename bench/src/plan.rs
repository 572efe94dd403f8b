//! What is measured of which workload: its sizes, transports and places.

use crate::job::{Placement, Shape, Via, Workload};

impl Workload {
    /// The shapes that are measured unless the command line names others, of
    /// which a quick run takes the essential ones.
    pub(crate) fn shapes(self, via: Via, quick: bool) -> &'static [Shape] {
        const KIB: usize = 1 << 10;
        const MIB: usize = 1 << 20;
        const fn sized<const N: usize>(sizes: [usize; N]) -> [Shape; N] {
            let mut shapes = [Shape::of_size(0); N];
            let mut index = 0;
            while index < N {
                shapes[index].size = sizes[index];
                index += 1;
            }
            shapes
        }
        const STREAM: &[Shape] = &sized([8, 64, KIB, 64 * KIB, MIB, 10 * MIB]);
        const SHORTER_STREAM: &[Shape] = &sized([64, KIB, 64 * KIB, 10 * MIB]);
        const ASKED: &[Shape] = &sized([8, 64, KIB]);
        const SMALL: &[Shape] = &[Shape::of_size(64)];
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
        match (self, via) {
            (Self::PushPull, Via::Tcp) if !quick => STREAM,
            (Self::PushPull, Via::Inproc) if quick => SMALL,
            (Self::PushPull, Via::Ipc) if quick => SHORTER_STREAM.split_at(2).0,
            (Self::PushPull, _) => SHORTER_STREAM,
            (Self::ReqRep, Via::Tcp) if !quick => ASKED,
            (Self::ReqRep | Self::Proxy, _) => SMALL,
            (Self::PubSub, Via::Tcp) if !quick => FAN_OUT,
            (Self::PubSub, Via::Tcp) => FAN_OUT,
            (Self::PubSub, _) => FAN_OUT.split_at(1).0,
            (Self::Topics, _) => TOPICS,
            (Self::DealerRouter, _) if quick => PIPELINED.split_at(1).0,
            (Self::DealerRouter, _) => PIPELINED,
            (Self::Clients, _) => CLIENTS,
            (Self::Backlog, _) => &[],
        }
    }

    /// Where its processes run, unless the command line says so.
    pub(crate) fn placements(self, quick: bool) -> &'static [Placement] {
        use Placement::{CoreEach, OneCore, Unpinned};
        match self {
            Self::ReqRep if quick => &[OneCore, CoreEach],
            Self::PushPull | Self::ReqRep | Self::DealerRouter if !quick => {
                &[OneCore, CoreEach, Unpinned]
            }
            Self::PubSub if !quick => &[OneCore, CoreEach, Unpinned],
            // Where the processes share a core, the plain one takes most of it.
            _ => &[CoreEach],
        }
    }

    /// The transports over which it is measured.
    pub(crate) fn runs_over(self, via: Via) -> bool {
        match self {
            Self::PushPull | Self::ReqRep => true,
            Self::PubSub | Self::DealerRouter => via != Via::Inproc,
            Self::Topics | Self::Clients | Self::Proxy | Self::Backlog => via == Via::Tcp,
        }
    }
}
