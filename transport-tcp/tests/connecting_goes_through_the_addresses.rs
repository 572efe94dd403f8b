//! Connections: every address gets its turn, and failures say what happened.

mod common;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use common::{
    Ready, accept, assert_talk, bind, connect, endpoint, error, finish, follow, try_connect, wait,
};
use ferromq_transport::{
    Address, Cause, Endpoint, IpVersion, LinkOptions, Operation, Route, Transport,
};
use ferromq_transport_tcp::{Ipc, Tcp};
use socket2::{Domain, Socket, Type};

fn socket_address(endpoint: &Endpoint) -> SocketAddr {
    endpoint
        .to_string()
        .strip_prefix("tcp://")
        .unwrap()
        .parse()
        .unwrap()
}

/// A loopback address that refuses connections, and the socket that keeps it:
/// bound, so that no other test gets the port, but not listening.
fn refusing() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    // Lets a test connect from the port all the same.
    socket.set_reuse_address(true).unwrap();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any_port.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

fn route(addresses: &[SocketAddr]) -> Route {
    Route::new(endpoint("tcp://service.example:5555")).with_addresses(addresses.to_vec(), vec![])
}

#[test]
fn the_next_address_follows_one_that_refuses() {
    let mut listener = bind(&Tcp, "tcp://127.0.0.1:*");
    let live = socket_address(listener.local_endpoint());
    let ((_a, a), (_b, b)) = (refusing(), refusing());
    let route = route(&[a, b, live]);
    let Ok(mut client) = follow(&Tcp, &route, &LinkOptions::default()) else {
        panic!("the last address is alive");
    };
    assert_eq!(&client.peer().endpoint, listener.local_endpoint());
    assert_talk(&mut *client, &mut *accept(&mut *listener));
}

#[test]
fn every_attempt_has_a_descriptor_of_another_number() {
    let first = bind(&Tcp, "tcp://127.0.0.1:*");
    let second = bind(&Tcp, "tcp://127.0.0.1:*");
    let addresses = [&first, &second].map(|l| socket_address(l.local_endpoint()));
    let Ok(mut connecting) = Tcp.connect(&route(&addresses), &LinkOptions::default()) else {
        panic!("nothing failed yet");
    };
    let fd = connecting.fd();
    assert!(connecting.timed_out().is_ok());
    assert_ne!(connecting.fd(), fd);
    let fd = connecting.fd();
    let link = finish(connecting).ok().unwrap();
    assert_eq!(link.fd(), fd, "the link keeps the registered descriptor");
    assert_eq!(&link.peer().endpoint, second.local_endpoint());
}

#[test]
fn patience_at_an_end_with_the_last_address_is_an_error() {
    let listener = bind(&Tcp, "tcp://127.0.0.1:*");
    let route = Tcp.resolve(listener.local_endpoint()).unwrap();
    let mut connecting = Tcp.connect(&route, &LinkOptions::default()).ok().unwrap();
    let failure = connecting.timed_out().unwrap_err();
    assert_eq!(failure.cause(), Cause::TimedOut);
    assert_eq!(failure.endpoint(), listener.local_endpoint());
    assert_eq!(error(connecting.poll_connected()).cause(), Cause::TimedOut);
}

#[test]
fn a_refused_connection_names_endpoint_address_and_cause() {
    let (_socket, to) = refusing();
    let failure = error(follow(&Tcp, &route(&[to]), &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::ConnectionRefused);
    assert_eq!(failure.operation(), Operation::Connect);
    assert_eq!(
        failure.to_string(),
        format!(
            "cannot connect tcp://service.example:5555: nothing accepts connections there ({to})"
        )
    );
}

#[test]
fn a_name_that_nobody_knows_is_unresolvable() {
    let unknown = endpoint("tcp://no-such-host.invalid:5555");
    assert!(Tcp.needs_resolver(&unknown));
    for failure in [
        error(Tcp.resolve(&unknown)),
        error(Tcp.bind(&unknown, &LinkOptions::default())),
        error(Tcp.resolve(&endpoint("tcp://no-such-interface0;127.0.0.1:5555"))),
        error(Tcp.resolve(&endpoint("tcp://[fe80::1%no-such-if0]:5555"))),
    ] {
        assert_eq!(failure.cause(), Cause::Unresolvable, "{failure}");
        assert!(failure.to_string().contains("no-such-"), "{failure}");
    }
}

#[test]
fn numeric_endpoints_need_no_resolver() {
    for text in [
        "tcp://127.0.0.1:1",
        "tcp://127.0.0.1;[::1%1]:1",
        "tcp://*:*",
    ] {
        assert!(!Tcp.needs_resolver(&endpoint(text)), "{text}");
    }
    assert!(Tcp.needs_resolver(&endpoint("tcp://eth0;127.0.0.1:1")));
    assert!(!Ipc.needs_resolver(&endpoint("ipc:///tmp/socket")));
}

#[test]
fn wildcards_cannot_be_connected_to() {
    for text in ["tcp://*:5555", "tcp://127.0.0.1:*", "tcp://127.0.0.1:0"] {
        assert_eq!(error(Tcp.resolve(&endpoint(text))).cause(), Cause::Wildcard);
    }
    let failure = error(Ipc.resolve(&endpoint("ipc://*")));
    assert_eq!(failure.cause(), Cause::Wildcard);
}

#[test]
fn the_ip_version_decides_among_a_names_addresses() {
    let mut listener = bind(&Tcp, "tcp://127.0.0.1:*");
    let v4 = socket_address(listener.local_endpoint());
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, v4.port()));
    let mut options = LinkOptions::default();
    let Ok(connecting) = Tcp.connect(&route(&[v6, v4]), &options) else {
        panic!("IPv4 comes first");
    };
    wait(connecting.fd(), Ready::ToWrite);
    assert!(finish(connecting).is_ok_and(|link| link.peer().endpoint == Endpoint::from(v4)));
    drop(accept(&mut *listener));

    options.ip_version = IpVersion::V6Only;
    let failure = error(follow(&Tcp, &route(&[v4]), &options));
    assert_eq!(failure.cause(), Cause::NoUsableAddress);
    // A numeric address means what it says.
    assert!(try_connect(&Tcp, listener.local_endpoint(), &options).is_ok());
}

