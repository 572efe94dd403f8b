//! Socket types and which of them may talk to each other.

use core::fmt;

/// A ZeroMQ socket type, as the `Socket-Type` property names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the RFCs' own names: 28, 29, 30, 31, 41, 48, 49, 51, 52
pub enum SocketType {
    Pair,
    Pub,
    Sub,
    Req,
    Rep,
    Dealer,
    Router,
    Pull,
    Push,
    XPub,
    XSub,
    Server,
    Client,
    Radio,
    Dish,
    Gather,
    Scatter,
    Peer,
    Channel,
}

impl SocketType {
    /// Every socket type, once.
    pub const ALL: [Self; 19] = [
        Self::Pair,
        Self::Pub,
        Self::Sub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
        Self::Pull,
        Self::Push,
        Self::XPub,
        Self::XSub,
        Self::Server,
        Self::Client,
        Self::Radio,
        Self::Dish,
        Self::Gather,
        Self::Scatter,
        Self::Peer,
        Self::Channel,
    ];

    /// The name on the wire, upper case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "PAIR",
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
            Self::Pull => "PULL",
            Self::Push => "PUSH",
            Self::XPub => "XPUB",
            Self::XSub => "XSUB",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Radio => "RADIO",
            Self::Dish => "DISH",
            Self::Gather => "GATHER",
            Self::Scatter => "SCATTER",
            Self::Peer => "PEER",
            Self::Channel => "CHANNEL",
        }
    }

    /// The type that `name` names on the wire, byte for byte.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }

    /// Whether a socket of this type talks to a `peer` of that one
    /// (37/ZMTP, Socket Type Property). The relation is symmetric.
    #[must_use]
    pub const fn accepts(self, peer: Self) -> bool {
        use SocketType as T;
        match self {
            T::Pair => matches!(peer, T::Pair),
            T::Pub | T::XPub => matches!(peer, T::Sub | T::XSub),
            T::Sub | T::XSub => matches!(peer, T::Pub | T::XPub),
            T::Req => matches!(peer, T::Rep | T::Router),
            T::Rep => matches!(peer, T::Req | T::Dealer),
            T::Dealer => matches!(peer, T::Rep | T::Dealer | T::Router),
            T::Router => matches!(peer, T::Req | T::Dealer | T::Router),
            T::Pull => matches!(peer, T::Push),
            T::Push => matches!(peer, T::Pull),
            T::Server => matches!(peer, T::Client),
            T::Client => matches!(peer, T::Server),
            T::Radio => matches!(peer, T::Dish),
            T::Dish => matches!(peer, T::Radio),
            T::Gather => matches!(peer, T::Scatter),
            T::Scatter => matches!(peer, T::Gather),
            T::Peer => matches!(peer, T::Peer),
            T::Channel => matches!(peer, T::Channel),
        }
    }

    /// Whether this type sends its `Identity`, even an empty one
    /// (37/ZMTP, Identity Property).
    #[must_use]
    pub const fn sends_identity(self) -> bool {
        matches!(self, Self::Req | Self::Dealer | Self::Router)
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_nothing_else_does() {
        for kind in SocketType::ALL {
            assert_eq!(SocketType::parse(kind.name().as_bytes()), Some(kind));
        }
        for other in [&b""[..], b"pair", b"PAIR\0", b"PAI", b"STREAM"] {
            assert_eq!(SocketType::parse(other), None);
        }
    }

    #[test]
    fn compatibility_is_symmetric_and_has_the_rfc_s_pairs() {
        let mut pairs = 0;
        for a in SocketType::ALL {
            for b in SocketType::ALL {
                assert_eq!(a.accepts(b), b.accepts(a), "{a} {b}");
                pairs += u32::from(a.accepts(b));
            }
        }
        // PAIR, DEALER, ROUTER, PEER and CHANNEL with themselves; both ways:
        // PUB/XPUB x SUB/XSUB (8), REQ-REP, REQ-ROUTER, REP-DEALER,
        // DEALER-ROUTER (8), PUSH-PULL, CLIENT-SERVER, RADIO-DISH,
        // GATHER-SCATTER (8).
        assert_eq!(pairs, 5 + 8 + 8 + 8);
    }
}
