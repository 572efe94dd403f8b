//! What cannot be bound, and what the errors say about it.

mod common;

use common::{bind, endpoint, error};
use ferromq_transport::{Cause, LinkOptions, Operation, Transport};
use ferromq_transport_tcp::{Ipc, Tcp};

#[test]
fn a_port_in_use() {
    let first = bind(&Tcp, "tcp://127.0.0.1:*");
    let taken = first.local_endpoint();
    let failure = error(Tcp.bind(taken, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::AddressInUse);
    assert_eq!(failure.operation(), Operation::Bind);
    assert_eq!(
        failure.to_string(),
        format!("cannot bind {taken}: the address is in use")
    );
}

#[test]
fn a_port_in_use_is_not_dodged_by_another_address_of_the_name() {
    let first = bind(&Tcp, "tcp://127.0.0.1:*");
    let text = first.local_endpoint().to_string();
    let named = endpoint(&text.replace("127.0.0.1", "localhost"));
    let failure = error(Tcp.bind(&named, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::AddressInUse);
    assert_eq!(failure.endpoint(), &named);
}

#[test]
fn a_port_is_free_again_when_its_listener_is_dropped() {
    let first = bind(&Tcp, "tcp://127.0.0.1:*");
    let text = first.local_endpoint().to_string();
    // A connection that is cut off leaves its traces on the port.
    let client = common::connect(&Tcp, first.local_endpoint());
    drop(first);
    let second = bind(&Tcp, &text);
    assert_eq!(second.local_endpoint().to_string(), text);
    drop(client);
}

#[test]
fn an_address_of_another_machine() {
    // 192.0.2.0/24 is for documentation (RFC 5737).
    let foreign = endpoint("tcp://192.0.2.1:5555");
    let failure = error(Tcp.bind(&foreign, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::AddressNotAvailable);
    assert_eq!(failure.endpoint(), &foreign);
}

#[test]
fn an_ipc_path_in_a_directory_that_does_not_exist() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent/socket");
    let bound = endpoint(&format!("ipc://{}", path.display()));
    let failure = error(Ipc.bind(&bound, &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::NotFound);
    assert_eq!(
        failure.to_string(),
        format!("cannot bind {bound}: no such file or directory")
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_in_use() {
    let name = format!("ipc://@ferromq-test-in-use-{}", std::process::id());
    let first = bind(&Ipc, &name);
    let failure = error(Ipc.bind(first.local_endpoint(), &LinkOptions::default()));
    assert_eq!(failure.cause(), Cause::AddressInUse);
    drop(first);
    drop(bind(&Ipc, &name));
}

#[cfg(target_os = "linux")]
#[test]
fn the_longest_names_that_parse_can_be_bound() {
    use ferromq_transport::IPC_NAME_MAX;

    let directory = tempfile::tempdir().unwrap();
    let mut path = format!("{}/", directory.path().display());
    path.push_str(&"x".repeat(IPC_NAME_MAX - path.len()));
    let listener = bind(&Ipc, &format!("ipc://{path}"));
    drop(common::connect(&Ipc, listener.local_endpoint()));
    assert!(std::fs::symlink_metadata(&path).is_ok());

    let name = format!("ipc://@{:x<IPC_NAME_MAX$}", std::process::id());
    let listener = bind(&Ipc, &name);
    drop(common::connect(&Ipc, listener.local_endpoint()));
}
