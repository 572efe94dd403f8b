//! A ZMTP peer whose every byte a test decides.

mod frame;
mod link;
mod queues;
mod shared;
mod stream;

use std::io::ErrorKind;
use std::time::Duration;

pub use frame::{COMMAND, Greeting, LONG, MORE, RawFrame, command_body, metadata};
pub use shared::{SharedStream, Sharing, is_mapped};
pub use stream::RawListener;

use ferromq_transport::Link;
use frame::header;
use link::LinkStream;
use stream::Stream;

use crate::PATIENCE;

/// What came within a time.
enum Peeked {
    Nothing,
    Byte,
    Close,
}

impl From<std::net::TcpStream> for RawPeer {
    /// The other end of a connection that was accepted.
    fn from(stream: std::net::TcpStream) -> Self {
        Self {
            stream: Stream::from(stream),
        }
    }
}

/// One connection to a socket under test.
#[derive(Debug)]
pub struct RawPeer {
    stream: Stream,
}

impl RawPeer {
    /// Connects to `tcp://address:port`, `ipc://path` or `shm://name`; nothing is
    /// sent yet.
    #[must_use]
    pub fn connect(endpoint: &str) -> Self {
        Self {
            stream: Stream::connect(endpoint),
        }
    }

    /// Connects over `shm://` with this greeting, and completes a NULL handshake.
    #[must_use]
    pub fn sharing(endpoint: &str, sharing: &Sharing, socket_type: &str) -> Self {
        let mut peer = Self {
            stream: Stream::sharing(endpoint, sharing),
        };
        peer.handshake(Greeting::default(), socket_type, &[]);
        peer
    }

    /// Over this link.
    #[must_use]
    pub fn over(link: Box<dyn Link>) -> Self {
        Self {
            stream: Stream::Link(Box::new(LinkStream::new(link))),
        }
    }

    /// The link that it was made over.
    ///
    /// # Panics
    /// Over tcp, ipc or shared memory.
    pub fn link(&mut self) -> &mut dyn Link {
        match &mut self.stream {
            Stream::Link(stream) => &mut *stream.link,
            other => panic!("{other:?} is no link"),
        }
    }

    /// The shared memory under a connection that has some.
    ///
    /// # Panics
    /// Over tcp or ipc.
    pub fn shared(&mut self) -> &mut SharedStream {
        match &mut self.stream {
            Stream::Shm(stream) => stream,
            other => panic!("{other:?} has no shared memory"),
        }
    }

    /// Connects and completes a NULL handshake of version 3.1.
    #[must_use]
    pub fn established(endpoint: &str, socket_type: &str) -> Self {
        let mut peer = Self::connect(endpoint);
        peer.handshake(Greeting::default(), socket_type, &[]);
        peer
    }

    /// Connects and completes a NULL handshake of version 3.0.
    #[must_use]
    pub fn established_3_0(endpoint: &str, socket_type: &str) -> Self {
        let mut peer = Self::connect(endpoint);
        peer.handshake(
            Greeting {
                minor: 0,
                ..Greeting::default()
            },
            socket_type,
            &[],
        );
        peer
    }

    /// Connects and completes a NULL handshake with this identity.
    #[must_use]
    pub fn identified(endpoint: &str, socket_type: &str, identity: &[u8]) -> Self {
        let mut peer = Self::connect(endpoint);
        peer.handshake(Greeting::default(), socket_type, &[("Identity", identity)]);
        peer
    }

    /// Greets, sends READY and reads the same from the other side; answers
    /// with the properties in its READY.
    pub fn handshake(
        &mut self,
        greeting: Greeting,
        socket_type: &str,
        more: &[(&str, &[u8])],
    ) -> Vec<(String, Vec<u8>)> {
        self.send(&greeting.bytes());
        let _ = self.read_greeting();
        self.send_ready(socket_type, more);
        self.read_ready()
    }

