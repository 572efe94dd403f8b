//! A peer whose bytes are written by hand, over a local socket that never blocks.

use std::io::{ErrorKind, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

/// What a socket is secured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Null,
    Plain,
}

pub(crate) const USER: &str = "user";
pub(crate) const PASSWORD: &str = "pass";

/// One connection.
pub(crate) struct RawPeer {
    stream: UnixStream,
    /// Read and not yet looked at.
    unread: Vec<u8>,
}

impl RawPeer {
    /// Connects to an abstract name.
    pub(crate) fn connect(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).expect("a short name");
        let stream = UnixStream::connect_addr(&address).expect("somebody listens");
        stream.set_nonblocking(true).expect("it can");
        let unread = Vec::new();
        Self { stream, unread }
    }

    /// How many bytes were taken: fewer when the other side does not read, and none
    /// once it has closed.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        self.stream.write(bytes).unwrap_or(0)
    }

    /// Takes what has come; false once the other side has closed.
    pub(crate) fn read(&mut self) -> bool {
        let mut block = [0; 4096];
        loop {
            match self.stream.read(&mut block) {
                Ok(0) => return false,
                Ok(len) => self.unread.extend_from_slice(&block[..len]),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Forgets what has come.
    pub(crate) fn discard(&mut self) {
        self.unread.clear();
    }

    /// Whether everything of a handshake has come, which is taken then: a greeting
    /// and commands, of which the last is READY.
    pub(crate) fn take_handshake(&mut self) -> bool {
        let commands = self.unread.get(64..).unwrap_or_default();
        let mut at = 0;
        while let Some(len) = frame_len(&commands[at..]) {
            let ready =
                commands[at..].starts_with(b"\x04") && commands[at + 2..].starts_with(b"\x05READY");
            at += len;
            if ready {
                self.unread.drain(..64 + at);
                return true;
            }
        }
        false
    }

    /// Whether this PONG is among what has come; what came before it is dropped.
    pub(crate) fn take_pong(&mut self, context: &[u8]) -> bool {
        while let Some(len) = frame_len(&self.unread) {
            let frame: Vec<u8> = self.unread.drain(..len).collect();
            if frame[0] == 4 && frame[2..] == [b"\x04PONG", context].concat() {
                return true;
            }
        }
        false
    }
}

/// Greeting and commands of a peer, all at once.
pub(crate) fn handshake(security: Security, socket_type: &str) -> Vec<u8> {
    let mut metadata = vec![11];
    metadata.extend_from_slice(b"Socket-Type");
    metadata.extend_from_slice(&(socket_type.len() as u32).to_be_bytes());
    metadata.extend_from_slice(socket_type.as_bytes());
    match security {
        Security::Null => [greeting(b"NULL"), command(b"READY", &metadata)].concat(),
        Security::Plain => {
            let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
            let claim = [text(USER), text(PASSWORD)].concat();
            let commands = [command(b"HELLO", &claim), command(b"INITIATE", &metadata)];
            [greeting(b"PLAIN"), commands.concat()].concat()
        }
    }
}

pub(crate) fn ping(context: &[u8]) -> Vec<u8> {
    command(b"PING", &[b"\0\0", context].concat())
}

fn greeting(mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    (bytes[0], bytes[9], bytes[10], bytes[11]) = (0xff, 0x7f, 3, 1);
    bytes[12..12 + mechanism.len()].copy_from_slice(mechanism);
    bytes
}

fn command(name: &[u8], data: &[u8]) -> Vec<u8> {
    let len = 1 + name.len() + data.len();
    let head = [4, len as u8, name.len() as u8];
    [&head[..], name, data].concat()
}

/// Bytes of the whole frame at the front, if it is all there.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let (header, body) = match bytes {
        [flags, rest @ ..] if flags & 2 != 0 => {
            let len = u64::from_be_bytes(*rest.first_chunk()?);
            (9, usize::try_from(len).ok()?)
        }
        [_, len, ..] => (2, usize::from(*len)),
        _ => return None,
    };
    let whole = header + body;
    (bytes.len() >= whole).then_some(whole)
}
