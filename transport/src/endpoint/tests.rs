use proptest::prelude::*;

use super::*;
use crate::error::EndpointCause as Bad;

fn address(text: &str) -> Address {
    match text.parse::<Endpoint>() {
        Ok(endpoint) => endpoint.address().clone(),
        Err(error) => panic!("{error}"),
    }
}

fn tcp(text: &str) -> TcpAddress {
    match address(text) {
        Address::Tcp(tcp) => tcp,
        other => panic!("{text} is {other:?}"),
    }
}

fn cause(text: &str) -> Bad {
    text.parse::<Endpoint>().unwrap_err().cause()
}

#[test]
fn tcp_hosts_are_told_apart() {
    assert_eq!(tcp("tcp://*:5555").host, Host::Any);
    assert_eq!(
        tcp("tcp://192.0.2.1:1").host,
        Host::V4([192, 0, 2, 1].into())
    );
    assert_eq!(tcp("tcp://eth0.100:1").host, Host::Name("eth0.100".into()));
    assert_eq!(
        tcp("tcp://a.example:1").host,
        Host::Name("a.example".into())
    );
    let loopback = Host::V6 {
        address: "::1".parse().unwrap(),
        scope: None,
    };
    assert_eq!(tcp("tcp://[::1]:1").host, loopback);
    let scoped = Host::V6 {
        address: "fe80::1".parse().unwrap(),
        scope: Some("eth0".into()),
    };
    assert_eq!(tcp("tcp://[fe80::1%eth0]:1").host, scoped);
}

#[test]
fn tcp_ports_have_two_wildcards_and_sixteen_bits() {
    assert_eq!(tcp("tcp://*:*").port, 0);
    assert_eq!(tcp("tcp://*:0").port, 0);
    assert_eq!(tcp("tcp://*:65535").port, 65535);
    for text in ["tcp://*:65536", "tcp://*:+80", "tcp://*:-1", "tcp://*:8 0"] {
        assert_eq!(cause(text), Bad::BadPort, "{text}");
    }
    for text in ["tcp://host", "tcp://host:", "tcp://[::1]", "tcp://[::1]:"] {
        assert_eq!(cause(text), Bad::MissingPort, "{text}");
    }
}

#[test]
fn a_source_may_have_a_port() {
    let source = |text| tcp(text).source.unwrap();
    let from = |host: &str, port| TcpSource {
        host: Host::Name(host.into()),
        port,
    };
    assert_eq!(source("tcp://eth0;a:1"), from("eth0", 0));
    assert_eq!(source("tcp://eth0:*;a:1"), from("eth0", 0));
    assert_eq!(source("tcp://eth0:7000;a:1"), from("eth0", 7000));
    let v6 = source("tcp://[::1]:7000;[::2]:1");
    assert_eq!((v6.host.to_string().as_str(), v6.port), ("[::1]", 7000));
    assert_eq!(cause("tcp://eth0;a"), Bad::MissingPort);
    assert_eq!(cause("tcp://;a:1"), Bad::EmptyHost);
    assert_eq!(cause("tcp://a;b;c:1"), Bad::BadHost);
}

#[test]
fn malformed_hosts_are_refused_for_what_they_are() {
    assert_eq!(cause("tcp://:5555"), Bad::EmptyHost);
    assert_eq!(cause("tcp://127.1:5555"), Bad::BadIpv4);
    assert_eq!(cause("tcp://256.0.0.1:5555"), Bad::BadIpv4);
    assert_eq!(cause("tcp://::1:5555"), Bad::UnbracketedIpv6);
    assert_eq!(cause("tcp://[::1:5555"), Bad::BadIpv6);
    assert_eq!(cause("tcp://[::g]:5555"), Bad::BadIpv6);
    assert_eq!(cause("tcp://[::1]5555"), Bad::BadIpv6);
    assert_eq!(cause("tcp://[127.0.0.1]:5555"), Bad::BadIpv6);
    assert_eq!(cause("tcp://[fe80::1%]:5555"), Bad::BadScope);
    assert_eq!(cause("tcp://[fe80::1%a%b]:5555"), Bad::BadScope);
    assert_eq!(cause("tcp://a b:5555"), Bad::BadHost);
    assert_eq!(cause("tcp://a/b:5555"), Bad::BadHost);
    assert_eq!(cause("tcp://**:5555"), Bad::BadHost);
    let long = format!("tcp://{}:1", "a".repeat(254));
    let limit = 253;
    assert_eq!(cause(&long), Bad::HostTooLong { len: 254, limit });
}

