//! Properties: `name-length name value-length value`, in READY and INITIATE
//! (37/ZMTP, Metadata).

use crate::{Config, ConfigError, HandshakeError, Offer, SocketType};
use heapless::Vec;

/// Bytes of metadata taken from a peer.
pub(crate) const METADATA_MAX: usize = 4096;
/// Properties taken from a peer, and sent to one.
pub(crate) const PROPERTIES_MAX: usize = 32;
/// Bytes of metadata that we send: half of the handshake's scratch is the peer's.
pub(crate) const LOCAL_METADATA_MAX: usize = 1280;
/// Bytes in an identity: ROUTER's identity frames are short ones.
pub(crate) const IDENTITY_MAX: usize = 255;

pub(crate) const SOCKET_TYPE: &str = "Socket-Type";
pub(crate) const IDENTITY: &str = "Identity";

/// Our metadata, encoded.
pub(crate) type LocalMetadata = Vec<u8, LOCAL_METADATA_MAX, u16>;

/// The properties of checked metadata, in the order in which they came.
#[derive(Clone, Debug)]
pub struct Properties<'a> {
    rest: &'a [u8],
}

impl<'a> Properties<'a> {
    /// The properties that `metadata` is, as a handshake carries them and a
    /// reply of 27/ZAP does. O(properties^2 + bytes).
    ///
    /// # Errors
    /// What is too large, overruns, or names a property twice or not at all.
    pub fn parse(metadata: &'a [u8]) -> Result<Self, HandshakeError> {
        check(metadata).map(|()| Self::new(metadata))
    }

    /// Walks `metadata`; ends early where it is malformed.
    pub(crate) fn new(metadata: &'a [u8]) -> Self {
        Self { rest: metadata }
    }
}

impl<'a> Iterator for Properties<'a> {
    /// A property's name and value.
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value, rest) = split_property(self.rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

/// The value of the property `name` in checked metadata. O(bytes).
pub(crate) fn find<'a>(metadata: &'a [u8], name: &str) -> Option<&'a [u8]> {
    Properties::new(metadata)
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| value)
}

/// Refuses metadata that is too large, overruns, or names a property twice or
/// not at all. O(properties^2 + bytes), at most 496 name comparisons.
pub(crate) fn check(metadata: &[u8]) -> Result<(), HandshakeError> {
    if metadata.len() > METADATA_MAX {
        return Err(HandshakeError::MetadataTooLarge {
            len: metadata.len(),
            limit: METADATA_MAX,
        });
    }
    let mut names: Vec<&[u8], PROPERTIES_MAX> = Vec::new();
    let mut rest = metadata;
    while !rest.is_empty() {
        let offset = metadata.len().saturating_sub(rest.len());
        let (name, _, tail) =
            split_property(rest).ok_or(HandshakeError::PropertyOverrun { offset })?;
        if name.is_empty() {
            return Err(HandshakeError::EmptyPropertyName { offset });
        }
        if names.iter().any(|seen| seen.eq_ignore_ascii_case(name)) {
            return Err(HandshakeError::DuplicateProperty { offset });
        }
        let limit = PROPERTIES_MAX;
        names
            .push(name)
            .map_err(|_| HandshakeError::TooManyProperties { limit })?;
        rest = tail;
    }
    Ok(())
}

/// The peer's socket type: `None` if it sent none, `Some(None)` if nobody
/// knows the one that it sent.
pub(crate) fn socket_type(metadata: &[u8]) -> Option<Option<SocketType>> {
    find(metadata, SOCKET_TYPE).map(SocketType::parse)
}

/// The peer's identity, empty if it sent none.
pub(crate) fn identity(metadata: &[u8]) -> Result<&[u8], HandshakeError> {
    let identity = find(metadata, IDENTITY).unwrap_or_default();
    if identity.len() > IDENTITY_MAX {
        let len = identity.len();
        return Err(HandshakeError::IdentityTooLong { len });
    }
    if identity.first() == Some(&0) {
        return Err(HandshakeError::ReservedIdentity);
    }
    Ok(identity)
}

/// Encodes what `config` says about us.
pub(crate) fn encode(config: &Config<'_>, out: &mut LocalMetadata) -> Result<(), ConfigError> {
    out.clear();
    check_identity(config.identity)?;
    check_properties(config)?;
    push(out, SOCKET_TYPE, config.socket_type.name().as_bytes())?;
    // 37/ZMTP, Identity Property: only these types have one, and it may be empty.
    if config.socket_type.sends_identity() {
        push(out, IDENTITY, config.identity)?;
    }
    for (name, value) in config.properties {
        push(out, name, value)?;
    }
    if let Some(offer) = config.offer {
        push(out, Offer::PROPERTY, &offer.encode())?;
    }
    Ok(())
}

fn check_identity(identity: &[u8]) -> Result<(), ConfigError> {
    if identity.len() > IDENTITY_MAX {
        let len = identity.len();
        return Err(ConfigError::IdentityTooLong { len });
    }
    if identity.first() == Some(&0) {
        return Err(ConfigError::ReservedIdentity);
    }
    Ok(())
}

fn check_properties(config: &Config<'_>) -> Result<(), ConfigError> {
    const OURS: [&str; 3] = [SOCKET_TYPE, IDENTITY, Offer::PROPERTY];
    if config.properties.len() > PROPERTIES_MAX.saturating_sub(OURS.len()) {
        let limit = PROPERTIES_MAX;
        return Err(ConfigError::TooManyProperties { limit });
    }
    for (index, (name, _)) in config.properties.iter().enumerate() {
        if name.is_empty() || name.len() > usize::from(u8::MAX) {
            return Err(ConfigError::BadPropertyName { index });
        }
        let mut earlier = config.properties.iter().take(index).map(|(name, _)| *name);
        if earlier.any(|other| other.eq_ignore_ascii_case(name))
            || OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name))
        {
            return Err(ConfigError::DuplicateProperty { index });
        }
    }
    Ok(())
}

fn push(out: &mut LocalMetadata, name: &str, value: &[u8]) -> Result<(), ConfigError> {
    let full = ConfigError::MetadataTooLarge {
        limit: LOCAL_METADATA_MAX,
    };
    let name_len = u8::try_from(name.len()).map_err(|_| full)?;
    let value_len = u32::try_from(value.len()).map_err(|_| full)?;
    [
        &[name_len][..],
        name.as_bytes(),
        &value_len.to_be_bytes(),
        value,
    ]
    .into_iter()
    .try_for_each(|field| out.extend_from_slice(field).map_err(|_| full))
}

/// The first property of `bytes` and what follows it, or `None` on an overrun.
fn split_property(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (&name_len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_len))?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    // Where usize has 16 bits, a value that does not fit overruns anyway.
    let value_len = usize::try_from(u32::from_be_bytes(*value_len)).ok()?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    Some((name, value, rest))
}

#[cfg(test)]
mod tests;
