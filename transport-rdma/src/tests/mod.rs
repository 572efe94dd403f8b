//! The transport over devices in software.

mod conformance;
mod faults;
mod hostile;
mod meeting;
mod writes;

use std::thread;
use std::time::{Duration, Instant};

use ferromq_transport::{Endpoint, Link, LinkOptions, Listener, Transport};

use crate::Rdma;

fn until<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = so() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never was");
        thread::yield_now();
    }
}

/// Links: who connected, who accepted.
type Pair = (Box<dyn Link>, Box<dyn Link>);

fn connect(rdma: &Rdma, listener: &mut dyn Listener) -> Pair {
    let endpoint = listener.local_endpoint().clone();
    connect_to(rdma, &endpoint, listener)
}

fn connect_to(rdma: &Rdma, endpoint: &Endpoint, listener: &mut dyn Listener) -> Pair {
    let route = rdma.resolve(endpoint).unwrap();
    let mut connecting = rdma.connect(&route, &LinkOptions::default()).unwrap();
    let mut accepted = None;
    let connected = until("a connection", || {
        accepted = accepted.take().or_else(|| listener.accept().unwrap());
        connecting.poll_connected().unwrap()
    });
    (connected, accepted.expect("a caller"))
}