#[test]
fn ipc_names_fit_the_system() {
    assert_eq!(
        address("ipc:///tmp/a b"),
        Address::Ipc(IpcAddress::Path("/tmp/a b".into()))
    );
    assert_eq!(
        address("ipc://@name"),
        Address::Ipc(IpcAddress::Abstract("name".into()))
    );
    assert_eq!(address("ipc://*"), Address::Ipc(IpcAddress::Any));
    assert_eq!(cause("ipc://"), Bad::EmptyAddress);
    assert_eq!(cause("ipc://@"), Bad::EmptyAbstractName);
    assert_eq!(cause("ipc://a\0b"), Bad::NulInName);

    let longest = "x".repeat(IPC_NAME_MAX);
    address(&format!("ipc://{longest}"));
    address(&format!("ipc://@{longest}"));
    let too_long = Bad::NameTooLong {
        len: IPC_NAME_MAX + 1,
        limit: IPC_NAME_MAX,
    };
    assert_eq!(cause(&format!("ipc://{longest}x")), too_long);
    assert_eq!(cause(&format!("ipc://@{longest}x")), too_long);
}

#[test]
fn foreign_schemes_are_kept_for_their_transports() {
    let endpoint: Endpoint = "x-carrier+2.0://any;thing:at *all".parse().unwrap();
    assert_eq!(endpoint.scheme(), "x-carrier+2.0");
    let Address::Other { rest, .. } = endpoint.address() else {
        panic!("{endpoint:?}");
    };
    assert_eq!(rest, "any;thing:at *all");
    assert_eq!(cause("inproc://"), Bad::EmptyAddress);
}

#[test]
fn schemes_are_lower_case_and_start_with_a_letter() {
    for text in ["", "tcp", "tcp:", "tcp:/127.0.0.1:1", "127.0.0.1:5555"] {
        assert_eq!(cause(text), Bad::MissingScheme, "{text:?}");
    }
    for text in ["://a", "TCP://*:1", "1tcp://a", " tcp://*:1", "t cp://a"] {
        assert_eq!(cause(text), Bad::BadScheme, "{text:?}");
    }
}

#[test]
fn a_socket_address_becomes_the_endpoint_that_leads_there() {
    for text in [
        "tcp://127.0.0.1:80",
        "tcp://[::1]:80",
        "tcp://[fe80::1%3]:80",
    ] {
        let parsed: Endpoint = text.parse().unwrap();
        let socket: SocketAddr = text.strip_prefix("tcp://").unwrap().parse().unwrap();
        assert_eq!(Endpoint::from(socket), parsed);
    }
}

/// Texts that mostly get past the first checks.
fn nearly_endpoints() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(tcp|ipc|inproc|shm)://[ -~]{0,40}",
        "tcp://[\\[\\]a-f0-9:.%*;]{0,40}",
        "tcp://([a-z0-9.]{1,9}(:[0-9*]{1,5})?;)?[a-z0-9.*]{1,9}:[0-9*]{1,5}",
        "ipc://[@*]?.{0,120}",
    ]
}

fn hosts() -> impl Strategy<Value = Host> {
    let scope = proptest::option::of("[a-z][a-z0-9.]{0,14}|[1-9][0-9]{0,3}");
    prop_oneof![
        Just(Host::Any),
        any::<std::net::Ipv4Addr>().prop_map(Host::V4),
        (any::<std::net::Ipv6Addr>(), scope)
            .prop_map(|(address, scope)| Host::V6 { address, scope }),
        "[a-z][a-z0-9_-]{0,20}(\\.[a-z0-9]{1,10}){0,3}".prop_map(Host::Name),
    ]
}

fn tcp_addresses() -> impl Strategy<Value = TcpAddress> {
    let sources = (hosts(), any::<u16>()).prop_map(|(host, port)| TcpSource { host, port });
    (proptest::option::of(sources), hosts(), any::<u16>())
        .prop_map(|(source, host, port)| TcpAddress { source, host, port })
}

proptest! {
    #[test]
    fn no_text_panics_and_what_parses_is_written_as_it_is_read(text in nearly_endpoints()) {
        match text.parse::<Endpoint>() {
            Ok(endpoint) => {
                let written = endpoint.to_string();
                prop_assert_eq!(written.parse::<Endpoint>(), Ok(endpoint.clone()));
                prop_assert_eq!(written.split("://").next(), Some(endpoint.scheme()));
            }
            Err(error) => {
                prop_assert_eq!(error.endpoint(), text.as_str());
                prop_assert!(error.to_string().contains(&text.escape_debug().to_string()));
            }
        }
    }

    #[test]
    fn every_tcp_address_can_be_written_and_read(tcp in tcp_addresses()) {
        let endpoint = Endpoint { address: Address::Tcp(tcp) };
        prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }
}
