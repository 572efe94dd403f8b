//! Ranges of IP addresses, and which of them are let in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ferromq_transport::{Address, Endpoint, Host};

/// A range of IP addresses: `192.0.2.0/24`, `2001:db8::/32`, or one address
/// alone.
///
/// An IPv4 address that an IPv6 socket sees (`::ffff:192.0.2.1`) is the IPv4
/// address.
///
/// ```
/// use ferromq_mio::AddressRange;
///
/// let office: AddressRange = "192.0.2.0/24".parse()?;
/// assert!(office.contains("192.0.2.77".parse().unwrap()));
/// assert!(!office.contains("192.0.3.1".parse().unwrap()));
/// # Ok::<(), ferromq_mio::AddressRangeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// Of an IPv4 network the address itself, never the mapped one.
    network: IpAddr,
    /// At most the bits of an address.
    prefix: u8,
}

/// Why a text is no range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressRangeError {
    /// What stands before the slash is no IP address.
    #[error("not an IP address, or one with a prefix as in 192.0.2.0/24")]
    Address,
    /// What stands behind the slash is no number.
    #[error("what stands behind the slash is no number of bits")]
    Prefix,
    /// The prefix is longer than an address.
    #[error("a prefix of {prefix} bits is longer than the address, which has {bits}")]
    TooLong {
        /// The prefix, in bits.
        prefix: u8,
        /// The bits of such an address.
        bits: u8,
    },
}

impl AddressRange {
    /// The addresses whose first `prefix` bits are those of `network`; its
    /// other bits are not looked at.
    ///
    /// # Errors
    /// [`AddressRangeError::TooLong`].
    pub fn new(network: IpAddr, prefix: u8) -> Result<Self, AddressRangeError> {
        let bits = bits_of(network);
        if prefix > bits {
            return Err(AddressRangeError::TooLong { prefix, bits });
        }
        let canonical = network.to_canonical();
        let mapped = bits - bits_of(canonical);
        Ok(match prefix.checked_sub(mapped) {
            Some(prefix) => Self {
                network: canonical,
                prefix,
            },
            // Wider than all mapped addresses: an IPv6 network after all.
            None => Self { network, prefix },
        })
    }

    /// Whether the address is in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.network, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_bits(network.to_bits(), address.to_bits(), self.prefix)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_bits(network.to_bits(), address.to_bits(), self.prefix)
            }
            _ => false,
        }
    }
}

impl From<IpAddr> for AddressRange {
    /// This address alone.
    fn from(address: IpAddr) -> Self {
        let network = address.to_canonical();
        Self {
            network,
            prefix: bits_of(network),
        }
    }
}

impl FromStr for AddressRange {
    type Err = AddressRangeError;

    fn from_str(text: &str) -> Result<Self, AddressRangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| AddressRangeError::Address)?;
        match prefix {
            None => Ok(Self::from(address)),
            Some(prefix) => {
                let prefix = prefix.parse().map_err(|_| AddressRangeError::Prefix)?;
                Self::new(address, prefix)
            }
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Whose connections are accepted, by address. A range that is denied is so
/// even if it is allowed; without any that is allowed, all others are.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressRules {
    pub(crate) allowed: Vec<AddressRange>,
    pub(crate) denied: Vec<AddressRange>,
}

impl AddressRules {
    /// Whether this address may connect. O(ranges).
    pub(crate) fn admit(&self, address: IpAddr) -> bool {
        let is_in = |ranges: &[AddressRange]| ranges.iter().any(|range| range.contains(address));
        !is_in(&self.denied) && (self.allowed.is_empty() || is_in(&self.allowed))
    }
}

/// The IP address of a peer, where it has one.
pub(crate) fn ip_of(peer: &Endpoint) -> Option<IpAddr> {
    let Address::Tcp(tcp) = peer.address() else {
        return None;
    };
    match &tcp.host {
        Host::V4(address) => Some((*address).into()),
        Host::V6 { address, .. } => Some(IpAddr::from(*address).to_canonical()),
        _ => None,
    }
}

fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether the first `prefix` bits are the same.
fn same_bits<T>(a: T, b: T, prefix: u8) -> bool
where
    T: std::ops::BitXor<Output = T> + Into<Wide>,
{
    let Wide { value, bits } = (a ^ b).into();
    let ignored = bits - u32::from(prefix);
    // A shift by all of the bits is none at all.
    value.checked_shr(ignored).unwrap_or(0) == 0
}

/// Bits of an address, and how many there are.
struct Wide {
    value: u128,
    bits: u32,
}

impl From<u32> for Wide {
    fn from(value: u32) -> Self {
        Self {
            value: value.into(),
            bits: u32::BITS,
        }
    }
}

impl From<u128> for Wide {
    fn from(value: u128) -> Self {
        Self {
            value,
            bits: u128::BITS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_what_begins_with_its_bits() {
        for (text, inside, outside) in [
            ("10.1.0.0/16", "10.1.255.3", "10.2.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("10.1.2.3/31", "10.1.2.2", "10.1.2.4"),
            ("128.0.0.0/1", "255.255.255.255", "127.255.255.255"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(range(text).contains(ip(inside)), "{inside} in {text}");
            assert!(!range(text).contains(ip(outside)), "{outside} in {text}");
        }
    }

    #[test]
    fn everything_of_a_version_is_a_range_and_the_other_version_is_not_in_it() {
        assert!(range("0.0.0.0/0").contains(ip("203.0.113.9")));
        assert!(range("::/0").contains(ip("2001:db8::1")));
        assert!(!range("0.0.0.0/0").contains(ip("::1")));
        assert!(!range("::/0").contains(ip("127.0.0.1")));
    }

    #[test]
    fn mapped_addresses_are_those_that_they_map() {
        assert!(range("10.0.0.0/8").contains(ip("::ffff:10.9.9.9")));
        assert!(range("::ffff:10.0.0.0/104").contains(ip("10.9.9.9")));
        assert_eq!(range("::ffff:10.0.0.0/104").to_string(), "10.0.0.0/8");
        assert_eq!(range("::ffff:10.0.0.1").to_string(), "10.0.0.1/32");
        assert_eq!(range("::ffff:10.0.0.0/8").to_string(), "::ffff:10.0.0.0/8");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        use AddressRangeError::{Address, Prefix, TooLong};
        let too_long = |prefix, bits| TooLong { prefix, bits };
        for (text, error) in [
            ("", Address),
            ("host/8", Address),
            ("10.0.0/8", Address),
            ("10.0.0.0/", Prefix),
            ("10.0.0.0/x", Prefix),
            ("10.0.0.0/-1", Prefix),
            ("10.0.0.0/33", too_long(33, 32)),
            ("::/129", too_long(129, 128)),
        ] {
            assert_eq!(text.parse::<AddressRange>(), Err(error), "{text}");
        }
    }

    #[test]
    fn who_is_denied_is_so_even_if_allowed() {
        let mut rules = AddressRules::default();
        assert!(rules.admit(ip("192.0.2.1")));
        rules.denied.push(range("192.0.2.0/24"));
        assert!(!rules.admit(ip("192.0.2.1")) && rules.admit(ip("10.0.0.1")));
        rules.allowed.push(range("192.0.2.0/24"));
        assert!(!rules.admit(ip("192.0.2.1")) && !rules.admit(ip("10.0.0.1")));
        rules.denied.clear();
        assert!(rules.admit(ip("192.0.2.1")) && !rules.admit(ip("10.0.0.1")));
    }
}
