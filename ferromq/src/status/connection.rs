//! One client of the server: a request is read when the answer to the one
//! before has left, so that nobody can pile anything up.

use std::io::ErrorKind;
use std::sync::Arc;

use ferromq_transport::Link;

/// The only request there is, without its newline.
pub(super) const REQUEST: &[u8] = b"snapshot";
/// What a line that is no request gets before it is hung up on.
const REFUSAL: &[u8] = b"{\"ferromq_status\":1,\"error\":\"the only request is: snapshot\"}\n";
/// Bytes of a request that are kept.
const LINE: usize = 64;

/// Whether a client goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Stays,
    Goes,
}

/// A client.
pub(super) struct Connection {
    link: Box<dyn Link>,
    /// What it has said of a line.
    said: Vec<u8>,
    state: State,
}

enum State {
    /// It has asked for nothing.
    Quiet,
    /// It waits for a snapshot.
    Asks,
    /// It is being answered, from this byte on.
    Answered { line: Arc<[u8]>, from: usize },
    /// It is being told that it makes no sense.
    Refused { from: usize },
}

impl Connection {
    pub(super) fn new(link: Box<dyn Link>) -> Self {
        Self {
            link,
            said: Vec::with_capacity(LINE),
            state: State::Quiet,
        }
    }

    pub(super) fn asks(&self) -> bool {
        matches!(self.state, State::Asks)
    }

    pub(super) fn answer(&mut self, line: &Arc<[u8]>) {
        let line = line.clone();
        self.state = State::Answered { line, from: 0 };
    }

    /// Writes and reads as far as it goes without waiting.
    pub(super) fn turn(&mut self) -> Turn {
        loop {
            let turn = match &mut self.state {
                State::Asks => return Turn::Stays,
                State::Quiet => self.listen(),
                State::Answered { line, from } => match write(&mut *self.link, line, from) {
                    Written::All => {
                        self.state = State::Quiet;
                        continue;
                    }
                    Written::Some => return Turn::Stays,
                    Written::Failed => Some(Turn::Goes),
                },
                State::Refused { from } => match write(&mut *self.link, REFUSAL, from) {
                    Written::Some => return Turn::Stays,
                    _ => Some(Turn::Goes),
                },
            };
            if let Some(turn) = turn {
                return turn;
            }
        }
    }

    /// Reads what has come of one line. `None`: the state has changed.
    fn listen(&mut self) -> Option<Turn> {
        if let Some(end) = self.said.iter().position(|&byte| byte == b'\n') {
            let is_request = self.said[..end] == *REQUEST;
            self.said.drain(..=end);
            self.state = match is_request {
                true => State::Asks,
                false => State::Refused { from: 0 },
            };
            return None;
        }
        let mut space = [0; LINE];
        let room = LINE - self.said.len();
        if room == 0 {
            self.state = State::Refused { from: 0 };
            return None;
        }
        match self.link.read(&mut space[..room]) {
            Ok(0) => Some(Turn::Goes),
            Ok(len) => {
                self.said.extend_from_slice(&space[..len]);
                None
            }
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => Some(Turn::Stays),
            Err(_) => Some(Turn::Goes),
        }
    }
}

enum Written {
    All,
    Some,
    Failed,
}

fn write(link: &mut dyn Link, line: &[u8], from: &mut usize) -> Written {
    while *from < line.len() {
        match link.write(&line[*from..]) {
            Ok(written) => *from += written,
            Err(cause) if cause.kind() == ErrorKind::WouldBlock => return Written::Some,
            Err(_) => return Written::Failed,
        }
    }
    Written::All
}
