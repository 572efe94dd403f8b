//! zeromq 0.7, the Rust crate, in Tokio's current-thread runtime.
//!
//! Bodies go in as `Bytes` that share the caller's memory. There is no option
//! that its documentation recommends for speed but the size of reads, which it
//! adapts itself, up to 64 KiB; for longer messages 1 MiB is allowed here.

use bytes::Bytes;
use zeromq::{
    DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    SocketOptions, SocketRecv, SocketSend, ZmqMessage,
};

use super::runtime::{AsyncSocket, OnTokio};
use super::{Failure, Kind};
use crate::job::Job;

/// The contender.
pub(crate) type Zeromq = OnTokio<ZeromqSocket>;

/// Reads of long messages ask for up to this many bytes.
const LONGEST_READ: usize = 1 << 20;

pub(crate) enum ZeromqSocket {
    Push(PushSocket),
    Pull(PullSocket),
    Req(ReqSocket),
    Rep(RepSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
}

/// Calls what all of the sockets have.
macro_rules! each {
    ($of:expr, $socket:ident => $call:expr) => {
        match $of {
            ZeromqSocket::Push($socket) => $call,
            ZeromqSocket::Pull($socket) => $call,
            ZeromqSocket::Req($socket) => $call,
            ZeromqSocket::Rep($socket) => $call,
            ZeromqSocket::Dealer($socket) => $call,
            ZeromqSocket::Router($socket) => $call,
        }
    };
}

impl AsyncSocket for ZeromqSocket {
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
        let mut socket = Self::new(kind, job)?;
        let endpoint = each!(&mut socket, socket => socket.bind(endpoint).await?);
        Ok((socket, endpoint.to_string()))
    }

    async fn connect((): &(), kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let mut socket = Self::new(kind, job)?;
        each!(&mut socket, socket => socket.connect(endpoint).await?);
        Ok(socket)
    }

    #[inline]
    async fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        let message = ZmqMessage::from(Bytes::from_static(body));
        match self {
            Self::Push(socket) => socket.send(message).await?,
            Self::Req(socket) => socket.send(message).await?,
            Self::Dealer(socket) => socket.send(message).await?,
            _ => return Err("it only receives".into()),
        }
        Ok(())
    }

    #[inline]
    async fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.receive().await?.iter().map(Bytes::len).sum())
    }

    #[inline]
    async fn answer(&mut self) -> Result<usize, Failure> {
        let message = self.receive().await?;
        let len = message.iter().next_back().map_or(0, Bytes::len);
        match self {
            Self::Rep(socket) => socket.send(message).await?,
            Self::Router(socket) => socket.send(message).await?,
            _ => return Err("it only receives".into()),
        }
        Ok(len)
    }

    async fn subscribe(&mut self, _: &'static [u8]) -> Result<(), Failure> {
        Err("not measured".into())
    }
}

impl ZeromqSocket {
    fn new(kind: Kind, job: &Job) -> Result<Self, Failure> {
        let mut options = SocketOptions::default();
        if job.cell.shape.size >= LONGEST_READ {
            options.read_buffer(128, LONGEST_READ, 2);
        }
        Ok(match kind {
            Kind::Push => Self::Push(PushSocket::with_options(options)),
            Kind::Pull => Self::Pull(PullSocket::with_options(options)),
            Kind::Req => Self::Req(ReqSocket::with_options(options)),
            Kind::Rep => Self::Rep(RepSocket::with_options(options)),
            Kind::Dealer => Self::Dealer(DealerSocket::with_options(options)),
            Kind::Router => Self::Router(RouterSocket::with_options(options)),
            kind => return Err(format!("its {kind:?} drops messages").into()),
        })
    }

    #[inline]
    async fn receive(&mut self) -> Result<ZmqMessage, Failure> {
        Ok(match self {
            Self::Pull(socket) => socket.recv().await?,
            Self::Req(socket) => socket.recv().await?,
            Self::Rep(socket) => socket.recv().await?,
            Self::Dealer(socket) => socket.recv().await?,
            Self::Router(socket) => socket.recv().await?,
            Self::Push(_) => return Err("it only sends".into()),
        })
    }
}
