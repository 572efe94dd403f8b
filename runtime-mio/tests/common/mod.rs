//! What the scenarios share: a watchdog, contexts, linked sockets, raw peers.

#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "no test binary uses all of it"
)]

pub(crate) mod raw;

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, Context, Event, Message, Monitor, Options, SocketType};
use ferromq_transport_tcp::{Ipc, Tcp};

/// How long a single wait goes on before the test has failed. No machine is so
/// slow that a correct run comes near it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Names a test that hangs, and ends the process: the last resort against a
/// call that never returns.
pub(crate) struct Watchdog(Sender<()>);

impl Watchdog {
    pub(crate) fn start() -> Self {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let (alive, dropped) = channel::<()>();
        std::thread::spawn(move || {
            if dropped.recv_timeout(PATIENCE * 3) == Err(RecvTimeoutError::Timeout) {
                eprintln!("watchdog: {test} hangs");
                std::process::abort();
            }
        });
        Self(alive)
    }
}

/// Makes two tests of a scenario that takes an endpoint to bind to.
macro_rules! over_tcp_and_ipc {
    ($($(#[$meta:meta])* fn $name:ident($endpoint:ident) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "some scenarios need nothing else")]
            use super::*;

            fn scenario($endpoint: &str) $body

            #[test]
            fn over_tcp() {
                let _watchdog = Watchdog::start();
                scenario("tcp://127.0.0.1:*");
            }

            #[test]
            fn over_ipc() {
                let _watchdog = Watchdog::start();
                scenario("ipc://*");
            }
        }
    )*};
}
pub(crate) use over_tcp_and_ipc;

pub(crate) fn context() -> Context {
    let builder = Context::builder().transport(Tcp).transport(Ipc);
    builder.build().unwrap()
}

/// Asks again until there is an answer, leaving the core to others in between.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_micros(200));
    }
}

/// The next message, which has to come.
#[track_caller]
pub(crate) fn recv(socket: impl AsRef<AnySocket>) -> Message {
    socket.as_ref().recv_timeout(PATIENCE).unwrap()
}

/// The next message as lists of bytes.
#[track_caller]
pub(crate) fn recv_parts(socket: impl AsRef<AnySocket>) -> Vec<Vec<u8>> {
    recv(socket).iter().map(|frame| frame.to_vec()).collect()
}

/// The only frame of the next message, as a number.
#[track_caller]
pub(crate) fn recv_number(socket: impl AsRef<AnySocket>) -> u64 {
    number(&recv(socket))
}

#[track_caller]
pub(crate) fn number(message: &Message) -> u64 {
    u64::from_le_bytes(message.frame(0).unwrap()[..8].try_into().unwrap())
}

/// A socket that is bound to a wildcard, and its real endpoint.
pub(crate) fn bound(
    context: &Context,
    socket_type: SocketType,
    options: Options,
    endpoint: &str,
) -> (AnySocket, String) {
    let socket = context.any_socket(socket_type, options).unwrap();
    let endpoint = socket.bind(endpoint).unwrap().to_string();
    (socket, endpoint)
}

pub(crate) fn connected(
    context: &Context,
    socket_type: SocketType,
    options: Options,
    endpoint: &str,
) -> AnySocket {
    let socket = context.any_socket(socket_type, options).unwrap();
    socket.connect(endpoint).unwrap();
    socket
}

/// A bound and a connected socket with the handshake behind them.
pub(crate) fn linked(
    context: &Context,
    endpoint: &str,
    (bound_type, bound_options): (SocketType, Options),
    (connected_type, connected_options): (SocketType, Options),
) -> (AnySocket, AnySocket) {
    let (server, real) = bound(context, bound_type, bound_options, endpoint);
    let client = connected(context, connected_type, connected_options, &real);
    await_peers(&server, 1);
    await_peers(&client, 1);
    (server, client)
}

#[track_caller]
pub(crate) fn await_peers(socket: &AnySocket, count: usize) {
    assert!(socket.wait_for_peers(count, PATIENCE).unwrap());
}

/// The first event that `wanted` accepts; earlier ones are passed over.
#[track_caller]
pub(crate) fn await_event(monitor: &Monitor, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Some(event) = monitor.recv_timeout(left) else {
            panic!("no event {what} among {seen:?}");
        };
        if wanted(&event) {
            return event;
        }
        seen.push(event.kind);
    }
}

/// Raises the limit of descriptors to so many, which is for the whole process and stays;
/// false, with a word, where the system does not let us.
pub(crate) fn has_descriptors(descriptors: u64) -> bool {
    // Tests of one binary must not lower what another has just raised.
    static RAISING: Mutex<()> = Mutex::new(());
    let _raising = RAISING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a limit that outlives the call.
    let asked = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    assert_eq!(asked, 0);
    if limit.rlim_max < descriptors {
        let most = limit.rlim_max;
        println!("skipped: {descriptors} descriptors are needed, {most} can be had");
        return false;
    }
    limit.rlim_cur = limit.rlim_cur.max(descriptors);
    // SAFETY: as above.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
    true
}

/// The port of a `tcp://` endpoint's text.
pub(crate) fn port(endpoint: &str) -> u16 {
    endpoint.rsplit(':').next().unwrap().parse().unwrap()
}
