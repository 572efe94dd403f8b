//! The end of a handshake: which path to take, and what the socket gets.

use std::sync::Arc;
use std::time::Duration;

use ferromq_transport::Link;
use ferromq_wire::{Features, SwitchSide};

use super::dialogue::Dialogue;
use super::moving::{Moved, Moving};
use super::{Handshake, Origin, Progress, Watcher};
use crate::inproc::End as InprocEnd;
use crate::link::Sealing;
use crate::socket::Established;
use crate::switching::{Routes, Switched};
use crate::{Options, PeerInfo};

impl Handshake {
    /// Everything is said but, perhaps, which path to take.
    pub(super) fn complete(
        mut self,
        mut dialogue: Box<Dialogue>,
        watcher: Watcher<'_>,
    ) -> (Option<Self>, Progress) {
        let session = dialogue.connection.mechanism_mut().take_session();
        let sealing = session.map(|session| Sealing::new(&session, &self.options.limits));
        let features = dialogue.connection.features();
        // Also where the peer knows of none of ours: it waits to hear that.
        if features.contains(Features::SWITCH) {
            let routes = self.routes.clone().agreed(features);
            let side = match self.origin {
                Origin::Accepted => SwitchSide::Accepted,
                Origin::Connected(_) => SwitchSide::Connected,
            };
            let beside = self.link.local_endpoint();
            self.moving = Some(Moving::new(dialogue, sealing, side, routes, beside));
            return self.drive_moving(watcher);
        }
        let (link, end) = self.ends();
        let moved = Moved {
            link,
            first_bytes: std::mem::take(&mut dialogue.unread),
            switched: Switched::No,
        };
        (None, progress(end, *dialogue, sealing, moved))
    }

    pub(super) fn drive_moving(mut self, watcher: Watcher<'_>) -> (Option<Self>, Progress) {
        let Some(mut moving) = self.moving.take() else {
            return (Some(self), Progress::Pending);
        };
        let undecided = match moving.go_on(&mut *self.link, watcher) {
            Ok(true) => None,
            Ok(false) => Some(Progress::Pending),
            Err(failure) => Some(Progress::Failed(failure)),
        };
        if let Some(progress) = undecided {
            self.moving = Some(moving);
            return (Some(self), progress);
        }
        let (link, end) = self.ends();
        let (dialogue, sealing, moved) = moving.finish(link, watcher);
        (None, progress(end, *dialogue, sealing, moved))
    }

    /// What is left of it when it is over.
    fn ends(self) -> (Box<dyn Link>, End) {
        let end = End {
            options: self.options,
            endpoint: self.endpoint,
            origin: self.origin,
            routes: self.routes,
        };
        (self.link, end)
    }

    /// Whether everything is said but which path to take.
    pub(in crate::io) fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// How long that may take from now on, if somebody is to tell when it is over.
    pub(in crate::io) fn moving_limit(&self) -> Option<Duration> {
        let limited = self.moving.as_deref().filter(|it| it.is_limited());
        limited.map(|moving| moving.patience())
    }

    /// That time is over. The handshake is to be driven on.
    pub(in crate::io) fn moving_timed_out(&mut self) {
        if let Some(moving) = &mut self.moving {
            moving.timed_out();
        }
    }

    /// A poller saw a hang-up on a descriptor of this handshake.
    pub(in crate::io) fn handle_hangup(&mut self) {
        self.link.handle_hangup();
        if let Some(moving) = &mut self.moving {
            moving.handle_hangup();
        }
    }
}

/// What a handshake leaves to what comes of it.
struct End {
    options: Arc<Options>,
    endpoint: Arc<str>,
    origin: Origin,
    routes: Routes,
}

fn progress(end: End, dialogue: Dialogue, sealing: Option<Sealing>, moved: Moved) -> Progress {
    match establish(end, dialogue, sealing, moved) {
        Some(established) => Progress::Established(Box::new(established)),
        None => Progress::Failed(String::from("the handshake did not complete").into()),
    }
}

fn establish(
    end: End,
    dialogue: Dialogue,
    sealing: Option<Sealing>,
    mut moved: Moved,
) -> Option<Established> {
    let End {
        options,
        endpoint,
        origin,
        routes,
    } = end;
    let peer = dialogue.connection.peer();
    let socket_type = peer
        .socket_type
        .map_or("", |socket_type| socket_type.name());
    let address = moved.link.peer().endpoint.to_string();
    let identity = dialogue.connection.peer_identity(&dialogue.scratch);
    let info = PeerInfo::new(socket_type, address).with_identity(identity);
    let info = dialogue.with_properties(info);
    let version = peer.version.negotiated();
    let limits = options.limits;
    let inline_max = match (InprocEnd::of(&mut *moved.link), &sealing) {
        // What was handed over is looked for there, not in the stream.
        (Some(_), _) => crate::link::BY_HANDLE - 1,
        (None, Some(sealing)) => sealing.inline_max(),
        (None, None) => crate::link::INLINE_MAX,
    };
    let features = dialogue.connection.features();
    let halves = dialogue.connection.establish(limits, inline_max)?;
    Some(Established {
        link: moved.link,
        options,
        halves,
        sealing,
        by_reference: features.contains(Features::BY_REFERENCE),
        version,
        peer: Arc::new(info),
        first_bytes: moved.first_bytes,
        switched: moved.switched,
        no_fabric: routes.why_not(features, moved.switched),
        endpoint,
        connector: match origin {
            Origin::Accepted => None,
            Origin::Connected(connector) => Some(connector),
        },
    })
}
