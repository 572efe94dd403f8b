//! The part of the machines that says where a message goes.

use ferromq_patterns::{PeerId, RepError, ReqError, check_group};

use super::{Machine, Route, unsupported};
use crate::Error;
use crate::error::StateError;
use crate::statistics::DropCause;

impl Machine {
    /// The peer whose turn it is, for the types that send in turn and a message
    /// of so many frames.
    #[inline]
    pub(crate) fn route_in_turn(&mut self, parts: usize) -> Option<PeerId> {
        match self {
            Self::Push(machine) if parts > 0 => machine.route(),
            Self::Dealer(machine) if parts > 0 => machine.route(),
            Self::Pair(machine) if parts > 0 => machine.route(),
            Self::Scatter(machine) if parts == 1 => machine.route(),
            Self::Client(machine) if parts == 1 => machine.route(),
            Self::Channel(machine) if parts == 1 => machine.route(),
            _ => None,
        }
    }

    /// Names where a message goes, for the types that do not just take turns.
    /// `peeked`: a message was decoded to answer whether there is one, which
    /// the application has not received.
    pub(crate) fn route(
        &mut self,
        first: &[u8],
        parts: usize,
        peeked: bool,
    ) -> Result<Route, Error> {
        self.check_parts(parts)?;
        match self {
            Self::Router { router, mandatory } => to_named(router.route(first), *mandatory, first),
            // 41/CLISRV, 51/P2P: an unknown peer is an error, a full one blocks.
            Self::Server(machine) | Self::Peer(machine) => {
                to_named(machine.route(first), true, first)
            }
            Self::Req(machine) if peeked && !machine.may_send() => {
                Err(StateError::AwaitingReply.into())
            }
            Self::Req(machine) => match machine.route() {
                Ok(peer) => Ok(Route::Request {
                    peer,
                    envelope: machine.envelope(),
                    abandoned: machine.poll_abandoned(),
                }),
                Err(ReqError::AwaitingReply) => Err(StateError::AwaitingReply.into()),
                Err(_) => Err(Error::WouldBlock),
            },
            Self::Rep(_) if peeked => Err(StateError::NoRequestReceived.into()),
            Self::Rep(machine) => match machine.route() {
                Ok(peer) => Ok(Route::Reply(peer)),
                Err(RepError::NoRequest) => Err(StateError::NoRequestReceived.into()),
                Err(_) => Ok(Route::Nobody(DropCause::Unroutable)),
            },
            Self::Pub(_) | Self::XPub(_) => Ok(Route::Subscribers),
            Self::Radio(_) => {
                check_group(first)?;
                Ok(Route::Subscribers)
            }
            Self::XSub(_) => Ok(Route::Upstream),
            Self::Sub(_) | Self::Pull(_) | Self::Gather(_) | Self::Dish(_) => {
                Err(unsupported("send", self.socket_type()))
            }
            Self::Push(_)
            | Self::Dealer(_)
            | Self::Pair(_)
            | Self::Scatter(_)
            | Self::Client(_)
            | Self::Channel(_) => Err(Error::WouldBlock),
        }
    }

    /// The number of frames is right for this type.
    fn check_parts(&self, parts: usize) -> Result<(), Error> {
        let needed = match self {
            Self::Router { .. } if parts < 2 => {
                return Err(Error::TooFewParts { parts, needed: 2 });
            }
            Self::Scatter(_) | Self::Client(_) | Self::Channel(_) => 1,
            Self::Server(_) | Self::Peer(_) | Self::Radio(_) => 2,
            _ => return Ok(()),
        };
        if parts == needed {
            return Ok(());
        }
        Err(Error::WrongParts {
            parts,
            needed,
            socket_type: self.socket_type(),
        })
    }

    /// Whether a send would find a peer now.
    pub(crate) fn may_send(&self, peeked: bool) -> bool {
        match self {
            Self::Pair(machine) | Self::Channel(machine) => machine.any_has_room(),
            Self::Push(machine) | Self::Scatter(machine) => machine.any_has_room(),
            Self::Dealer(machine) | Self::Client(machine) => machine.any_has_room(),
            Self::Router { router, mandatory } => !mandatory || router.any_has_room(),
            Self::Server(machine) | Self::Peer(machine) => machine.any_has_room(),
            Self::Req(machine) => !peeked && machine.may_send(),
            Self::Rep(machine) => !peeked && machine.check_receive().is_err(),
            Self::Pub(_) | Self::XPub(_) | Self::XSub(_) | Self::Radio(_) => true,
            Self::Pull(_) | Self::Sub(_) | Self::Gather(_) | Self::Dish(_) => false,
        }
    }
}

/// Where a message goes whose first frame names its peer.
fn to_named(
    found: ferromq_patterns::Route,
    mandatory: bool,
    identity: &[u8],
) -> Result<Route, Error> {
    use ferromq_patterns::Route as Named;
    match (found, mandatory) {
        (Named::Peer(id), _) => Ok(Route::Skip(id)),
        (Named::Full(_), true) => Err(Error::WouldBlock),
        (Named::Full(_), false) => Ok(Route::Nobody(DropCause::PeerFull)),
        (Named::Unknown, false) => Ok(Route::Nobody(DropCause::Unroutable)),
        (Named::Unknown, true) => Err(Error::HostUnreachable {
            identity: identity.to_vec(),
        }),
    }
}
