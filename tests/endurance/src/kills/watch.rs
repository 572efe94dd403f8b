//! When connections are made and are over, as a monitor tells, to the microsecond.

use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use ferromq::{AnySocket, EventKind};

use crate::{Failure, PATIENCE};

/// What a thread of its own hears of a socket's connections.
pub(super) struct Watch {
    heard: Receiver<(Change, Instant)>,
    made: u64,
    over: u64,
    last_over: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Made,
    Over,
}

impl Watch {
    pub(super) fn begin(socket: &AnySocket) -> Self {
        let monitor = socket.monitor();
        let (tell, heard) = channel();
        // Ends with the socket.
        std::thread::spawn(move || {
            for event in monitor {
                let change = match event.kind {
                    EventKind::HandshakeSucceeded => Change::Made,
                    EventKind::Disconnected { .. } => Change::Over,
                    _ => continue,
                };
                if tell.send((change, Instant::now())).is_err() {
                    return;
                }
            }
        });
        Self {
            heard,
            made: 0,
            over: 0,
            last_over: None,
        }
    }

    /// Waits until there is a connection.
    pub(super) fn await_connection(&mut self) -> Result<(), Failure> {
        while self.made == self.over {
            self.listen("a peer comes")?;
        }
        Ok(())
    }

    /// Waits until there is none.
    pub(super) fn await_end(&mut self) -> Result<(), Failure> {
        while self.is_connected() {
            self.listen("the peer's death is noticed")?;
        }
        Ok(())
    }

    /// When the last one was over.
    pub(super) fn last_end(&self) -> Option<Instant> {
        self.last_over
    }

    /// Whether there is a connection, as far as is known.
    pub(super) fn is_connected(&mut self) -> bool {
        self.catch_up();
        self.made > self.over
    }

    fn catch_up(&mut self) {
        while let Ok(change) = self.heard.try_recv() {
            self.note(change);
        }
    }

    fn listen(&mut self, what: &str) -> Result<(), Failure> {
        let change = self.heard.recv_timeout(PATIENCE);
        self.note(change.map_err(|_| format!("waited in vain until {what}"))?);
        Ok(())
    }

    fn note(&mut self, (change, at): (Change, Instant)) {
        match change {
            Change::Made => self.made += 1,
            Change::Over => {
                self.over += 1;
                self.last_over = Some(at);
            }
        }
    }
}
