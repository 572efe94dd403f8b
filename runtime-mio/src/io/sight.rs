//! The reactor tells what is bound and connected.

use std::sync::mpsc::SyncSender;
use std::time::Instant;

use super::SocketId;
use super::connector::{Connector, Stage};
use super::listener::Listening;
use super::reactor::Reactor;
use crate::{EndpointSnapshot, EndpointState};

/// The endpoints of all sockets.
pub(crate) type Endpoints = Vec<(SocketId, EndpointSnapshot)>;

impl Reactor {
    /// Answers with every endpoint. O(endpoints of the context).
    pub(super) fn describe(&self, answer: &SyncSender<Endpoints>) {
        let now = Instant::now();
        let bound = self.listeners.iter().map(|(_, listening)| bound(listening));
        let connected = self.connectors.values().map(|c| connected(c, now));
        // Who asked may have gone; there is room for the one answer.
        let _ = answer.try_send(bound.chain(connected).collect());
    }
}

fn bound(listening: &Listening) -> (SocketId, EndpointSnapshot) {
    let endpoint = EndpointSnapshot {
        endpoint: listening.endpoint.as_ref().to_owned(),
        state: EndpointState::Listening,
        connections: listening.accepted,
        failure: None,
    };
    (listening.core.id, endpoint)
}

fn connected(connector: &Connector, now: Instant) -> (SocketId, EndpointSnapshot) {
    let pause = connector
        .retry_at
        .map_or(Default::default(), |at| at.saturating_duration_since(now));
    let endpoint = EndpointSnapshot {
        endpoint: connector.text.as_ref().to_owned(),
        state: match connector.stage {
            Stage::Resolving => EndpointState::Resolving,
            Stage::Connecting(_) => EndpointState::Connecting,
            Stage::Handshaking(_) => EndpointState::Handshaking,
            Stage::Established => EndpointState::Connected,
            Stage::Waiting => EndpointState::Retrying { pause },
            Stage::Refused => EndpointState::Refused,
        },
        connections: connector.connections,
        failure: connector.failure.clone(),
    };
    (connector.core.id, endpoint)
}
