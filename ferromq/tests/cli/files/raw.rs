//! Peers that speak the protocol of files word by word, and may lie.

use std::time::Duration;

use ferromq::{Context, Dealer, Error, Message, Options, Router, Socket};

use crate::program::WATCHDOG;

/// A sender that says what the test wants.
pub(super) struct RawSender {
    pub(super) socket: Socket<Dealer>,
    _context: Context,
}

/// A receiver that says what the test wants.
pub(super) struct RawReceiver {
    socket: Socket<Router>,
    identity: Vec<u8>,
    pub(super) endpoint: String,
    _context: Context,
}

fn options() -> Options {
    Options::new()
        .linger(Some(Duration::ZERO))
        .receive_timeout(Some(WATCHDOG))
        .send_timeout(Some(WATCHDOG))
}

pub(super) fn number(value: u64) -> [u8; 8] {
    value.to_be_bytes()
}

impl RawSender {
    pub(super) fn connect(endpoint: &str) -> Self {
        let context = Context::new().unwrap();
        let socket: Socket<Dealer> = context.socket_with(options()).unwrap();
        socket.connect(endpoint).unwrap();
        Self {
            socket,
            _context: context,
        }
    }

    pub(super) fn say(&self, frames: &[&[u8]]) {
        let message: Message = frames.iter().copied().collect();
        self.socket.send(message).unwrap();
    }

    pub(super) fn offer(&self, id: u64, name: &[u8], size: u64, source: &[u8]) {
        self.say(&[b"OFFER", &[1], &number(id), &number(size), name, source]);
    }

    pub(super) fn chunk(&self, id: u64, offset: u64, data: &[u8]) {
        self.say(&[b"CHUNK", &number(id), &number(offset), data]);
    }

    pub(super) fn end(&self, id: u64, sha256: &[u8]) {
        self.say(&[b"END", &number(id), sha256]);
    }

    /// The next answer but for WAIT, which may come at any time.
    pub(super) fn hear(&self) -> Vec<Vec<u8>> {
        loop {
            let message = self.socket.recv().unwrap();
            let frames: Vec<_> = message.iter().map(|frame| frame.to_vec()).collect();
            if frames[0] != b"WAIT" {
                return frames;
            }
        }
    }

    /// The next answer must be that command for that id; its other frames.
    #[track_caller]
    pub(super) fn expect(&self, command: &str, id: u64) -> Vec<Vec<u8>> {
        let mut frames = self.hear();
        let rest = frames.split_off(2.min(frames.len()));
        let heard = String::from_utf8_lossy(&frames[0]).into_owned();
        let more: Vec<_> = rest
            .iter()
            .map(|frame| frame.escape_ascii().to_string())
            .collect();
        assert_eq!(
            (&*heard, &frames[1][..]),
            (command, &number(id)[..]),
            "{more:?}"
        );
        rest
    }

    /// The file must be refused for that reason.
    #[track_caller]
    pub(super) fn expect_refusal(&self, id: u64, code: &str) {
        let rest = self.expect("REFUSED", id);
        assert_eq!(
            String::from_utf8_lossy(&rest[0]),
            code,
            "{}",
            rest[1].escape_ascii()
        );
    }
}

impl RawReceiver {
    pub(super) fn bind() -> Self {
        let context = Context::new().unwrap();
        let socket: Socket<Router> = context.socket_with(options()).unwrap();
        let endpoint = socket.bind("tcp://127.0.0.1:*").unwrap().to_string();
        Self {
            socket,
            identity: vec![],
            endpoint,
            _context: context,
        }
    }

    /// The next request that is this command; its other frames.
    pub(super) fn hear(&mut self, command: &str) -> Vec<Vec<u8>> {
        loop {
            let mut frames = self.hear_any();
            if frames[0] == command.as_bytes() {
                return frames.split_off(1);
            }
        }
    }

    /// The next request, whatever it is.
    pub(super) fn hear_any(&mut self) -> Vec<Vec<u8>> {
        let message = self.socket.recv().unwrap();
        let mut frames: Vec<_> = message.iter().map(|frame| frame.to_vec()).collect();
        self.identity = frames.remove(0);
        frames
    }

    /// Greets a sender, and gives the id of its offer.
    pub(super) fn meet(&mut self) -> u64 {
        self.hear("");
        self.say(&[b"HELLO", &[1]]);
        let offer = self.hear("OFFER");
        assert_eq!(offer[0], [1], "the version");
        u64::from_be_bytes(offer[1][..].try_into().unwrap())
    }

    pub(super) fn say(&self, frames: &[&[u8]]) {
        let mut message: Message = frames.iter().copied().collect();
        message.push_front(&self.identity);
        match self.socket.send(message).map_err(Error::from) {
            // A sender that has heard enough is gone.
            Ok(()) | Err(Error::HostUnreachable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
