//! Asking a process for its status.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use ferromq_transport::{Endpoint, Link, LinkOptions, Transport};
use ferromq_transport_tcp::Ipc;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use serde::Deserialize;

use super::connection::REQUEST;
use super::{Report, StatusError, VERSION};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer: no report comes near it.
const LINE: usize = 64 << 20;
const TOKEN: Token = Token(0);

/// A connection to a process that serves its status.
///
/// It is one of 16 that the process has time for: do not keep it for nothing.
pub struct Client {
    link: Box<dyn Link>,
    poll: Poll,
    events: Events,
    endpoint: String,
    /// Read and not yet an answer.
    unread: Vec<u8>,
}

impl Client {
    /// Connects. That takes no time: a Unix socket connects or refuses.
    ///
    /// # Errors
    /// [`StatusError::Transport`] says why not: nobody is there, or another
    /// user's process is. [`StatusError::System`].
    pub fn connect(endpoint: &Endpoint) -> Result<Self, StatusError> {
        let poll = Poll::new().map_err(StatusError::system("make an epoll"))?;
        let route = Ipc.resolve(endpoint)?;
        let mut connecting = Ipc.connect(&route, &LinkOptions::default())?;
        let link = connecting.poll_connected()?;
        let link = link.ok_or_else(|| silent(&endpoint.to_string()))?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut SourceFd(&link.fd()), TOKEN, both)
            .map_err(StatusError::system("watch the connection"))?;
        Ok(Self {
            link,
            poll,
            events: Events::with_capacity(4),
            endpoint: endpoint.to_string(),
            unread: Vec::new(),
        })
    }

    /// The process as it is now. Waits for 10 seconds at most.
    ///
    /// # Errors
    /// [`StatusError::Ended`] when the process is gone, [`StatusError::Silent`],
    /// [`StatusError::Garbled`], [`StatusError::OtherVersion`].
    pub fn report(&mut self) -> Result<Report, StatusError> {
        let deadline = Instant::now() + PATIENCE;
        let request = [REQUEST, b"\n"].concat();
        let mut rest = &request[..];
        while !rest.is_empty() {
            match self.link.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => self.wait(deadline)?,
                Err(_) => return Err(self.ended()),
            }
        }
        let line = self.line(deadline)?;
        self.parse(&line)
    }

    fn line(&mut self, deadline: Instant) -> Result<Vec<u8>, StatusError> {
        let mut searched = 0;
        loop {
            let end = self.unread[searched..].iter().position(|&b| b == b'\n');
            if let Some(end) = end.map(|end| searched + end) {
                let rest = self.unread.split_off(end + 1);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            searched = self.unread.len();
            if searched > LINE {
                return Err(self.garbled(format!("a line of more than {LINE} bytes")));
            }
            let mut space = [0; 64 << 10];
            match self.link.read(&mut space) {
                Ok(0) => return Err(self.ended()),
                Ok(len) => self.unread.extend_from_slice(&space[..len]),
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => self.wait(deadline)?,
                Err(_) => return Err(self.ended()),
            }
        }
    }

    fn parse(&self, line: &[u8]) -> Result<Report, StatusError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            ferromq_status: u32,
        }
        let garbled = |cause: serde_json::Error| self.garbled(cause.to_string());
        let head: Head = serde_json::from_slice(line).map_err(garbled)?;
        if head.ferromq_status != VERSION {
            return Err(StatusError::OtherVersion {
                endpoint: self.endpoint.clone(),
                version: head.ferromq_status,
            });
        }
        serde_json::from_slice(line).map_err(garbled)
    }

    fn wait(&mut self, deadline: Instant) -> Result<(), StatusError> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(silent(&self.endpoint));
        }
        // An interrupted wait is a spurious wake-up, and those are harmless.
        let _ = self.poll.poll(&mut self.events, Some(left));
        Ok(())
    }

    fn ended(&self) -> StatusError {
        StatusError::Ended {
            endpoint: self.endpoint.clone(),
        }
    }

    fn garbled(&self, cause: String) -> StatusError {
        StatusError::Garbled {
            endpoint: self.endpoint.clone(),
            cause,
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.endpoint)
    }
}

fn silent(endpoint: &str) -> StatusError {
    StatusError::Silent {
        endpoint: endpoint.into(),
        seconds: PATIENCE.as_secs(),
    }
}
