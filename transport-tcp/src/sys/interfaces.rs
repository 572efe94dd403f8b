//! The addresses of network interfaces, from getifaddrs(3).

use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr;

/// The addresses of the interface called `name`, with port 0: empty when there
/// is no such interface or it has none.
///
/// # Errors
/// The system's, when it cannot list its interfaces.
pub(crate) fn interface_addresses(name: &str) -> io::Result<Vec<SocketAddr>> {
    let list = InterfaceList::new()?;
    Ok(list
        .iter()
        .filter(|entry| entry_name(entry).to_bytes() == name.as_bytes())
        .filter_map(entry_address)
        .collect())
}

/// The list that the system allocated; freed on drop.
struct InterfaceList(*mut libc::ifaddrs);

impl InterfaceList {
    fn new() -> io::Result<Self> {
        let mut head = ptr::null_mut();
        // SAFETY: `head` is a live, writable pointer; the call stores a list
        // there or fails.
        let status = unsafe { libc::getifaddrs(&raw mut head) };
        if status == 0 {
            Ok(Self(head))
        } else {
            Err(io::Error::last_os_error())
        }
    }

    fn iter(&self) -> Entries<'_> {
        Entries {
            next: self.0,
            list: PhantomData,
        }
    }
}

impl Drop for InterfaceList {
    fn drop(&mut self) {
        // SAFETY: the pointer came from getifaddrs, is freed nowhere else, and
        // every borrow of an entry ended with the borrow of `self`.
        unsafe { libc::freeifaddrs(self.0) }
    }
}

struct Entries<'a> {
    next: *mut libc::ifaddrs,
    list: PhantomData<&'a InterfaceList>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a libc::ifaddrs;

    fn next(&mut self) -> Option<&'a libc::ifaddrs> {
        // SAFETY: null, or an entry of a list that lives as long as 'a and that
        // nobody writes to.
        let entry = unsafe { self.next.as_ref() }?;
        self.next = entry.ifa_next;
        Some(entry)
    }
}

fn entry_name(entry: &libc::ifaddrs) -> &CStr {
    // SAFETY: getifaddrs gives every entry a NUL-terminated name, which lives as
    // long as the entry.
    unsafe { CStr::from_ptr(entry.ifa_name) }
}

/// The entry's IP address, if it has one.
fn entry_address(entry: &libc::ifaddrs) -> Option<SocketAddr> {
    let address = entry.ifa_addr;
    // SAFETY: null, or an address that lives as long as its entry.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: an address of this family is a sockaddr_in, valid for any
            // bytes; no alignment is assumed.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, 0).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, 0, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
