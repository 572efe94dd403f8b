//! Putting a proxy together, and which sockets fit where.

use std::sync::Arc;

use ferromq_wire::SocketType;

use super::handle::Shared;
use super::lane::Lane;
use super::station::Station;
use super::{Proxy, ProxyError, ProxyRole, ProxyStatistics};
use crate::AnySocket;

/// Puts a [`Proxy`] together; from [`Proxy::builder`].
#[derive(Debug)]
#[must_use]
pub struct ProxyBuilder {
    frontend: AnySocket,
    backend: AnySocket,
    capture: Option<AnySocket>,
    control: Option<AnySocket>,
}

impl ProxyBuilder {
    pub(super) fn new(frontend: AnySocket, backend: AnySocket) -> Self {
        Self {
            frontend,
            backend,
            capture: None,
            control: None,
        }
    }

    /// Gives a copy of each message that passes, in either direction, to this
    /// PUB, XPUB, PUSH, DEALER or PAIR socket. Frames of 8 KiB and more are
    /// shared, not copied.
    ///
    /// A capture socket without room, or without a peer, goes without the copy,
    /// and [`ProxyStatistics::capture_missed`] counts it: whoever listens in
    /// does not hold up those who talk. (In libzmq the proxy waits for him.)
    pub fn capture(mut self, socket: impl Into<AnySocket>) -> Self {
        self.capture = Some(socket.into());
        self
    }

    /// Obeys the words that come to this PAIR, REP, SUB or PULL socket, each a
    /// message of one frame, as libzmq's `zmq_proxy_steerable` does: `PAUSE`,
    /// `RESUME`, `TERMINATE`, and `STATISTICS`. Other messages are ignored.
    ///
    /// The reply to `STATISTICS` is a message of eight frames, each a 64-bit
    /// number in the machine's byte order: messages and bytes received by the
    /// frontend, messages and bytes sent by it, and the same of the backend.
    /// A REP socket replies to everything else with one empty frame; a PAIR
    /// socket does not reply, and SUB and PULL cannot.
    ///
    /// This is what libzmq's manual says. libzmq 4.3.5 itself counts frames for
    /// messages, and takes `PAUSE` and `RESUME` for each other.
    pub fn control(mut self, socket: impl Into<AnySocket>) -> Self {
        self.control = Some(socket.into());
        self
    }

    /// Checks that the sockets fit.
    ///
    /// # Errors
    /// [`ProxyError::Unfit`], [`ProxyError::NoWay`] and [`ProxyError::Shared`]
    /// by the sockets' types and roles, [`ProxyError::System`] when a descriptor
    /// cannot be had.
    pub fn build(self) -> Result<Proxy, ProxyError> {
        let front = Station::new(ProxyRole::Frontend, self.frontend);
        let back = Station::new(ProxyRole::Backend, self.backend);
        let station = |role| move |socket| Station::new(role, socket);
        let capture = self.capture.map(station(ProxyRole::Capture));
        let control = self.control.map(station(ProxyRole::Control));
        capture.iter().try_for_each(check_capture)?;
        control.iter().try_for_each(check_control)?;
        let lanes = lanes(&front, &back)?;
        let mut stations = vec![front];
        if !back.is_same_socket(&stations[0]) {
            stations.push(back);
        }
        for extra in capture.iter().chain(&control) {
            let same = |other: &&Station| other.is_same_socket(extra);
            if let Some(other) = stations.iter().find(same) {
                let (role, other) = (extra.role(), other.role());
                return Err(ProxyError::Shared { role, other });
            }
            stations.push(extra.clone());
        }
        Ok(Proxy {
            stations,
            lanes,
            capture,
            control,
            counted: ProxyStatistics::default(),
            shared: Arc::new(Shared::new().map_err(ProxyError::System)?),
        })
    }
}

/// The directions that the sockets' types allow.
fn lanes(front: &Station, back: &Station) -> Result<Vec<Lane>, ProxyError> {
    let (takes_front, puts_front) = ways(front)?;
    let (takes_back, puts_back) = ways(back)?;
    let mut lanes = Vec::with_capacity(2);
    if takes_front && puts_back {
        lanes.push(Lane::new(front, back));
    }
    if takes_back && puts_front && !front.is_same_socket(back) {
        lanes.push(Lane::new(back, front));
    }
    match lanes.is_empty() {
        false => Ok(lanes),
        true => Err(ProxyError::NoWay {
            frontend: front.socket().socket_type(),
            backend: back.socket().socket_type(),
        }),
    }
}

/// Whether a side receives, and whether it sends.
fn ways(side: &Station) -> Result<(bool, bool), ProxyError> {
    use SocketType as Type;
    match side.socket().socket_type() {
        Type::Router | Type::Dealer | Type::XPub | Type::XSub | Type::Pair => Ok((true, true)),
        Type::Server | Type::Client | Type::Peer | Type::Channel => Ok((true, true)),
        Type::Pull | Type::Sub | Type::Gather | Type::Dish => Ok((true, false)),
        Type::Push | Type::Pub | Type::Scatter | Type::Radio => Ok((false, true)),
        Type::Req | Type::Rep => Err(unfit(
            side,
            "it lets one request through at a time; ROUTER and DEALER let all",
        )),
    }
}

fn check_capture(capture: &Station) -> Result<(), ProxyError> {
    use SocketType::{Dealer, Pair, Pub, Push, XPub};
    match capture.socket().socket_type() {
        Pub | XPub | Push | Dealer | Pair => Ok(()),
        _ => Err(unfit(capture, "PUB, XPUB, PUSH, DEALER and PAIR can")),
    }
}

fn check_control(control: &Station) -> Result<(), ProxyError> {
    use SocketType::{Pair, Pull, Rep, Sub};
    match control.socket().socket_type() {
        Pair | Rep | Sub | Pull => Ok(()),
        _ => Err(unfit(control, "PAIR, REP, SUB and PULL can")),
    }
}

fn unfit(station: &Station, needed: &'static str) -> ProxyError {
    ProxyError::Unfit {
        role: station.role(),
        socket_type: station.socket().socket_type(),
        needed,
    }
}
