//! rzmq 0.5 over its standard backend, in Tokio's current-thread runtime (over
//! inproc with two worker threads).
//!
//! Adaptive throttling is off, as in the figures that its README shows; bodies go
//! in as static memory without a copy. PUB waits for subscribers (XPUB_NODROP),
//! ROUTER and DEALER add no delimiter (AUTO_DELIMITER), as ZeroMQ's do.

use rzmq::socket::{
    ADAPTIVE_THROTTLE, AUTO_DELIMITER, AdaptiveThrottleSocketConfig, LAST_ENDPOINT,
    MAX_CONNECTIONS, SNDHWM, SUBSCRIBE, XPUB_NODROP,
};
use rzmq::{Context, Msg, Socket, SocketType};

use super::runtime::{AsyncSocket, OnTokio};
use super::{Failure, Kind};
use crate::job::{Job, Workload};

/// The contender.
pub(crate) type Rzmq = OnTokio<RzmqSocket>;

/// More than any job has.
const MOST_CONNECTIONS: i32 = 20_000;

pub(crate) struct RzmqSocket {
    socket: Socket,
    /// Messages have several frames: an identity and a body.
    routes: bool,
    /// A socket does not keep its context alive.
    _context: Context,
}

impl AsyncSocket for RzmqSocket {
    type Context = Context;

    fn context() -> Result<Context, Failure> {
        Ok(Context::new()?)
    }

    async fn bind(
        context: &Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure> {
        let socket = Self::new(context, kind, job).await?;
        socket.socket.bind(endpoint).await?;
        let bound = socket.socket.get_option(LAST_ENDPOINT).await?;
        let bound = String::from_utf8(bound)?;
        let bound = bound.trim_end_matches('\0').to_owned();
        Ok((socket, bound))
    }

    async fn connect(
        context: &Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<Self, Failure> {
        let socket = Self::new(context, kind, job).await?;
        socket.socket.connect(endpoint).await?;
        Ok(socket)
    }

    #[inline]
    async fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        Ok(self.socket.send(Msg::from_static(body)).await?)
    }

    #[inline]
    async fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.socket.recv().await?.size())
    }

    #[inline]
    async fn answer(&mut self) -> Result<usize, Failure> {
        if self.routes {
            let frames = self.socket.recv_multipart().await?;
            let len = frames.last().map_or(0, Msg::size);
            self.socket.send_multipart(frames).await?;
            return Ok(len);
        }
        let message = self.socket.recv().await?;
        let len = message.size();
        self.socket.send(message).await?;
        Ok(len)
    }

    async fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure> {
        Ok(self.socket.set_option(SUBSCRIBE, prefix).await?)
    }
}

impl RzmqSocket {
    async fn new(context: &Context, kind: Kind, job: &Job) -> Result<Self, Failure> {
        let socket = context.socket(socket_type(kind))?;
        let unthrottled = AdaptiveThrottleSocketConfig {
            enabled: false,
            ..Default::default()
        };
        socket.set_option(ADAPTIVE_THROTTLE, unthrottled).await?;
        // Its default limit is a thousand or so.
        socket.set_option(MAX_CONNECTIONS, MOST_CONNECTIONS).await?;
        match kind {
            Kind::Pub => socket.set_option(XPUB_NODROP, true).await?,
            Kind::Dealer | Kind::Router => socket.set_option(AUTO_DELIMITER, false).await?,
            _ => {}
        }
        if job.cell.workload == Workload::Backlog {
            socket.set_option(SNDHWM, 0).await?;
        }
        Ok(Self {
            socket,
            routes: kind == Kind::Router,
            _context: context.clone(),
        })
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
