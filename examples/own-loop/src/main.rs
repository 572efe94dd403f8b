//! FerroMQ's sockets in an event loop of your own: this program owns the `mio`
//! loop, and a ZeroMQ socket is one more thing to wait for in it.
//!
//! ```text
//!   telnet ── line ──▶ ┌────────────────┐ ──[client, "", line]──▶ REP, anywhere:
//!   telnet ◀─ line ─── │ Poll, ours     │ ◀─[client, "", reply]── FerroMQ, pyzmq, …
//!   plain TCP          └────────────────┘   a DEALER socket
//! ```
//! Each line that comes by plain TCP is asked of a ZeroMQ service, and its reply
//! goes back to whoever asked. Run it with the service's endpoint, and telnet to
//! the address that it prints; `check.py` does so with pyzmq.

use ferromq::{Context, Dealer, Error, Message, Socket};
use mio::net::{TcpListener, TcpStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;

const SERVICE: Token = Token(0);
const LISTENER: Token = Token(1);
const FIRST_CLIENT: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = std::env::args().nth(1).ok_or("the service's endpoint?")?;
    let context = Context::new()?;
    let service = context.socket::<Dealer>()?;
    service.connect(&endpoint)?;

    let mut poll = Poll::new()?;
    let readable = Interest::READABLE;
    // All that FerroMQ asks of a loop: one descriptor a socket, which is readable
    // when something may have changed. There are no timers and no callbacks.
    let descriptor = service.readiness_fd().as_raw_fd();
    poll.registry()
        .register(&mut SourceFd(&descriptor), SERVICE, readable)?;
    let mut listener = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry()
        .register(&mut listener, LISTENER, readable)?;
    println!("{}", listener.local_addr()?);

    let mut gateway = Gateway {
        service,
        clients: HashMap::new(),
        next: FIRST_CLIENT,
    };
    let mut events = Events::with_capacity(64);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                SERVICE => gateway.take_replies()?,
                LISTENER => gateway.accept(&listener, &poll)?,
                client => gateway.read_lines(client)?,
            }
        }
    }
}

struct Gateway {
    service: Socket<Dealer>,
    /// Each client's connection, and the beginning of its next line.
    clients: HashMap<Token, (TcpStream, Vec<u8>)>,
    next: usize,
}

impl Gateway {
    /// Receives until nothing is left: mio tells of changes, not of states.
    fn take_replies(&mut self) -> Result<(), Error> {
        loop {
            match self.service.try_recv() {
                Ok(reply) => self.pass_on(&reply),
                Err(Error::WouldBlock) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes a reply to the client that its first frame names.
    fn pass_on(&mut self, reply: &Message) {
        let [client, _delimiter, body] = reply.parts() else {
            return; // no reply to anything that we asked
        };
        let Ok(number) = <[u8; 8]>::try_from(&client[..]) else {
            return;
        };
        let token = Token(usize::from_be_bytes(number));
        if let Some((stream, _)) = self.clients.get_mut(&token) {
            // Who does not read is let go, or its replies would pile up here.
            if stream.write_all(&[body, &b"\n"[..]].concat()).is_err() {
                self.clients.remove(&token);
            }
        }
    }

    fn accept(&mut self, listener: &TcpListener, poll: &Poll) -> io::Result<()> {
        loop {
            let mut stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let token = Token(self.next);
            self.next += 1;
            poll.registry()
                .register(&mut stream, token, Interest::READABLE)?;
            self.clients.insert(token, (stream, Vec::new()));
        }
    }

    fn read_lines(&mut self, token: Token) -> Result<(), Error> {
        let Some((stream, line)) = self.clients.get_mut(&token) else {
            return Ok(());
        };
        let mut bytes = [0; 1024];
        loop {
            match stream.read(&mut bytes) {
                Ok(read) if read > 0 => line.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                _ => break, // the end, or a broken connection
            }
            while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
                ask(&self.service, token, &line[..end])?;
                line.drain(..=end);
            }
            if line.len() > bytes.len() {
                break; // a line without end
            }
        }
        self.clients.remove(&token);
        Ok(())
    }
}

/// Sends `[client, "", line]`: a REP copies what is in front of the empty frame
/// to its reply (28/REQREP), so that the reply says whose it is.
fn ask(service: &Socket<Dealer>, client: Token, line: &[u8]) -> Result<(), Error> {
    match service.try_send(vec![&client.0.to_be_bytes()[..], b"", line]) {
        // More is asked than is answered, and a loop does not wait.
        Err(refused) if matches!(refused.error, Error::WouldBlock) => {
            eprintln!("the service is busy: a line is dropped");
            Ok(())
        }
        sent => sent.map_err(|refused| refused.error),
    }
}
