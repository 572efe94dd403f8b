//! A server that sends back what it reads, to any number of clients.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::ends::Listener;
use crate::plain::{Stream, framed};

const BLOCK: usize = 256 << 10;
const LISTENER: Token = Token(usize::MAX);

pub(crate) struct Echo {
    listener: Listener,
    poll: Poll,
    events: Events,
    streams: HashMap<usize, Stream>,
    block: Vec<u8>,
    /// Length of a message on the wire.
    frame_len: u64,
    /// Bytes that were sent back beyond what was asked for.
    ahead: u64,
}

impl Echo {
    pub(super) fn new(listener: Listener, size: usize) -> io::Result<Self> {
        let poll = Poll::new()?;
        let descriptor = listener.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&descriptor), LISTENER, Interest::READABLE)?;
        listener.set_nonblocking()?;
        Ok(Self {
            listener,
            poll,
            events: Events::with_capacity(1024),
            streams: HashMap::new(),
            block: vec![0; BLOCK],
            frame_len: framed(&vec![0; size]).len() as u64,
            ahead: 0,
        })
    }

    /// Sends `count` messages back.
    pub(super) fn serve(&mut self, count: u64) -> io::Result<()> {
        let bytes = count * self.frame_len;
        while self.ahead < bytes {
            self.poll.poll(&mut self.events, None)?;
            for event in &self.events {
                if event.token() == LISTENER {
                    while let Some(stream) = ready(self.listener.accept())? {
                        stream.set_nonblocking()?;
                        let descriptor = stream.as_raw_fd();
                        let token = Token(descriptor as usize);
                        let mut source = SourceFd(&descriptor);
                        let registry = self.poll.registry();
                        registry.register(&mut source, token, Interest::READABLE)?;
                        self.streams.insert(token.0, stream);
                    }
                } else if let Some(stream) = self.streams.get_mut(&event.token().0) {
                    self.ahead += send_back(stream, &mut self.block)?;
                }
            }
        }
        self.ahead -= bytes;
        Ok(())
    }
}

/// Sends back what is there, and says how many bytes that were.
fn send_back(stream: &mut Stream, block: &mut [u8]) -> io::Result<u64> {
    let mut total = 0;
    while let Some(read) = ready(stream.read(block))? {
        if read == 0 {
            break;
        }
        let mut left = &block[..read];
        while !left.is_empty() {
            if let Some(written) = ready(stream.write(left))? {
                left = &left[written..];
            }
        }
        total += read as u64;
        if read < block.len() {
            break;
        }
    }
    Ok(total)
}

/// `None`: not now.
fn ready<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
