//! What connections need that move here: an address to be told, and an end that does not
//! overtake what was sent.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq_transport::{Link, LinkOptions, PeerAddress, Transport};

use super::{connect, connect_to, until};
use crate::{Fabric, Rdma};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A fabric with these devices.
fn fabric(addresses: &[&str]) -> Fabric {
    let addresses: Vec<_> = addresses.iter().map(|text| address(text)).collect();
    Fabric::with_devices(&addresses).unwrap()
}

#[test]
fn the_address_that_is_told_is_the_nearest_that_a_device_serves() {
    let devices = fabric(&["10.0.0.1", "10.0.1.1", "2001:db8::1"]);
    let rdma = Rdma::over(&devices).build();
    let cases = [
        (None, "10.0.0.1"),
        (Some("10.0.1.1"), "10.0.1.1"),
        (Some("192.0.2.1"), "10.0.0.1"),
        (Some("2001:db8::9"), "2001:db8::1"),
    ];
    for (beside, told) in cases {
        let beside = beside.map(address);
        assert_eq!(rdma.meeting_address(beside), Some(address(told)));
    }
    let only_four = Rdma::over(&fabric(&["10.0.0.1"])).build();
    let beside = Some(address("2001:db8::9"));
    assert_eq!(only_four.meeting_address(beside), Some(address("10.0.0.1")));
    // Chosen, and there; chosen, and not.
    let chosen = |text| Rdma::over(&devices).source(address(text)).build();
    let beside = Some(address("10.0.0.1"));
    let told = chosen("10.0.1.1").meeting_address(beside);
    assert_eq!(told, Some(address("10.0.1.1")));
    assert_eq!(chosen("10.9.9.9").meeting_address(beside), None);
}

#[test]
fn a_ground_is_common_to_those_whose_devices_reach_each_other() {
    let (here, there) = (fabric(&["10.0.0.1"]), fabric(&["10.0.0.1"]));
    let ground = |devices: &Fabric| Rdma::over(devices).build().common_ground();
    assert!(ground(&here).is_some_and(|ground| ground != [0; 16]));
    assert_eq!(ground(&here), ground(&here));
    assert_ne!(ground(&here), ground(&there));
    assert_eq!(ground(&fabric(&[])), None);
    let nowhere = Rdma::over(&here).source(address("10.9.9.9")).build();
    assert_eq!(nowhere.common_ground(), None);
}

#[test]
fn an_interface_stands_for_its_first_address_where_that_is_ours() {
    let rdma = Rdma::over(&fabric(&["127.0.0.1", "127.0.0.2"])).build();
    let bind = |text: &str| rdma.bind(&text.parse().unwrap(), &LinkOptions::default());
    let mut listener = bind("rdma://soft1:*").unwrap();
    let endpoint = listener.local_endpoint().to_string();
    assert!(endpoint.starts_with("rdma://127.0.0.2:"), "{endpoint}");
    let from_soft0 = endpoint.replace("rdma://", "rdma://soft0;");
    let pair = connect_to(&rdma, &from_soft0.parse().unwrap(), &mut *listener);
    let from = pair.0.local_endpoint().unwrap().to_string();
    assert!(from.starts_with("rdma://127.0.0.1:"), "{from}");
    // The loopback is an interface of every machine's, and no device's.
    let refused = bind("rdma://lo:*").err().unwrap().to_string();
    assert!(
        refused.contains("the interface lo has no address"),
        "{refused}"
    );
    let refused = rdma.resolve(&"rdma://lo:7".parse().unwrap());
    let refused = refused.err().unwrap().to_string();
    assert!(
        refused.contains("lo is an interface of this machine"),
        "{refused}"
    );
}

/// A link that is nothing but its end.
struct Companion {
    ended: Arc<AtomicBool>,
    peer: PeerAddress,
}

impl Companion {
    fn new() -> (Box<Self>, Arc<AtomicBool>) {
        let ended = Arc::new(AtomicBool::new(false));
        let peer = PeerAddress::new("tcp://127.0.0.1:1".parse().unwrap());
        let companion = Self {
            ended: ended.clone(),
            peer,
        };
        (Box::new(companion), ended)
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

impl Link for Companion {
    fn fd(&self) -> RawFd {
        -1
    }

    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn read_vectored(&mut self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Ok(0)
    }

    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn write_vectored(&mut self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn shutdown(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_companion_ends_when_the_peer_has_all_and_has_answered() {
    let devices = Fabric::new().unwrap();
    let rdma = Rdma::over(&devices).build();
    let at = "rdma://127.0.0.1:*".parse().unwrap();
    let mut listener = rdma.bind(&at, &LinkOptions::default()).unwrap();
    let (mut a, mut b) = connect(&rdma, &mut *listener);
    let (companion, ended) = Companion::new();
    devices.pause();
    until("room", || a.write(b"the last").ok());
    a.shutdown_before(companion);
    drop(a);
    assert!(!ended.load(Ordering::SeqCst), "it is under way");
    devices.resume();
    let mut buf = [0; 16];
    let read = until("input", || b.read(&mut buf).ok());
    assert_eq!(&buf[..read], b"the last");
    assert_eq!(until("the end", || b.read(&mut buf).ok()), 0);
    assert!(!ended.load(Ordering::SeqCst), "nobody has answered");
    drop(b);
    until("its end", || ended.load(Ordering::SeqCst).then_some(()));
}

#[test]
fn a_companion_of_a_link_that_has_failed_ends_at_once() {
    let devices = Fabric::new().unwrap();
    let rdma = Rdma::over(&devices).build();
    let at = "rdma://127.0.0.1:*".parse().unwrap();
    let mut listener = rdma.bind(&at, &LinkOptions::default()).unwrap();
    let (mut a, _b) = connect(&rdma, &mut *listener);
    devices.kill_accepted();
    until("its failure", || match a.read(&mut [0; 8]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        _ => Some(()),
    });
    let (companion, ended) = Companion::new();
    a.shutdown_before(companion);
    assert!(ended.load(Ordering::SeqCst));
    // Shut down already: what comes later ends at once as well.
    let (companion, ended) = Companion::new();
    a.shutdown_before(companion);
    assert!(ended.load(Ordering::SeqCst));
}