    /// Sends these bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        if let Err(error) = self.stream.write_all(bytes) {
            panic!(
                "the other side does not read: {error}; {}",
                self.stream.queues()
            );
        }
    }

    /// Sends these bytes unless the other side has closed.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends `piece` again and again, until nothing of it is taken for so long, or
    /// the other side has closed, or `most` bytes were sent: how many were. What
    /// was begun last may be cut off.
    pub fn send_until_blocked(&mut self, piece: &[u8], most: u64, quiet: Duration) -> u64 {
        self.stream.set_write_timeout(quiet);
        let mut sent = 0;
        let mut rest = piece;
        while sent < most {
            match self.stream.write(rest) {
                Ok(0) => break,
                Ok(written) => {
                    sent += written as u64;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if rest.is_empty() {
                rest = piece;
            }
        }
        self.stream.set_write_timeout(PATIENCE);
        sent
    }

    /// Sends one frame, long only if it must be.
    pub fn send_frame(&mut self, flags: u8, body: &[u8]) {
        self.send(&[header(flags, body.len()).as_slice(), body].concat());
    }

    /// Sends one message.
    pub fn send_message<P: AsRef<[u8]>>(&mut self, parts: &[P]) {
        for (index, part) in parts.iter().enumerate() {
            let more = if index + 1 < parts.len() { MORE } else { 0 };
            self.send_frame(more, part.as_ref());
        }
    }

    /// Sends one command.
    pub fn send_command(&mut self, name: &str, data: &[u8]) {
        self.send_frame(COMMAND, &command_body(name, data));
    }

    /// Sends READY with a socket type and more properties.
    pub fn send_ready(&mut self, socket_type: &str, more: &[(&str, &[u8])]) {
        let mut properties = vec![("Socket-Type", socket_type.as_bytes())];
        properties.extend_from_slice(more);
        self.send_command("READY", &metadata(&properties));
    }

    /// Reads exactly so many bytes.
    #[must_use]
    pub fn read_exact(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        let read = self.stream.read_exact(&mut bytes);
        read.unwrap_or_else(|error| panic!("no {len} bytes: {error}; {}", self.stream.queues()));
        bytes
    }

    /// Reads the 64 bytes of a greeting.
    #[must_use]
    pub fn read_greeting(&mut self) -> [u8; 64] {
        self.read_exact(64)
            .try_into()
            .expect("64 bytes were asked for")
    }

    /// Reads one frame.
    #[must_use]
    pub fn read_frame(&mut self) -> RawFrame {
        let flags = self.read_exact(1)[0];
        let len = if flags & LONG == 0 {
            u64::from(self.read_exact(1)[0])
        } else {
            u64::from_be_bytes(
                self.read_exact(8)
                    .try_into()
                    .expect("8 bytes were asked for"),
            )
        };
        RawFrame {
            flags,
            body: self.read_exact(usize::try_from(len).expect("a sane length")),
        }
    }

    /// Reads the frames of one message.
    #[must_use]
    pub fn read_message(&mut self) -> Vec<Vec<u8>> {
        let mut parts = Vec::new();
        loop {
            let frame = self.read_frame();
            assert!(
                !frame.is_command(),
                "a command where a message was due: {frame:?}"
            );
            let last = frame.flags & MORE == 0;
            parts.push(frame.body);
            if last {
                return parts;
            }
        }
    }

    /// Reads one command: its name and data.
    #[must_use]
    pub fn read_command(&mut self) -> (String, Vec<u8>) {
        let frame = self.read_frame();
        assert!(
            frame.is_command(),
            "a message where a command was due: {frame:?}"
        );
        frame.command()
    }

    /// Reads READY: its properties.
    pub fn read_ready(&mut self) -> Vec<(String, Vec<u8>)> {
        let (name, data) = self.read_command();
        assert_eq!(name, "READY", "{}", String::from_utf8_lossy(&data));
        frame::properties(&data)
    }

    /// Waits until the other side has acted on everything sent so far: it
    /// answers a PING in its turn. What arrives before the answer is returned.
    pub fn settle(&mut self) -> Vec<RawFrame> {
        self.send_command("PING", &[0, 0, b's', b'e', b't']);
        let mut before = Vec::new();
        loop {
            let frame = self.read_frame();
            if frame.is_command() && frame.command() == ("PONG".into(), b"set".to_vec()) {
                return before;
            }
            before.push(frame);
        }
    }

    /// Waits until the other side closes; the bytes that it sent before.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => bytes,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("not closed after {} bytes: {error}", bytes.len()),
        }
    }

    /// Whether nothing arrives for so long: neither a byte nor the close.
    #[must_use]
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        matches!(self.peek(time), Peeked::Nothing)
    }

    /// Whether the other side closes within this time; what arrives meanwhile
    /// is thrown away.
    #[must_use]
    pub fn is_closed_within(&mut self, time: Duration) -> bool {
        loop {
            match self.peek(time) {
                Peeked::Nothing => return false,
                Peeked::Byte => {}
                Peeked::Close => return true,
            }
        }
    }

    /// Takes one byte, if there is one within this time.
    fn peek(&mut self, time: Duration) -> Peeked {
        self.stream.set_read_timeout(time);
        let read = self.stream.read_exact(&mut [0]);
        self.stream.set_read_timeout(PATIENCE);
        match read.map_err(|error| error.kind()) {
            Ok(()) => Peeked::Byte,
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => Peeked::Nothing,
            Err(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => Peeked::Close,
            Err(other) => panic!("{other}"),
        }
    }

    /// Says that nothing more will be sent; reading goes on.
    pub fn finish_sending(&mut self) {
        self.stream.shutdown_write();
    }

    /// Ends the connection with a reset instead of a close.
    pub fn reset(self) {
        self.stream.reset();
    }
}
