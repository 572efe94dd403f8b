//! A ZeroMQ service on tokio, without FerroMQ's runtime: `ferromq-wire` and
//! `ferromq-patterns` are plain data, tokio brings connections, tasks and time.
//!
//! ```text
//!   read ─▶ Receiver ─▶ frames ─▶ ┌ Rep, shared by all connections: what is
//!   write ◀ Transmitter ◀ frames ◀┘ envelope, what request, whose reply
//! ```
//! It answers every request in capitals, at the endpoint that it prints.

use ferromq_patterns::{Accept, Array, Pattern, Peer, PeerId, Rep, Requester};
use ferromq_wire::{
    Command, Config, Connection, Event, FRAME_OVERHEAD, Instant, Limits, Null, Receiver, Scratch,
    SocketType, Status, Transmitter,
};
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// The machine, with room for 64 connections. It holds no message: we do.
type Service = Rep<Array<Peer<Requester>, 64>>;
type Message = Vec<Vec<u8>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;
/// Frames up to here are decoded where they were read; see `Event::Body` for
/// longer ones. A message has at most 1,024 of them, so that input is bounded.
const FRAME_MAX: usize = 64 << 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("tcp://{}", listener.local_addr()?);
    let service = Arc::new(Mutex::new(Service::new(Array::new())));
    loop {
        let (stream, address) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &service).await {
                eprintln!("{address}: {error}"); // that peer's problem, nobody else's
            }
        });
    }
}

/// One connection from its greeting to its end.
async fn serve(stream: TcpStream, service: &Mutex<Service>) -> Result<(), Failure> {
    // ZMTP gives a handshake ten seconds; tokio has the clock for it.
    let mut link = tokio::time::timeout(Duration::from_secs(10), Link::new(stream)).await??;
    let peer = service.lock().await.peer_attached(b"")?;
    let served = async {
        while let Some(message) = link.receive().await? {
            // Written without the lock: who does not read stops nobody else.
            let reply = reply_to(&mut *service.lock().await, peer, message).unwrap_or_default();
            for (frames_left, frame) in (0..reply.len()).rev().zip(&reply) {
                let mut out = vec![0; frame.len() + FRAME_OVERHEAD];
                let len = link.transmitter.frame(frames_left > 0, frame, &mut out);
                link.stream.write_all(&out[..len]).await?;
            }
        }
        Ok(())
    }
    .await;
    service.lock().await.peer_detached(peer);
    served
}

/// The machine's whole cycle, for one message. `None` if it is no request.
fn reply_to(rep: &mut Service, peer: PeerId, message: Message) -> Option<Message> {
    let mut reply = Vec::new();
    for (frames_left, frame) in (0..message.len()).rev().zip(message) {
        match rep.accept(peer, frame.as_slice(), frames_left > 0) {
            Accept::Stage => reply.push(frame), // the envelope, as it came
            Accept::Deliver => reply.push(frame.to_ascii_uppercase()), // our work
            _ => return None,                   // not as 28/REQREP has it
        }
    }
    rep.delivered(peer); // from here on a reply is due
    rep.peer_has_room(peer); // nothing is queued: it is written before we go on
    rep.route().ok()?; // from here on the next request may come
    Some(reply)
}

/// A connection that stands: tokio's stream, and both halves of the protocol.
struct Link {
    stream: TcpStream,
    input: Vec<u8>, // read, and not decoded yet
    receiver: Receiver,
    transmitter: Transmitter,
}

impl Link {
    async fn new(mut stream: TcpStream) -> Result<Self, Failure> {
        stream.set_nodelay(true)?; // or the second frame of a reply waits for an ACK
        let (mut scratch, mut input) = (Box::new(Scratch::new()), Vec::new());
        let config = Config::new(SocketType::Rep);
        let mut connection = Connection::new(&config, Null, &mut scratch, Instant::default())?;
        loop {
            let output = connection.poll_output(&scratch);
            stream.write_all(output).await?;
            let written = output.len();
            connection.output_written(&mut scratch, written);
            match connection.status() {
                Status::Established => break,
                _ if stream.read_buf(&mut input).await? == 0 => return Err("closed early".into()),
                _ => {}
            }
            let consumed = connection.handle_input(&mut input, &mut scratch)?;
            input.drain(..consumed); // what comes behind the handshake stays
        }
        let limits = Limits {
            frame: FRAME_MAX as u64,
            ..Limits::default()
        };
        let halves = connection.establish(limits, FRAME_MAX);
        let (receiver, transmitter) = halves.ok_or("not established")?;
        Ok(Self {
            stream,
            input,
            receiver,
            transmitter,
        })
    }

    /// The next whole message; `None` when the peer has closed.
    async fn receive(&mut self) -> Result<Option<Message>, Failure> {
        let mut message = Vec::new();
        loop {
            let progress = self.receiver.handle_input(&mut self.input)?;
            match progress.event {
                Some(Event::Frame { more, body }) => {
                    message.push(self.input[body].to_vec());
                    if !more {
                        self.input.drain(..progress.consumed);
                        return Ok(Some(message));
                    }
                }
                Some(Event::Ping { context, .. }) => {
                    let (context, mut out) = (&self.input[context], [0; 64]);
                    let pong = Command::Pong { context };
                    let len = self.transmitter.command(pong, &mut out).unwrap_or(0);
                    self.stream.write_all(&out[..len]).await?;
                }
                None if self.stream.read_buf(&mut self.input).await? == 0 => return Ok(None),
                _ => {}
            }
            self.input.drain(..progress.consumed);
        }
    }
}
