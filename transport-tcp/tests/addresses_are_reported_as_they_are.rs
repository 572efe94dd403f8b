//! Wildcards turn into real endpoints, and both ends know where they are.

mod common;

use std::os::unix::fs::{FileTypeExt, MetadataExt};

use common::{accept, assert_talk, bind, connect, endpoint, pair, try_connect};
use ferromq_transport::{Address, Endpoint, Host, IpVersion, LinkOptions, TcpAddress, Transport};
use ferromq_transport_tcp::{Ipc, Tcp};

fn tcp(endpoint: &Endpoint) -> &TcpAddress {
    match endpoint.address() {
        Address::Tcp(tcp) => tcp,
        _ => panic!("{endpoint} is not tcp"),
    }
}

#[test]
fn a_wildcard_port_reports_the_real_one_and_leads_there() {
    for text in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://[::1]:*"] {
        let mut listener = bind(&Tcp, text);
        let local = listener.local_endpoint().clone();
        assert_eq!(tcp(&local).host, tcp(&endpoint(text)).host);
        assert_ne!(tcp(&local).port, 0);
        let mut client = connect(&Tcp, &local);
        let mut server = accept(&mut *listener);
        assert_talk(&mut *client, &mut *server);
    }
}

#[test]
fn a_wildcard_host_is_ipv4_unless_both_versions_are_asked_for() {
    let mut options = LinkOptions::default();
    let bind = |options: &LinkOptions| match Tcp.bind(&endpoint("tcp://*:*"), options) {
        Ok(listener) => listener,
        Err(error) => panic!("{error}"),
    };
    let reaches = |port: u16, host: &str| {
        let to = endpoint(&format!("tcp://{host}:{port}"));
        try_connect(&Tcp, &to, &LinkOptions::default()).is_ok()
    };

    let v4 = bind(&options);
    let port = tcp(v4.local_endpoint()).port;
    assert_eq!(tcp(v4.local_endpoint()).host, Host::V4([0, 0, 0, 0].into()));
    assert!(reaches(port, "127.0.0.1") && !reaches(port, "[::1]"));

    options.ip_version = IpVersion::Dual;
    let dual = bind(&options);
    let port = tcp(dual.local_endpoint()).port;
    assert_eq!(
        dual.local_endpoint(),
        &endpoint(&format!("tcp://[::]:{port}"))
    );
    assert!(reaches(port, "127.0.0.1") && reaches(port, "[::1]"));

    options.ip_version = IpVersion::V6Only;
    let v6 = bind(&options);
    let port = tcp(v6.local_endpoint()).port;
    assert!(!reaches(port, "127.0.0.1") && reaches(port, "[::1]"));
}

#[test]
fn an_ipv4_peer_of_a_dual_stack_listener_keeps_its_ipv4_address() {
    let mut options = LinkOptions::default();
    options.ip_version = IpVersion::Dual;
    let Ok(mut listener) = Tcp.bind(&endpoint("tcp://*:*"), &options) else {
        panic!("no dual-stack socket");
    };
    let port = tcp(listener.local_endpoint()).port;
    let client = connect(&Tcp, &endpoint(&format!("tcp://127.0.0.1:{port}")));
    let server = accept(&mut *listener);
    assert_eq!(
        Some(server.peer().endpoint.clone()),
        client.local_endpoint()
    );
    assert_eq!(
        tcp(&server.peer().endpoint).host,
        Host::V4([127, 0, 0, 1].into())
    );
}

#[test]
fn both_ends_of_a_tcp_link_know_each_other() {
    for text in ["tcp://127.0.0.1:*", "tcp://[::1]:*"] {
        let (client, server) = pair(&Tcp, text);
        assert_eq!(
            client.local_endpoint().as_ref(),
            Some(&server.peer().endpoint)
        );
        assert_eq!(
            server.local_endpoint().as_ref(),
            Some(&client.peer().endpoint)
        );
        assert_eq!(client.peer().credentials, None);
    }
}

#[test]
fn names_of_hosts_and_interfaces_can_be_bound() {
    for (name, wanted) in [("localhost", "localhost"), ("lo", "127.0.0.1")] {
        if cfg!(not(target_os = "linux")) && name == "lo" {
            continue;
        }
        let bound = endpoint(&format!("tcp://{name}:*"));
        assert!(Tcp.needs_resolver(&bound));
        let mut listener = bind(&Tcp, &bound.to_string());
        let port = tcp(listener.local_endpoint()).port;
        let mut client = connect(&Tcp, &endpoint(&format!("tcp://{wanted}:{port}")));
        assert_talk(&mut *client, &mut *accept(&mut *listener));
    }
}

#[test]
fn a_wildcard_path_is_a_socket_in_a_directory_of_our_own() {
    let mut listener = bind(&Ipc, "ipc://*");
    let local = listener.local_endpoint().clone();
    let Address::Ipc(ipc) = local.address() else {
        panic!("{local} is not ipc");
    };
    let path = ipc.path().unwrap().to_owned();
    let directory = path.parent().unwrap().to_owned();
    assert!(path.symlink_metadata().unwrap().file_type().is_socket());
    let mode = directory.symlink_metadata().unwrap().mode();
    assert_eq!(mode & 0o7777, 0o700, "{}", directory.display());

    let other = bind(&Ipc, "ipc://*");
    assert_ne!(other.local_endpoint(), &local);

    let mut client = connect(&Ipc, &local);
    assert_talk(&mut *client, &mut *accept(&mut *listener));
    drop(listener);
    assert!(!directory.exists(), "{} was left", directory.display());
}

#[test]
fn an_ipc_link_is_called_by_its_listener() {
    let (client, server) = pair(&Ipc, "ipc://*");
    assert_eq!(client.peer().endpoint, server.peer().endpoint);
    assert_eq!(
        server.local_endpoint().as_ref(),
        Some(&client.peer().endpoint)
    );
    assert_eq!(client.local_endpoint(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_socket_file_is_for_its_user_unless_any_user_is_admitted() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let mode = |name: &str, options: &LinkOptions| {
        let path = directory.path().join(name);
        let listener = Ipc.bind(&endpoint(&format!("ipc://{}", path.display())), options);
        assert!(listener.is_ok());
        path.symlink_metadata().unwrap().permissions().mode() & 0o777
    };
    let mut options = LinkOptions::default();
    assert_eq!(mode("same", &options), 0o600);
    options.local_users = ferromq_transport::LocalUsers::Any;
    assert_eq!(mode("any", &options), 0o666);
}
