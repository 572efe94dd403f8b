//! Disconnecting from an endpoint that never answered.

use crate::common::*;
use ferromq_mio::{Options, SocketType};
use std::net::TcpListener;
fn quick() -> Options {
    Options::new()
}
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

#[test]
fn a_router_disconnects_from_an_endpoint_that_never_answered() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (_listener, endpoint) = listener();
    let router = connected(&context, SocketType::Router, quick(), &endpoint);
    router.disconnect(&endpoint).unwrap();
}
