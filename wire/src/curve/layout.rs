//! What the commands of CURVE look like behind their names (26/CURVEZMQ,
//! Grammar). The sizes are those of the RFC's figures, less the names.

use zerocopy::byteorder::big_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Hello {
    pub(super) version: [u8; 2],
    /// So that HELLO is larger than WELCOME, and the server amplifies nothing.
    pub(super) padding: [u8; 72],
    pub(super) transient: [u8; 32],
    pub(super) nonce: U64,
    pub(super) tag: [u8; 16],
    /// Zeros, sealed: proof that the client has the key to C'.
    pub(super) signature: [u8; 64],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Welcome {
    pub(super) nonce: [u8; 16],
    pub(super) tag: [u8; 16],
    pub(super) sealed: WelcomeBox,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct WelcomeBox {
    pub(super) transient: [u8; 32],
    pub(super) cookie: Cookie,
}

#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Cookie {
    pub(super) nonce: [u8; 16],
    pub(super) tag: [u8; 16],
    pub(super) sealed: CookieBox,
}

#[derive(Clone, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct CookieBox {
    pub(super) client: [u8; 32],
    pub(super) secret: [u8; 32],
}

/// INITIATE; behind it, sealed, an [`InitiateBox`] and the metadata.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Initiate {
    pub(super) cookie: Cookie,
    pub(super) nonce: U64,
    pub(super) tag: [u8; 16],
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct InitiateBox {
    pub(super) client: [u8; 32],
    pub(super) vouch: Vouch,
}

/// The client's long-term key speaks for its transient one.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Vouch {
    pub(super) nonce: [u8; 16],
    pub(super) tag: [u8; 16],
    pub(super) sealed: VouchBox,
}

#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct VouchBox {
    pub(super) transient: [u8; 32],
    pub(super) server: [u8; 32],
}

/// READY; behind it, sealed, the metadata.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Ready {
    pub(super) nonce: U64,
    pub(super) tag: [u8; 16],
}

/// MESSAGE, name included; behind it, sealed, a byte of flags and the payload.
#[derive(FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Message {
    pub(super) name: [u8; 8],
    pub(super) nonce: U64,
    pub(super) tag: [u8; 16],
}

pub(super) const MESSAGE_NAME: [u8; 8] = *b"\x07MESSAGE";

/// What a MESSAGE adds to a payload: name, nonce, tag, flags.
pub(super) const MESSAGE_OVERHEAD: usize = size_of::<Message>() + 1;

/// The flags inside a MESSAGE. A command is bit 1 there, not ZMTP's bit 2
/// (libzmq's practice).
pub(super) const INNER_MORE: u8 = 1;
pub(super) const INNER_COMMAND: u8 = 2;

const _: () = {
    assert!(size_of::<Hello>() + 6 == 200);
    assert!(size_of::<Welcome>() + 8 == 168);
    assert!(size_of::<Initiate>() + size_of::<InitiateBox>() + 9 == 257);
    assert!(size_of::<Ready>() + 6 == 30);
    assert!(MESSAGE_OVERHEAD == 33);
};
