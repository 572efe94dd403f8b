//! Brings one of our sockets and one of theirs together.

use ferromq::{Options, SocketType};
use ferromq_tests::{Ours, Via, ZmqSocket};

/// Which side binds; the other connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binder {
    Ours,
    Theirs,
}

/// A way for two sockets to meet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) binder: Binder,
    pub(crate) via: Via,
}

/// Both binders over both transports.
pub(crate) const EVERY_WAY: [Way; 4] = [
    Way {
        binder: Binder::Ours,
        via: Via::Tcp,
    },
    Way {
        binder: Binder::Ours,
        via: Via::Ipc,
    },
    Way {
        binder: Binder::Theirs,
        via: Via::Tcp,
    },
    Way {
        binder: Binder::Theirs,
        via: Via::Ipc,
    },
];

/// Makes a socket of ours that meets `theirs`.
pub(crate) fn join(
    socket_type: SocketType,
    options: Options,
    theirs: &ZmqSocket<'_>,
    way: Way,
) -> Ours {
    match way.binder {
        Binder::Ours => {
            let ours = Ours::bound(socket_type, options, way.via);
            theirs.connect(ours.endpoint());
            ours
        }
        Binder::Theirs => {
            let place = way.via.place();
            let endpoint = theirs.bind(place.endpoint());
            Ours::connected(socket_type, options, &endpoint).keeping(place)
        }
    }
}
