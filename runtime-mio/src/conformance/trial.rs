//! What every check starts from.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ferromq_transport::conformance::{Finding, Settings, ensure};
use ferromq_transport::{Faults, Random};

use super::letters::Letters;
use super::subject::Subject;
use crate::{AnySocket, Context, Message, Options, SocketType};

/// One run of one check.
pub(super) struct Trial {
    subject: Arc<dyn Subject>,
    context: Context,
    random: RefCell<Random>,
    pub(super) patience: Duration,
}

impl Trial {
    pub(super) fn new(subject: Arc<dyn Subject>, settings: &Settings) -> Result<Self, Finding> {
        Ok(Self {
            context: subject.context()?,
            subject,
            random: RefCell::new(Random::new(settings.seed)),
            patience: settings.patience,
        })
    }

    /// The same over links that break after a number of bytes.
    pub(super) fn breaking(&self) -> Result<Self, Finding> {
        let faults = Faults::new(self.number()).resetting_after(5_000..=150_000);
        let context = self.subject.faulty_context(faults);
        let none = || Finding::new("there are no links to break");
        Ok(Self {
            context: context.ok_or_else(none)??,
            subject: self.subject.clone(),
            random: self.random.clone(),
            patience: self.patience,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.random.borrow_mut().number()
    }

    pub(super) fn endpoint(&self) -> String {
        self.subject.fresh_endpoint()
    }

    /// Messages of up to so many bytes a part.
    pub(super) fn letters(&self, longest: usize) -> Letters {
        Letters::new(self.number(), longest)
    }

    /// Options under which no call waits longer than the patience, and a lost
    /// connection comes back soon.
    pub(super) fn options(&self) -> Options {
        Options::new()
            .send_timeout(Some(self.patience))
            .receive_timeout(Some(self.patience))
            .linger(Some(self.patience))
            .reconnect_interval(Duration::from_millis(5), Duration::from_millis(50))
    }

    pub(super) fn socket(&self, socket_type: SocketType) -> Result<AnySocket, Finding> {
        self.socket_with(socket_type, self.options())
    }

    pub(super) fn socket_with(
        &self,
        socket_type: SocketType,
        options: Options,
    ) -> Result<AnySocket, Finding> {
        Ok(self.context.any_socket(socket_type, options)?)
    }

    /// A socket that is bound, and where.
    pub(super) fn bound(&self, socket_type: SocketType) -> Result<(AnySocket, String), Finding> {
        let socket = self.socket(socket_type)?;
        let endpoint = socket.bind(&self.endpoint())?.to_string();
        Ok((socket, endpoint))
    }

    /// A socket that is connected to `endpoint`.
    pub(super) fn connected(
        &self,
        socket_type: SocketType,
        endpoint: &str,
    ) -> Result<AnySocket, Finding> {
        let socket = self.socket(socket_type)?;
        socket.connect(endpoint)?;
        Ok(socket)
    }

    /// The same, of a socket that may leave messages unsent when it goes.
    pub(super) fn careless(
        &self,
        socket_type: SocketType,
        endpoint: &str,
    ) -> Result<AnySocket, Finding> {
        let options = self.options().linger(Some(Duration::ZERO));
        let socket = self.socket_with(socket_type, options)?;
        socket.connect(endpoint)?;
        Ok(socket)
    }

    /// Waits until so many peers stand.
    pub(super) fn await_peers(&self, socket: &AnySocket, count: usize) -> Result<(), Finding> {
        ensure(socket.wait_for_peers(count, self.patience)?, || {
            let patience = self.patience;
            format!(
                "{} of {count} peers came in {patience:?}",
                socket.statistics().peers.len()
            )
        })
    }

    /// Receives letters `numbers` of one sender, in this order.
    pub(super) fn expect(
        &self,
        socket: &AnySocket,
        letters: Letters,
        sender: u32,
        numbers: std::ops::Range<u32>,
    ) -> Result<(), Finding> {
        for number in numbers {
            let message = receive(socket, &format!("message {number} of sender {sender}"))?;
            let seen = letters.read(&message)?;
            ensure(seen == (sender, number), || {
                let (from, seen) = seen;
                format!("message {seen} of sender {from} came instead of {number} of {sender}")
            })?;
        }
        Ok(())
    }
}

/// Receives, and says what did not come.
pub(super) fn receive(socket: &AnySocket, what: &str) -> Result<Message, Finding> {
    socket
        .recv()
        .map_err(|error| Finding::new(format!("waiting for {what}: {error}")))
}

/// Sends, and says what could not be sent.
pub(super) fn send(socket: &AnySocket, message: Message, what: &str) -> Result<(), Finding> {
    socket
        .send(message)
        .map_err(|refused| Finding::new(format!("sending {what}: {}", refused.error)))
}

/// Sends letters `numbers`.
pub(super) fn send_letters(
    socket: &AnySocket,
    letters: Letters,
    sender: u32,
    numbers: std::ops::Range<u32>,
) -> Result<(), Finding> {
    for number in numbers {
        let message = letters.write(sender, number);
        send(socket, message, &format!("message {number}"))?;
    }
    Ok(())
}

/// Runs `other` on a thread of its own while `this` runs; the findings of both.
pub(super) fn meanwhile<T>(
    other: impl FnOnce() -> Result<(), Finding> + Send,
    this: impl FnOnce() -> Result<T, Finding>,
) -> Result<T, Finding> {
    thread::scope(|scope| {
        let other = scope.spawn(other);
        let this = this();
        let other = other.join().map_err(|_| Finding::new("a thread panicked"));
        let value = this?;
        other??;
        Ok(value)
    })
}
