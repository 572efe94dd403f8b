//! What can go wrong, in three families: the peer broke the handshake, the
//! peer broke the protocol in traffic, the caller's configuration is wrong.

use crate::{MechanismName, SocketType};
use core::fmt;

/// Why a handshake ended. The connection has failed and is to be closed once
/// [`poll_output`](crate::Connection::poll_output) is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The first byte is not FF: no ZMTP at all, or ZMTP 1.0.
    NotZmtp {
        /// The first byte.
        first: u8,
    },
    /// The tenth byte is not 7F: no ZMTP at all, or ZMTP 1.0 with a long identity.
    BadSignature {
        /// The tenth byte.
        last: u8,
    },
    /// The revision is below 3; revisions 1 and 2 are ZMTP 2.0's.
    VersionTooOld {
        /// The revision in the greeting.
        major: u8,
    },
    /// The peer's mechanism is another than ours, in any of the 20 bytes.
    MechanismMismatch {
        /// Ours.
        ours: MechanismName,
        /// The peer's.
        theirs: MechanismName,
    },
    /// Both sides are the mechanism's server.
    BothServers,
    /// A message frame came before the handshake was over.
    TrafficTooEarly {
        /// The frame's flag byte.
        flags: u8,
    },
    /// A command frame with flag bits that a handshake command may not have.
    BadFlags {
        /// The frame's flag byte.
        flags: u8,
    },
    /// A handshake command is larger than any mechanism needs.
    CommandTooLarge {
        /// Its claimed size in bytes.
        len: u64,
        /// The most that is taken.
        limit: usize,
    },
    /// A command without a name, or whose fields overrun or fall short of it.
    MalformedCommand {
        /// Size of the command's body in bytes.
        len: usize,
    },
    /// A command that the mechanism does not expect now, in a state of it.
    UnexpectedCommand {
        /// Size of its name in bytes.
        name_len: usize,
    },
    /// The metadata is over 4 KiB.
    MetadataTooLarge {
        /// Its size in bytes.
        len: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// More properties than anyone needs.
    TooManyProperties {
        /// The most that are taken.
        limit: usize,
    },
    /// A property's name or value overruns the metadata.
    PropertyOverrun {
        /// Where the property starts in the metadata.
        offset: usize,
    },
    /// A property has an empty name.
    EmptyPropertyName {
        /// Where the property starts in the metadata.
        offset: usize,
    },
    /// A property comes twice (names are case-insensitive).
    DuplicateProperty {
        /// Where the second one starts in the metadata.
        offset: usize,
    },
    /// The peer's `Socket-Type` is not one that ours talks to. An ERROR
    /// command is queued.
    IncompatibleSocketTypes {
        /// Our type.
        ours: SocketType,
        /// The peer's; `None` for a name that nobody knows.
        theirs: Option<SocketType>,
    },
    /// The peer's identity is over 255 bytes.
    IdentityTooLong {
        /// Its size in bytes.
        len: usize,
    },
    /// The peer's identity starts with a zero byte, which ROUTER keeps for
    /// the identities that it makes up.
    ReservedIdentity,
    /// The peer sent ERROR: it will not talk to us. Do not retry with the
    /// same credentials. The reason is in `Connection::peer_reason`.
    RefusedByPeer {
        /// The status, when the reason is three digits (27/ZAP).
        status: Option<u16>,
    },
    /// `authenticate` said no. For 400 and 500 an ERROR command is queued.
    Denied {
        /// The status of 27/ZAP.
        status: u16,
    },
    /// CURVE: a box does not open, or holds what it must not: the peer does not
    /// have the key that it claims, or something was changed on the way.
    Forged,
    /// CURVE: a nonce that is not above the one before.
    NonceReused {
        /// The nonce.
        nonce: u64,
    },
    /// CURVE: a version of the mechanism other than 1.0.
    CurveVersion {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },
    /// The handshake was not over in time.
    TimedOut,
    /// `authenticate` was called while no decision was awaited. The
    /// connection goes on.
    NoDecisionAwaited,
    /// A mechanism wants to send more than the scratch holds.
    OutputFull {
        /// The bytes wanted.
        len: usize,
    },
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotZmtp { first } => {
                write!(f, "first byte {first:#04x} is not zmtp 3's 0xff")
            }
            Self::BadSignature { last } => {
                write!(f, "greeting signature ends in {last:#04x}, not 0x7f")
            }
            Self::VersionTooOld { major } => {
                write!(f, "protocol revision {major} is below 3")
            }
            Self::MechanismMismatch { ours, theirs } => {
                write!(f, "mechanism mismatch: ours is {ours}, the peer's {theirs}")
            }
            Self::BothServers => f.write_str("both sides are the mechanism's server"),
            Self::TrafficTooEarly { flags } => {
                write!(f, "message frame (flags {flags:#04x}) within the handshake")
            }
            Self::BadFlags { flags } => {
                write!(f, "flags {flags:#04x} are not a handshake command's")
            }
            Self::CommandTooLarge { len, limit } => {
                write!(
                    f,
                    "handshake command of {len} bytes exceeds the limit of {limit}"
                )
            }
            Self::MalformedCommand { len } => {
                write!(f, "malformed handshake command of {len} bytes")
            }
            Self::UnexpectedCommand { name_len } => {
                write!(f, "unexpected handshake command (name of {name_len} bytes)")
            }
            Self::Denied { status } => write!(f, "denied with status {status}"),
            Self::RefusedByPeer { status: Some(code) } => {
                write!(f, "refused by the peer with status {code}")
            }
            Self::RefusedByPeer { status: None } => f.write_str("refused by the peer"),
            Self::Forged => f.write_str("a curve box does not open or is not the peer's"),
            Self::NonceReused { nonce } => write!(f, "curve nonce {nonce} is not above the last"),
            Self::CurveVersion { major, minor } => {
                write!(f, "curve version {major}.{minor} is not 1.0")
            }
            Self::TimedOut => f.write_str("handshake not over in time"),
            Self::NoDecisionAwaited => f.write_str("no decision is awaited"),
            Self::OutputFull { len } => {
                write!(f, "no room for {len} bytes of handshake output")
            }
            other => other.fmt_metadata(f),
        }
    }
}

