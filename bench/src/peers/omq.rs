//! omq-tokio 0.33.
//!
//! Its sockets are used in both of the ways that its documentation shows: from
//! threads, with an I/O thread of its own (`blocking::Socket`), where rate counts;
//! and in Tokio's current-thread runtime, which saves a hop, where a round trip is
//! timed, with its profile for latency. Bodies go in as static memory.

use omq_tokio::options::WorkloadProfile;
use omq_tokio::{Context, Message, Options, Payload, SocketType, blocking};

use super::runtime::{AsyncSocket, OnTokio};
use super::{Failure, Kind, Peer};
use crate::job::{Job, Via, Workload};

/// A socket in either way.
pub(crate) enum Omq {
    Blocking(blocking::Socket),
    Async(OnTokio<OmqSocket>),
}

impl Peer for Omq {
    /// `None`: each socket has the runtime of its thread.
    type Context = Option<Context>;

    fn context(job: &Job) -> Result<Self::Context, Failure> {
        let timed = job.cell.workload == Workload::ReqRep && job.cell.via != Via::Inproc;
        Ok((!timed).then(Context::new))
    }

    fn bind(
        context: &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure> {
        let Some(context) = context else {
            let own = OnTokio::<OmqSocket>::context(job)?;
            let (socket, endpoint) = OnTokio::bind(&own, kind, endpoint, job)?;
            return Ok((Self::Async(socket), endpoint));
        };
        let socket = context.blocking_socket(socket_type(kind), options(kind, job));
        let endpoint = socket.bind(&*endpoint.replace('*', "0"))?.to_string();
        Ok((Self::Blocking(socket), endpoint))
    }

    fn connect(
        context: &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<Self, Failure> {
        let Some(context) = context else {
            let own = OnTokio::<OmqSocket>::context(job)?;
            return Ok(Self::Async(OnTokio::connect(&own, kind, endpoint, job)?));
        };
        let socket = context.blocking_socket(socket_type(kind), options(kind, job));
        socket.connect(endpoint)?;
        Ok(Self::Blocking(socket))
    }

    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        match self {
            Self::Blocking(socket) => Ok(socket.send(message(body))?),
            Self::Async(socket) => socket.send(body),
        }
    }

    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        match self {
            Self::Blocking(socket) => Ok(socket.recv()?.byte_len()),
            Self::Async(socket) => socket.recv(),
        }
    }

    #[inline]
    fn answer(&mut self) -> Result<usize, Failure> {
        match self {
            Self::Blocking(socket) => {
                let message = socket.recv()?;
                let len = last_len(&message);
                socket.send(message)?;
                Ok(len)
            }
            Self::Async(socket) => socket.answer(),
        }
    }

    fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure> {
        match self {
            Self::Blocking(socket) => Ok(socket.subscribe(prefix)?),
            Self::Async(socket) => socket.subscribe(prefix),
        }
    }

    fn meanwhile<T: Send>(&mut self, wait: impl FnOnce() -> T + Send) -> T {
        match self {
            Self::Blocking(_) => wait(),
            Self::Async(socket) => socket.meanwhile(wait),
        }
    }

    fn ask_all(
        &mut self,
        body: &'static [u8],
        times: &mut Vec<std::time::Duration>,
    ) -> Result<(), Failure> {
        if let Self::Async(socket) = self {
            return socket.ask_all(body, times);
        }
        while times.len() < times.capacity() {
            let start = std::time::Instant::now();
            self.send(body)?;
            let len = self.recv()?;
            times.push(start.elapsed());
            super::check_size(len, body.len())?;
        }
        Ok(())
    }

    fn answer_all(&mut self, count: u64, size: usize) -> Result<(), Failure> {
        if let Self::Async(socket) = self {
            return socket.answer_all(count, size);
        }
        for _ in 0..count {
            super::check_size(self.answer()?, size)?;
        }
        Ok(())
    }
}

/// A socket whose calls are awaited.
pub(crate) struct OmqSocket(omq_tokio::Socket);

impl AsyncSocket for OmqSocket {
    type Context = ();

    fn context() -> Result<(), Failure> {
        Ok(())
    }

    async fn bind(
        (): &(),
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure> {
        let socket = omq_tokio::Socket::new(socket_type(kind), options(kind, job));
        let endpoint = socket.bind(endpoint).await?.to_string();
        Ok((Self(socket), endpoint))
    }

    async fn connect((): &(), kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let socket = omq_tokio::Socket::new(socket_type(kind), options(kind, job));
        socket.connect(endpoint).await?;
        Ok(Self(socket))
    }

    #[inline]
    async fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        Ok(self.0.send(message(body)).await?)
    }

    #[inline]
    async fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.0.recv().await?.byte_len())
    }

    #[inline]
    async fn answer(&mut self) -> Result<usize, Failure> {
        let message = self.0.recv().await?;
        let len = last_len(&message);
        self.0.send(message).await?;
        Ok(len)
    }

    async fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure> {
        Ok(self.0.subscribe(prefix).await?)
    }
}

fn options(kind: Kind, job: &Job) -> Options {
    let profile = match job.cell.workload {
        Workload::ReqRep => WorkloadProfile::Latency,
        _ => WorkloadProfile::Throughput,
    };
    let mut options = Options::default().workload_profile(profile);
    options.xpub_nodrop = kind == Kind::Pub;
    if job.cell.workload == Workload::Backlog {
        options = options.send_hwm(0);
    }
    options
}

#[inline]
fn message(body: &'static [u8]) -> Message {
    Message::from(Payload::from_static(body))
}

/// The length of the body, which follows an identity or nothing.
#[inline]
fn last_len(message: &Message) -> usize {
    match message.len() {
        0 | 1 => message.byte_len(),
        parts => message.get(parts - 1).map_or(0, |part| part.len()),
    }
}

fn socket_type(kind: Kind) -> SocketType {
    match kind {
        Kind::Push => SocketType::Push,
        Kind::Pull => SocketType::Pull,
        Kind::Req => SocketType::Req,
        Kind::Rep => SocketType::Rep,
        Kind::Pub => SocketType::Pub,
        Kind::Sub => SocketType::Sub,
        Kind::Dealer => SocketType::Dealer,
        Kind::Router => SocketType::Router,
    }
}
