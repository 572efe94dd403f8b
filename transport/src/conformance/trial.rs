//! What every check starts from: links between endpoints of the subject.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::end::{End, Watch};
use super::subject::Subject;
use super::verdict::{Finding, Settings};
use crate::endpoint::Endpoint;
use crate::error::TransportError;
use crate::faulty::Random;
use crate::link::Link;
use crate::options::LinkOptions;
use crate::transport::{Connecting, Listener, Transport};

/// One run of one check.
pub(super) struct Trial {
    pub(super) subject: Arc<dyn Subject>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) random: RefCell<Random>,
    pub(super) patience: Duration,
}

/// Why there is no link: the transport's answer, or what the suite found.
pub(super) enum NoLink {
    Refused(TransportError),
    Wrong(Finding),
}

impl From<NoLink> for Finding {
    fn from(no_link: NoLink) -> Self {
        match no_link {
            NoLink::Refused(error) => error.into(),
            NoLink::Wrong(finding) => finding,
        }
    }
}

impl<E: Into<Finding>> From<E> for NoLink
where
    E: std::error::Error,
{
    fn from(error: E) -> Self {
        Self::Wrong(error.into())
    }
}

impl Trial {
    pub(super) fn new(subject: Arc<dyn Subject>, settings: &Settings) -> Self {
        Self {
            transport: subject.transport(),
            subject,
            random: RefCell::new(Random::new(settings.seed)),
            patience: settings.patience,
        }
    }

    /// A random length up to `max`, of every magnitude.
    pub(super) fn length(&self, max: usize) -> usize {
        self.random.borrow_mut().length(max)
    }

    pub(super) fn number(&self) -> u64 {
        self.random.borrow_mut().number()
    }

    /// Listens at a fresh endpoint.
    pub(super) fn listen(&self) -> Result<Door, Finding> {
        Ok(self.listen_at(&self.subject.fresh_endpoint())?)
    }

    pub(super) fn listen_at(&self, endpoint: &Endpoint) -> Result<Door, NoLink> {
        let listener = self
            .transport
            .bind(endpoint, &LinkOptions::default())
            .map_err(NoLink::Refused)?;
        Ok(Door {
            watch: Watch::new(listener.fd())?,
            listener,
            patience: self.patience,
        })
    }

    /// Starts to connect.
    pub(super) fn dial(&self, to: &Endpoint) -> Result<Dial, NoLink> {
        let route = self.transport.resolve(to).map_err(NoLink::Refused)?;
        let connecting = self
            .transport
            .connect(&route, &LinkOptions::default())
            .map_err(NoLink::Refused)?;
        Ok(Dial {
            watch: Watch::new(connecting.fd())?,
            connecting,
            patience: self.patience,
        })
    }

    /// Connects to a door while somebody opens it.
    pub(super) fn meet(&self, door: &mut Door) -> Result<(End, End), Finding> {
        let to = door.endpoint();
        let (dialled, accepted) = thread::scope(|scope| {
            let accepting = scope.spawn(|| door.accept());
            let dialled = self.dial(&to).and_then(Dial::finish);
            (dialled, accepting.join())
        });
        let accepted = accepted.map_err(|_| Finding::new("accepting panicked"))?;
        Ok((dialled?, accepted?))
    }

    /// A connected pair at a fresh endpoint: who connected, who accepted.
    pub(super) fn pair(&self) -> Result<(End, End), Finding> {
        self.meet(&mut self.listen()?)
    }
}

/// A listener, registered once and edge-triggered.
pub(super) struct Door {
    listener: Box<dyn Listener>,
    watch: Watch,
    patience: Duration,
}

impl Door {
    pub(super) fn endpoint(&self) -> Endpoint {
        self.listener.local_endpoint().clone()
    }

    /// Takes who waits; `None` when nobody does.
    pub(super) fn try_accept(&mut self) -> Result<Option<Box<dyn Link>>, Finding> {
        loop {
            match self.listener.accept() {
                Err(error) if error.is_refused() => {}
                other => return Ok(other?),
            }
        }
    }

    /// Takes the next one, sleeping until there is one.
    pub(super) fn accept(&mut self) -> Result<End, Finding> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(link) = self.try_accept()? {
                return End::new(link, "the accepting side", self.patience);
            }
            self.await_connection(deadline)?;
        }
    }

    fn await_connection(&mut self, deadline: Instant) -> Result<(), Finding> {
        while let Some(woken) = self.watch.wait(deadline)? {
            if woken.to_read {
                return Ok(());
            }
        }
        let patience = self.patience;
        Err(Finding::new(format!(
            "the listener: no event told of a connection in {patience:?}"
        )))
    }
}

/// A connection on its way.
pub(super) struct Dial {
    connecting: Box<dyn Connecting>,
    watch: Watch,
    patience: Duration,
}

impl Dial {
    /// Drives it to its end.
    pub(super) fn finish(mut self) -> Result<End, NoLink> {
        let deadline = Instant::now() + self.patience;
        loop {
            let connected = self.connecting.poll_connected().map_err(NoLink::Refused)?;
            if let Some(link) = connected {
                return End::new(link, "the connecting side", self.patience).map_err(NoLink::Wrong);
            }
            if self.connecting.fd() != self.watch.fd() {
                self.watch = Watch::new(self.connecting.fd())?;
            }
            if self.watch.wait(deadline)?.is_none() {
                let text = format!("no event told of the connection in {:?}", self.patience);
                return Err(NoLink::Wrong(Finding::new(text)));
            }
        }
    }
}
