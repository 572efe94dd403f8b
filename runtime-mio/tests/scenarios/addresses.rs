//! A name that leads to several addresses, some of which never answer.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use ferromq_mio::{Context, EventKind, Options, SocketType};
use ferromq_transport::{
    Connecting, Endpoint, LinkOptions, Listener, Route, Transport, TransportError,
};
use ferromq_transport_tcp::Tcp;

use crate::common::raw::RawPeer;
use crate::common::*;

const NAME: &str = "tcp://service.example:5555";
/// For addresses of which none answers.
const PATIENCE_EACH: Duration = Duration::from_millis(150);

/// tcp, with a resolver that knows one name.
struct Named(Vec<SocketAddr>);

impl Transport for Named {
    fn schemes(&self) -> &'static [&'static str] {
        &["tcp"]
    }

    fn needs_resolver(&self, _: &Endpoint) -> bool {
        true
    }

    fn resolve(&self, endpoint: &Endpoint) -> Result<Route, TransportError> {
        Ok(Route::new(endpoint.clone()).with_addresses(self.0.clone(), Vec::new()))
    }

    fn bind(
        &self,
        endpoint: &Endpoint,
        options: &LinkOptions,
    ) -> Result<Box<dyn Listener>, TransportError> {
        Tcp.bind(endpoint, options)
    }

    fn connect(
        &self,
        route: &Route,
        options: &LinkOptions,
    ) -> Result<Box<dyn Connecting>, TransportError> {
        Tcp.connect(route, options)
    }
}

/// An address that takes no connection and refuses none: its queue is full.
struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Deaf {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: the descriptor is open, and `listen` touches no memory.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let waiting = std::iter::from_fn(connect).take(100).collect();
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}

fn context_with(addresses: Vec<SocketAddr>) -> Context {
    Context::builder()
        .transport(Named(addresses))
        .build()
        .unwrap()
}

fn options(patience_each: Duration) -> Options {
    Options::new()
        .handshake_timeout(patience_each)
        .reconnect_interval(Duration::from_millis(5), Duration::from_millis(20))
        .linger(Some(Duration::ZERO))
}

// HOSTILE 56
#[test]
fn each_address_of_a_name_has_a_time_of_its_own() {
    let _watchdog = Watchdog::start();
    // The one that answers has no more: what a busy machine takes for a handshake, too.
    let patience_each = Duration::from_secs(2);
    let (first, second) = (Deaf::new(), Deaf::new());
    let live = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = vec![first.address, second.address, live.local_addr().unwrap()];
    let context = context_with(addresses);
    let options = options(patience_each);
    let push = context.any_socket(SocketType::Push, options).unwrap();
    let monitor = push.monitor();
    let started = Instant::now();
    push.connect(NAME).unwrap();
    let mut peer = RawPeer::accept(&live, "PULL");
    assert!(
        started.elapsed() >= patience_each * 2,
        "neither had its time"
    );
    push.send("at last").unwrap();
    assert_eq!(peer.next_message().unwrap(), [b"at last"]);
    let event = monitor.recv_timeout(PATIENCE).unwrap();
    // It was one attempt, which did not fail.
    assert_eq!(event.kind, EventKind::Connected, "{event:?}");
}

#[test]
fn a_name_whose_addresses_never_answer_is_tried_again_from_the_first() {
    let _watchdog = Watchdog::start();
    let deaf = [Deaf::new(), Deaf::new()];
    let context = context_with(deaf.iter().map(|deaf| deaf.address).collect());
    let options = options(PATIENCE_EACH);
    let push = context.any_socket(SocketType::Push, options).unwrap();
    let monitor = push.monitor();
    let started = Instant::now();
    push.connect(NAME).unwrap();
    for round in 1..=3 {
        let retried =
            |event: &ferromq_mio::Event| matches!(event.kind, EventKind::ConnectRetried { .. });
        let event = await_event(&monitor, "of the retry", retried);
        let EventKind::ConnectRetried { cause, .. } = event.kind else {
            unreachable!("waited for above")
        };
        // The last one is named, and the name.
        assert!(cause.contains(&deaf[1].address.to_string()), "{cause}");
        assert!(cause.contains(NAME), "{cause}");
        let least = PATIENCE_EACH * 2 * round;
        assert!(started.elapsed() >= least, "{round}: each had its time");
    }
}
