//! The socket of one command, from its making to the end of its lingering.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ferromq::{AnySocket, DropCause, Error, Message, Options, SocketType};

use super::args::SocketArgs;
use super::error::Failure;
use super::security::Security;
use super::trouble::Told;
use super::{interrupt, trouble};

/// A socket that is bound and connected as the command line says.
pub(crate) struct Session {
    socket: AnySocket,
    /// Prints what happens to connections until the socket has lingered; gives
    /// the messages that lingered in vain.
    observer: JoinHandle<u64>,
    /// Shared with the thread that waits for signals.
    bound: Arc<Mutex<Vec<String>>>,
    timeout: Option<Duration>,
    place: String,
}

impl Session {
    pub(crate) fn open(socket_type: SocketType, args: &SocketArgs) -> Result<Self, Failure> {
        Self::open_with(socket_type, args, Options::new(), |_| Ok(()))
    }

    /// Opens with further options, and calls `prepare` before any peer is met.
    pub(crate) fn open_with(
        socket_type: SocketType,
        args: &SocketArgs,
        options: Options,
        prepare: impl FnOnce(&AnySocket) -> Result<(), Error>,
    ) -> Result<Self, Failure> {
        let security = args.security.load()?;
        let context = args.path.context()?;
        if let Some(place) = &args.status {
            context.serve_status(place)?;
        }
        let socket = context.any_socket(socket_type, with_common(options, args))?;
        let observer = trouble::observe(socket.monitor(), Told::Trouble.or_this(args.verbose))?;
        let place = [&args.endpoints.bind[..], &args.endpoints.connect[..]]
            .concat()
            .join(", ");
        let bound = Arc::default();
        let session = Self {
            socket,
            observer,
            bound,
            timeout: args.timeout,
            place,
        };
        match session.start(args, &security, prepare) {
            Ok(()) => Ok(session),
            Err(failure) => Err(session.abandon(failure)),
        }
    }

    fn start(
        &self,
        args: &SocketArgs,
        security: &Security,
        prepare: impl FnOnce(&AnySocket) -> Result<(), Error>,
    ) -> Result<(), Failure> {
        let (socket, bound) = (self.socket.clone(), self.bound.clone());
        interrupt::on_signal(move || {
            interrupt::end_command();
            close_now(&socket, &bound);
        })?;
        prepare(&self.socket)?;
        security.before_bind(&self.socket, &args.endpoints.bind)?;
        for given in &args.endpoints.bind {
            let bound = self.socket.bind(given)?.to_string();
            if bound != *given && !args.verbose {
                trouble::say(format_args!("listening on {bound}"));
            }
            lock(&self.bound).push(bound);
        }
        security.before_connect(&self.socket, &args.endpoints.connect)?;
        for endpoint in &args.endpoints.connect {
            self.connect(endpoint)?;
        }
        Ok(())
    }

    /// Connects. Who it is that a PEER talks to by number, is told.
    fn connect(&self, endpoint: &str) -> Result<(), Error> {
        if self.socket.socket_type() != SocketType::Peer {
            return self.socket.connect(endpoint);
        }
        let routing_id = self.socket.connect_peer(endpoint)?;
        trouble::say(format_args!("{endpoint}: is peer {routing_id:08x}"));
        Ok(())
    }

    pub(crate) fn socket(&self) -> &AnySocket {
        &self.socket
    }

    /// Waits for a message, as long as `--timeout` allows.
    pub(crate) fn receive(&self, waited_for: &'static str) -> Result<Message, Failure> {
        self.socket
            .recv()
            .map_err(|error| self.explain(error, waited_for))
    }

    /// A message that is there already.
    pub(crate) fn try_receive(&self) -> Result<Option<Message>, Failure> {
        match self.socket.try_recv() {
            Ok(message) => Ok(Some(message)),
            Err(Error::WouldBlock) => Ok(None),
            Err(error) => Err(self.explain(error, "no message came")),
        }
    }

    /// Sends, waiting for a peer with room as long as `--timeout` allows.
    pub(crate) fn send(&self, message: Message) -> Result<(), Failure> {
        let sent = self.socket.send(message);
        sent.map_err(|refused| self.explain(refused.error, "no peer took the message"))
    }

    /// What an error of the socket means to the user.
    pub(crate) fn explain(&self, error: Error, waited_for: &'static str) -> Failure {
        match (error, self.timeout) {
            (Error::TimedOut, Some(timeout)) => Failure::TimedOut {
                waited_for,
                timeout,
                place: self.place.clone(),
            },
            // A signal closes the socket to wake us.
            (error, _) => interrupt::interrupted().unwrap_or(Failure::Library(error)),
        }
    }

    /// Does `work`, then closes the socket and waits until what was sent has
    /// left, as long as `--linger` allows.
    ///
    /// What was sent before an unreadable line leaves too. After any other
    /// failure nothing lingers: it would be for a peer that is not there.
    pub(crate) fn run(
        self,
        work: impl FnOnce(&Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match work(&self) {
            Ok(()) => self.finish(),
            Err(failure) if failure.is_input() => {
                // Now: lingering may take its time.
                trouble::say(format_args!("{failure}"));
                self.finish().and(Err(Failure::Told))
            }
            Err(failure) => Err(self.abandon(failure)),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        self.socket.close();
        let undelivered = self.observer.join().unwrap_or(0);
        tell_drops(&self.socket);
        match (interrupt::interrupted(), undelivered) {
            (Some(signal), _) => Err(signal),
            (None, 0) => Ok(()),
            (None, messages) => Err(Failure::Undelivered {
                messages,
                place: self.place,
            }),
        }
    }

    fn abandon(self, failure: Failure) -> Failure {
        close_now(&self.socket, &self.bound);
        // The drop of the last handle would linger.
        std::mem::forget(self);
        failure
    }
}

/// Closes without waiting, the endpoints first: an `ipc://` endpoint has a
/// file, which must not outlive the program.
fn close_now(socket: &AnySocket, bound: &Mutex<Vec<String>>) {
    for endpoint in lock(bound).iter() {
        // Nothing to do about one that is gone already.
        let _ = socket.unbind(endpoint);
    }
    socket.close();
    // So has that of the status endpoint.
    ferromq::status::withdraw();
}

fn lock(bound: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    bound.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with_common(mut options: Options, args: &SocketArgs) -> Options {
    options = options
        .linger(args.linger.or(args.timeout))
        .send_timeout(args.timeout)
        .receive_timeout(args.timeout);
    if let Some(hwm) = args.hwm {
        options = options
            .send_high_water_mark(hwm)
            .receive_high_water_mark(hwm);
    }
    if let Some(identity) = &args.identity {
        options = options.identity(&identity.0[..]);
    }
    options
}

/// Nothing is lost silently: one line a cause.
pub(super) fn tell_drops(socket: &AnySocket) {
    let drops = socket.statistics().drops;
    for (cause, meaning) in [
        (
            DropCause::SubscriberFull,
            "dropped: a subscriber was too slow (--hwm gives it more room)",
        ),
        (DropCause::Unroutable, "dropped: their peer is gone"),
        (
            DropCause::LinkLost,
            "lost on the way, perhaps: a connection ended while they were sent",
        ),
        (DropCause::PeerGone, "dropped: their peer went away"),
        (
            DropCause::Refused,
            "refused: not in the form that this type of socket takes",
        ),
    ] {
        match drops.of(cause) {
            0 => {}
            1 => trouble::say(format_args!("1 message {meaning}")),
            messages => trouble::say(format_args!("{messages} messages {meaning}")),
        }
    }
}
