//! What is shown: a pattern and its two sides.

use std::fmt;

use clap::ValueEnum;
use ferromq::SocketType;

/// One row of the demonstration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Act {
    Pair,
    ReqRep,
    DealerRouter,
    PubSub,
    XpubXsub,
    PushPull,
    /// One large message.
    Payload,
    /// As many small messages as a second holds.
    Rate,
}

/// Which of the two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    Bind,
    Connect,
}

impl Act {
    pub(crate) const ALL: [Self; 8] = [
        Self::Pair,
        Self::ReqRep,
        Self::DealerRouter,
        Self::PubSub,
        Self::XpubXsub,
        Self::PushPull,
        Self::Payload,
        Self::Rate,
    ];

    /// The socket of one side.
    pub(crate) fn socket_type(self, side: Side) -> SocketType {
        let (bind, connect) = match self {
            Self::Pair => (SocketType::Pair, SocketType::Pair),
            Self::ReqRep => (SocketType::Rep, SocketType::Req),
            Self::DealerRouter => (SocketType::Router, SocketType::Dealer),
            Self::PubSub => (SocketType::Pub, SocketType::Sub),
            Self::XpubXsub => (SocketType::XPub, SocketType::XSub),
            Self::PushPull | Self::Payload | Self::Rate => (SocketType::Push, SocketType::Pull),
        };
        match side {
            Side::Bind => bind,
            Side::Connect => connect,
        }
    }

    /// The word for it on the command line and in file names.
    pub(crate) fn word(self) -> String {
        word(&self)
    }
}

impl Side {
    pub(crate) fn word(self) -> String {
        word(&self)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pair => "PAIR",
            Self::ReqRep => "REQ/REP",
            Self::DealerRouter => "DEALER/ROUTER",
            Self::PubSub => "PUB/SUB",
            Self::XpubXsub => "XPUB/XSUB",
            Self::PushPull => "PUSH/PULL",
            Self::Payload => "large payload",
            Self::Rate => "small messages",
        })
    }
}

fn word<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for act in Act::ALL {
            assert_eq!(Act::from_str(&act.word(), false), Ok(act));
        }
        for side in [Side::Bind, Side::Connect] {
            assert_eq!(Side::from_str(&side.word(), false), Ok(side));
        }
    }
}
