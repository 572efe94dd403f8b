//! One of the proxy's sockets, from its making to the end of its lingering.

use std::thread::JoinHandle;

use ferromq::{AnySocket, Context, Options, SocketType};

use super::ProxyArgs;
use crate::cli::error::Failure;
use crate::cli::security::Security;
use crate::cli::trouble::Told;
use crate::cli::{session, trouble};

/// A socket with its part in the proxy.
pub(super) struct Part {
    name: &'static str,
    pub(super) socket: AnySocket,
    /// Prints what happens to connections until the socket has lingered; gives
    /// the messages that lingered in vain.
    observer: JoinHandle<u64>,
    bound: Vec<String>,
    /// All its endpoints, as they were given.
    place: String,
}

impl Part {
    pub(super) fn make(
        context: &Context,
        name: &'static str,
        socket_type: SocketType,
        args: &ProxyArgs,
    ) -> Result<Self, Failure> {
        let mut options = Options::new().name(name).linger(Some(args.linger));
        if let Some(hwm) = args.hwm {
            options = options
                .send_high_water_mark(hwm)
                .receive_high_water_mark(hwm);
        }
        let socket = context.any_socket(socket_type, options)?;
        if socket_type == SocketType::Sub {
            // It cannot ask for what its subscribers want.
            socket.subscribe("")?;
        }
        Ok(Self {
            name,
            observer: trouble::observe(socket.monitor(), Told::Trouble.or_this(args.verbose))?,
            socket,
            bound: Vec::new(),
            place: String::new(),
        })
    }

    /// Listens and connects, secured, and tells where it listens if that was
    /// not said and is not told anyway.
    pub(super) fn open(
        &mut self,
        bind: &[String],
        connect: &[String],
        (security, verbose): (&Security, bool),
    ) -> Result<(), Failure> {
        self.place = [bind, connect].concat().join(", ");
        security.before_bind(&self.socket, bind)?;
        for given in bind {
            let bound = self.socket.bind(given)?.to_string();
            if bound != *given && !verbose {
                trouble::say(format_args!("{} listening on {bound}", self.name));
            }
            self.bound.push(bound);
        }
        security.before_connect(&self.socket, connect)?;
        for endpoint in connect {
            self.socket.connect(endpoint)?;
        }
        Ok(())
    }

    /// Takes no more connections, and begins to linger. The endpoints first: an
    /// `ipc://` endpoint has a file, which must not outlive the program.
    pub(super) fn close(&self) {
        for endpoint in &self.bound {
            // Nothing to do about one that is gone already.
            let _ = self.socket.unbind(endpoint);
        }
        self.socket.close();
    }

    /// Waits until it has lingered, and tells what was lost.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let undelivered = self.observer.join().unwrap_or(0);
        session::tell_drops(&self.socket);
        match undelivered {
            0 => Ok(()),
            messages => Err(Failure::Undelivered {
                messages,
                place: self.place,
            }),
        }
    }
}
