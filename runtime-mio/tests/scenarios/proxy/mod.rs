//! The proxy: who it serves, what it holds back, and how it is steered.

mod chains;
mod kinds;
mod pressure;
mod quiet;
mod steering;

use std::thread::JoinHandle;

use ferromq_mio::{AnySocket, Context, Options, Proxy, ProxyError, ProxyHandle, SocketType};

use crate::common::*;

/// Makes three tests of a scenario that binds to two endpoints.
macro_rules! over_every_transport {
    ($($(#[$meta:meta])* fn $name:ident($front:ident, $back:ident) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "some scenarios need nothing else")]
            use super::*;

            fn scenario($front: &str, $back: &str) $body

            #[test]
            fn over_tcp() {
                let _watchdog = Watchdog::start();
                scenario("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
            }

            #[test]
            fn over_ipc() {
                let _watchdog = Watchdog::start();
                scenario("ipc://*", "ipc://*");
            }

            #[test]
            fn over_inproc() {
                let _watchdog = Watchdog::start();
                scenario("inproc://front", "inproc://back");
            }
        }
    )*};
}
use over_every_transport;

/// A proxy at work in a thread of its own.
struct Running {
    handle: ProxyHandle,
    thread: JoinHandle<(Proxy, Result<(), ProxyError>)>,
}

impl Running {
    fn start(mut proxy: Proxy) -> Self {
        let handle = proxy.handle();
        let thread = std::thread::spawn(move || {
            let ran = proxy.run();
            (proxy, ran)
        });
        Self { handle, thread }
    }

    /// Stops it, which has to be in order.
    #[track_caller]
    fn stop(self) -> Proxy {
        self.handle.stop();
        let (proxy, ran) = self.thread.join().unwrap();
        ran.unwrap();
        proxy
    }

    /// Waits until it ends by itself.
    fn ended(self) -> (Proxy, Result<(), ProxyError>) {
        self.thread.join().unwrap()
    }
}

/// A proxy between two sockets of these types, both bound, and where.
fn between(
    context: &Context,
    (front_type, front): (SocketType, &str),
    (back_type, back): (SocketType, &str),
) -> (Running, String, String) {
    let (frontend, front) = bound(context, front_type, Options::new(), front);
    let (backend, back) = bound(context, back_type, Options::new(), back);
    let proxy = Proxy::builder(frontend, backend).build().unwrap();
    (Running::start(proxy), front, back)
}

/// The only frame of the next message, as text.
#[track_caller]
fn recv_text(socket: &AnySocket) -> String {
    let parts = recv_parts(socket);
    assert_eq!(parts.len(), 1);
    String::from_utf8(parts.concat()).unwrap()
}