impl HandshakeError {
    /// The half of `Display` that is about metadata.
    fn fmt_metadata(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MetadataTooLarge { len, limit } => {
                write!(f, "metadata of {len} bytes exceeds the limit of {limit}")
            }
            Self::TooManyProperties { limit } => write!(f, "more than {limit} properties"),
            Self::PropertyOverrun { offset } => {
                write!(f, "property at offset {offset} overruns the metadata")
            }
            Self::EmptyPropertyName { offset } => {
                write!(f, "property at offset {offset} has no name")
            }
            Self::DuplicateProperty { offset } => {
                write!(f, "property at offset {offset} is a duplicate")
            }
            Self::IncompatibleSocketTypes {
                ours,
                theirs: Some(theirs),
            } => {
                write!(f, "a {theirs} peer cannot talk to {ours}")
            }
            Self::IncompatibleSocketTypes { ours, theirs: None } => {
                write!(f, "a peer of unknown socket type cannot talk to {ours}")
            }
            Self::IdentityTooLong { len } => {
                write!(f, "identity of {len} bytes exceeds the limit of 255")
            }
            _ => f.write_str("identity starts with a zero byte"),
        }
    }
}

impl core::error::Error for HandshakeError {}

/// How the peer broke the protocol in traffic. The connection is to be closed;
/// nothing that follows can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Flag bits that no negotiated extension uses.
    ReservedFlags {
        /// The frame's flag byte.
        flags: u8,
    },
    /// A command with the MORE flag.
    CommandWithMore,
    /// A size of 2^63 or more.
    SizeOverflow {
        /// The size on the wire.
        len: u64,
    },
    /// A frame over [`Limits::frame`](crate::Limits::frame).
    FrameTooLarge {
        /// Size of its body in bytes.
        len: u64,
        /// The limit.
        limit: u64,
    },
    /// A message over [`Limits::message`](crate::Limits::message).
    MessageTooLarge {
        /// Its cost so far, this frame included.
        len: u64,
        /// The limit.
        limit: u64,
    },
    /// A message of more frames than [`Limits::parts`](crate::Limits::parts).
    TooManyParts {
        /// The limit.
        limit: u32,
    },
    /// A command larger than what is waited for in one piece.
    CommandTooLarge {
        /// Size of its body in bytes.
        len: u64,
        /// The limit: [`Limits::command`](crate::Limits::command).
        limit: u64,
    },
    /// A command without a name, or whose fields overrun or fall short of it.
    MalformedCommand {
        /// Size of its body in bytes.
        len: usize,
    },
    /// READY once the handshake is over.
    LateReady,
    /// A PING or PONG whose context is over 16 bytes.
    ContextTooLong {
        /// Size of the context in bytes.
        len: usize,
    },
    /// A JOIN or LEAVE whose group is over 255 bytes or has a zero byte.
    MalformedGroup {
        /// Size of the group in bytes.
        len: usize,
    },
    /// A frame by reference whose body is not 64 bytes long.
    MalformedReference {
        /// Size of the body in bytes.
        len: u64,
    },
    /// More unknown commands and ERRORs than are ignored.
    TooManyIgnored {
        /// How many are ignored at most.
        limit: u32,
    },
    /// CURVE: a frame that is no MESSAGE, or too short for one.
    MalformedMessage {
        /// Size of the frame's body in bytes.
        len: u64,
    },
    /// CURVE: a MESSAGE does not open: it is not the peer's, or was changed.
    Forged,
    /// CURVE: a nonce that is not above the one before: a replay.
    NonceReused {
        /// The nonce.
        nonce: u64,
    },
    /// The CRC trailer does not match: the frame is not delivered.
    ChecksumMismatch {
        /// What the bytes add up to.
        computed: u32,
        /// What the trailer says.
        received: u32,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ReservedFlags { flags } => write!(f, "reserved bits in flags {flags:#04x}"),
            Self::CommandWithMore => f.write_str("command with the more flag"),
            Self::SizeOverflow { len } => write!(f, "frame size {len} is 2^63 or more"),
            Self::FrameTooLarge { len, limit } => {
                write!(f, "frame size of {len} bytes exceeds the limit of {limit}")
            }
            Self::MessageTooLarge { len, limit } => {
                write!(
                    f,
                    "message cost of {len} bytes exceeds the limit of {limit}"
                )
            }
            Self::TooManyParts { limit } => write!(f, "message of more than {limit} frames"),
            Self::CommandTooLarge { len, limit } => {
                write!(
                    f,
                    "command size of {len} bytes exceeds the limit of {limit}"
                )
            }
            Self::MalformedCommand { len } => write!(f, "malformed command of {len} bytes"),
            Self::LateReady => f.write_str("ready command after the handshake"),
            Self::ContextTooLong { len } => {
                write!(
                    f,
                    "heartbeat context of {len} bytes exceeds the limit of 16"
                )
            }
            Self::MalformedGroup { len } => {
                write!(f, "group of {len} bytes is over 255 or has a zero byte")
            }
            Self::MalformedReference { len } => {
                write!(f, "frame by reference of {len} bytes, not 64")
            }
            Self::TooManyIgnored { limit } => {
                write!(f, "more than {limit} commands had to be ignored")
            }
            Self::MalformedMessage { len } => {
                write!(f, "frame of {len} bytes is no curve message")
            }
            Self::Forged => f.write_str("a curve message does not open"),
            Self::NonceReused { nonce } => write!(f, "curve nonce {nonce} is not above the last"),
            Self::ChecksumMismatch { computed, received } => {
                write!(
                    f,
                    "checksum {received:#010x} received, {computed:#010x} computed"
                )
            }
        }
    }
}

