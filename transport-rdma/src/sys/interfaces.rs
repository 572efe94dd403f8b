//! The addresses of this machine's network interfaces.

use std::io;
use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// Those of interfaces that carry something, with the interface's name. Those of one link
/// only mean nothing without that, and are left out; so is the loopback's.
///
/// # Errors
/// As of the system.
pub(super) fn addresses() -> io::Result<Vec<(String, IpAddr)>> {
    let carries = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let found = getifaddrs()?.filter(|it| it.flags.contains(carries));
    let with_address = found.filter_map(|it| {
        let address = it.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        let v6 = || address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip()));
        Some((it.interface_name, v4.or_else(v6)?))
    });
    Ok(with_address
        .filter(|(_, address)| is_for_others(*address))
        .take(ADDRESSES_MAX)
        .collect())
}

fn is_for_others(address: IpAddr) -> bool {
    let one_link = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !one_link && !address.is_loopback() && !address.is_unspecified()
}

/// A machine with more has them for guests, whose devices are others.
const ADDRESSES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_link_or_of_oneself_are_for_nobody_else() {
        for (text, expected) in [
            ("10.2.0.1", true),
            ("2001:db8::1", true),
            ("fd00::1", true),
            ("fe80::1", false),
            ("169.254.0.1", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_for_others(text.parse().unwrap()), expected, "{text}");
        }
    }
}
