//! A ZMTP 3.1 peer written by hand over `std::net`, so that no bug of our codec
//! can hide in both ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// A frame as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A message's frame, and whether more follow.
    Frame { more: bool, body: Vec<u8> },
    /// A command by its name, and its data.
    Command { name: String, data: Vec<u8> },
    /// The peer closed or reset the connection.
    End,
}

pub(crate) struct RawPeer {
    stream: TcpStream,
}

/// The first 64 bytes, as the peer that speaks `mechanism` sends them.
pub(crate) fn greeting(mechanism: &str, minor: u8) -> [u8; 64] {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[11] = minor;
    greeting[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
    greeting
}

impl RawPeer {
    /// A TCP connection to a `tcp://127.0.0.1:port` endpoint, no byte sent.
    pub(crate) fn silent(endpoint: &str) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", super::port(endpoint))).unwrap())
    }

    /// A connection that is accepted, no byte sent.
    pub(crate) fn accept_silently(listener: &TcpListener) -> Self {
        Self::over(listener.accept().unwrap().0)
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        Self { stream }
    }

    /// Connects and shakes hands with the NULL mechanism.
    pub(crate) fn connect(endpoint: &str, socket_type: &str, properties: &[(&str, &[u8])]) -> Self {
        let mut peer = Self::silent(endpoint);
        peer.shake_hands(socket_type, properties);
        peer
    }

    pub(crate) fn accept(listener: &TcpListener, socket_type: &str) -> Self {
        let mut peer = Self::accept_silently(listener);
        peer.shake_hands(socket_type, &[]);
        peer
    }

    pub(crate) fn shake_hands(&mut self, socket_type: &str, properties: &[(&str, &[u8])]) {
        self.write(&greeting("NULL", 1));
        let mut theirs = [0; 64];
        self.stream.read_exact(&mut theirs).unwrap();
        assert_eq!((theirs[0], theirs[9], theirs[10]), (0xff, 0x7f, 3));
        let mut metadata = Vec::new();
        let mut all = vec![("Socket-Type", socket_type.as_bytes())];
        all.extend_from_slice(properties);
        for (name, value) in all {
            metadata.push(name.len() as u8);
            metadata.extend_from_slice(name.as_bytes());
            metadata.extend_from_slice(&(value.len() as u32).to_be_bytes());
            metadata.extend_from_slice(value);
        }
        self.send_command("READY", &metadata);
        match self.next() {
            Incoming::Command { name, .. } if name == "READY" => {}
            other => panic!("{other:?} instead of READY"),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Writes as long as the peer takes it.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub(crate) fn send(&mut self, parts: &[&[u8]]) {
        let bytes = message(parts);
        self.write(&bytes);
    }

    pub(crate) fn send_command(&mut self, name: &str, data: &[u8]) {
        let mut body = vec![name.len() as u8];
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(data);
        let bytes = frame(COMMAND, &body);
        self.write(&bytes);
    }

    /// A PING with a time to live in tenths of a second.
    pub(crate) fn ping(&mut self, ttl: u16, context: &[u8]) {
        let mut data = ttl.to_be_bytes().to_vec();
        data.extend_from_slice(context);
        self.send_command("PING", &data);
    }

    /// The next frame or command.
    pub(crate) fn next(&mut self) -> Incoming {
        let mut header = [0; 2];
        if !self.read(&mut header) {
            return Incoming::End;
        }
        let len = if header[0] & LONG == 0 {
            usize::from(header[1])
        } else {
            let mut long = [0; 8];
            long[0] = header[1];
            if !self.read(&mut long[1..]) {
                return Incoming::End;
            }
            u64::from_be_bytes(long) as usize
        };
        let mut body = vec![0; len];
        if !self.read(&mut body) {
            return Incoming::End;
        }
        if header[0] & COMMAND == 0 {
            let more = header[0] & MORE != 0;
            return Incoming::Frame { more, body };
        }
        let data = body.split_off(1 + usize::from(body[0]));
        let name = String::from_utf8(body[1..].to_vec()).unwrap();
        Incoming::Command { name, data }
    }

    /// The next command of this name; what comes before is passed over.
    #[track_caller]
    pub(crate) fn next_command(&mut self, wanted: &str) -> Vec<u8> {
        loop {
            match self.next() {
                Incoming::Command { name, data } if name == wanted => return data,
                Incoming::End => panic!("the connection ended before {wanted}"),
                _ => {}
            }
        }
    }

    /// The next message; commands are passed over. `None`: the end.
    pub(crate) fn next_message(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut parts = Vec::new();
        loop {
            match self.next() {
                Incoming::Frame { more, body } => {
                    parts.push(body);
                    if !more {
                        return Some(parts);
                    }
                }
                Incoming::Command { .. } => {}
                Incoming::End => return None,
            }
        }
    }

    /// Reads to the end of the connection, whatever comes.
    pub(crate) fn await_end(&mut self) {
        let mut waste = [0; 4096];
        loop {
            match self.stream.read(&mut waste) {
                Ok(0) => return,
                Ok(_) => {}
                Err(cause) if cause.kind() == ErrorKind::ConnectionReset => return,
                // The process was stopped, and went on.
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => panic!("waited in vain for the end: {cause}"),
            }
        }
    }

    /// False: the end. Panics when nothing comes for too long.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        match self.stream.read_exact(buffer) {
            Ok(()) => true,
            Err(cause) => {
                let timed_out = matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(!timed_out, "waited in vain for {} bytes", buffer.len());
                false
            }
        }
    }

    /// Whether nothing comes for this long.
    pub(crate) fn is_quiet_for(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let read = loop {
            match self.stream.read(&mut [0; 1]) {
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.stream.set_read_timeout(Some(super::PATIENCE)).unwrap();
        matches!(read, Err(cause) if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

/// A message's bytes on the wire.
pub(crate) fn message(parts: &[&[u8]]) -> Vec<u8> {
    let last = parts.len() - 1;
    parts
        .iter()
        .enumerate()
        .flat_map(|(index, part)| frame(if index < last { MORE } else { 0 }, part))
        .collect()
}

/// A frame's bytes on the wire.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 9);
    match u8::try_from(body.len()) {
        Ok(len) => bytes.extend([flags, len]),
        Err(_) => {
            bytes.push(flags | LONG);
            bytes.extend((body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(body);
    bytes
}