impl core::error::Error for ProtocolError {}

/// Why a [`Config`](crate::Config) or a mechanism's credentials were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The identity is over 255 bytes.
    IdentityTooLong {
        /// Its size in bytes.
        len: usize,
    },
    /// The identity starts with a zero byte.
    ReservedIdentity,
    /// A property's name is empty or over 255 bytes.
    BadPropertyName {
        /// Its place in [`Config::properties`](crate::Config::properties).
        index: usize,
    },
    /// A property's name is one of ours, or comes twice.
    DuplicateProperty {
        /// Its place in [`Config::properties`](crate::Config::properties).
        index: usize,
    },
    /// More properties than a peer takes, our own included.
    TooManyProperties {
        /// The most that may be sent.
        limit: usize,
    },
    /// All properties together do not fit.
    MetadataTooLarge {
        /// The most bytes that may be sent.
        limit: usize,
    },
    /// A user name or password is over 255 bytes.
    CredentialTooLong {
        /// Its size in bytes.
        len: usize,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IdentityTooLong { len } => {
                write!(f, "identity of {len} bytes exceeds the limit of 255")
            }
            Self::ReservedIdentity => f.write_str("identity starts with a zero byte"),
            Self::BadPropertyName { index } => {
                write!(f, "name of property {index} is not 1 to 255 bytes long")
            }
            Self::DuplicateProperty { index } => {
                write!(f, "name of property {index} is already taken")
            }
            Self::TooManyProperties { limit } => write!(f, "more than {limit} properties"),
            Self::MetadataTooLarge { limit } => {
                write!(f, "properties exceed the limit of {limit} bytes")
            }
            Self::CredentialTooLong { len } => {
                write!(f, "credential of {len} bytes exceeds the limit of 255")
            }
        }
    }
}

impl core::error::Error for ConfigError {}