#[test]
fn the_source_address_and_port_are_used() {
    let mut listener = bind(&Tcp, "tcp://127.0.0.1:*");
    let Address::Tcp(to) = listener.local_endpoint().address() else {
        panic!("not tcp");
    };
    let (port, (_socket, from)) = (to.port, refusing());
    let to = endpoint(&format!("tcp://{from};127.0.0.1:{port}"));
    let client = connect(&Tcp, &to);
    let server = accept(&mut *listener);
    assert_eq!(server.peer().endpoint, Endpoint::from(from));
    // The port can be used again at once.
    drop(client);
    drop(server);
    let _client = connect(&Tcp, &to);
    assert_eq!(accept(&mut *listener).peer().endpoint, Endpoint::from(from));
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_is_an_interface_or_its_number() {
    let scope = |text: &str| match Tcp.resolve(&endpoint(text)).unwrap().addresses[..] {
        [SocketAddr::V6(address)] => address.scope_id(),
        ref other => panic!("{other:?}"),
    };
    assert_eq!(scope("tcp://[fe80::1%7]:5555"), 7);
    let by_name = scope("tcp://[fe80::1%lo]:5555");
    let index = std::fs::read_to_string("/sys/class/net/lo/ifindex").unwrap();
    assert_eq!(index.trim(), by_name.to_string());
}

#[cfg(target_os = "linux")]
#[test]
fn an_interface_can_be_the_source() {
    let mut listener = bind(&Tcp, "tcp://127.0.0.1:*");
    let Address::Tcp(to) = listener.local_endpoint().address() else {
        panic!("not tcp");
    };
    let mut client = connect(&Tcp, &endpoint(&format!("tcp://lo;127.0.0.1:{}", to.port)));
    assert_talk(&mut *client, &mut *accept(&mut *listener));
}

#[test]
fn a_source_of_the_other_ip_version_is_no_usable_address() {
    let to = endpoint("tcp://[::1];127.0.0.1:5555");
    let failure = error(try_connect(&Tcp, &to, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::NoUsableAddress);
}

#[test]
fn a_source_that_is_not_ours_is_not_available() {
    // 192.0.2.0/24 is for documentation (RFC 5737).
    let to = endpoint("tcp://192.0.2.1;127.0.0.1:5555");
    let failure = error(try_connect(&Tcp, &to, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::AddressNotAvailable);
}

#[test]
fn a_connection_to_itself_is_a_refused_one() {
    let (_socket, own) = refusing();
    let to = endpoint(&format!("tcp://{own};{own}"));
    let failure = error(try_connect(&Tcp, &to, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::ConnectionRefused);
}

#[test]
fn an_absent_ipc_path_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    let to = endpoint(&format!("ipc://{}/socket", directory.path().display()));
    let failure = error(try_connect(&Ipc, &to, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::NotFound);
    assert_eq!(failure.endpoint(), &to);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_ipc_listener_is_told_from_an_absent_one() {
    let mut options = LinkOptions::default();
    options.backlog = 1;
    let mut listener = Ipc.bind(&endpoint("ipc://*"), &options).ok().unwrap();
    let to = listener.local_endpoint().clone();
    let mut waiting = Vec::new();
    let failure = loop {
        match try_connect(&Ipc, &to, &options) {
            Ok(link) => waiting.push(link),
            Err(error) => break error,
        }
        assert!(waiting.len() < 100, "the queue has no end");
    };
    assert_eq!(failure.cause(), Cause::QueueFull);
    for mut client in waiting {
        assert_talk(&mut *client, &mut *accept(&mut *listener));
    }
}

#[test]
fn a_transport_refuses_endpoints_of_others() {
    let options = LinkOptions::default();
    for failure in [
        error(Tcp.bind(&endpoint("ipc://*"), &options)),
        error(Tcp.resolve(&endpoint("shm://a"))),
        error(Ipc.bind(&endpoint("tcp://*:*"), &options)),
        error(Ipc.resolve(&endpoint("tcp://127.0.0.1:1"))),
    ] {
        assert_eq!(failure.cause(), Cause::Unsupported, "{failure}");
    }
}
