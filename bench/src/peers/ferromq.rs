//! FerroMQ, with its default options but for `switch`: what an application gets.
//!
//! One message a call, as the others do it; there is no batch call here. PUB
//! waits for subscribers instead of dropping, as everybody's does here. Who sends
//! messages of a GiB raises the limits that hold one.

use std::marker::PhantomData;

use ferromq::{AnySocket, Context, CurveClients, Error, Frame, Options, Proxy, SocketType};
use ferromq_transport_shm::Shm;

use super::{End, Failure, Kind, Peer, keys};
use crate::job::{Job, Mechanism, Via, Workload};

/// Messages from this length are as long as all that is lent, or all that may wait.
const HUGE: usize = 1 << 30;
/// As many of them may be under way.
const HUGE_UNDER_WAY: usize = 4;

/// A socket, which takes bodies in the way `H`.
pub(crate) struct Ferromq<H> {
    socket: AnySocket,
    hand_over: PhantomData<H>,
}

/// Each body is sent from a borrowed slice (`send_bytes`).
pub(crate) struct Borrowing;

/// Each message shares the caller's body (`Frame::from_static`).
pub(crate) struct Sharing;

/// Each message is a loan of the socket's, in memory that the peer reads too; what is
/// in it is not what is measured, as with the others that copy nothing.
pub(crate) struct Loaning;

/// How a body gets into the socket.
pub(crate) trait HandOver {
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error>;
}

impl HandOver for Borrowing {
    #[inline]
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error> {
        socket.send_bytes(body)
    }
}

impl HandOver for Sharing {
    #[inline]
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error> {
        Ok(socket.send(Frame::from_static(body))?)
    }
}

impl HandOver for Loaning {
    #[inline]
    fn send(socket: &AnySocket, body: &'static [u8]) -> Result<(), Error> {
        let mut loan = loop {
            let loan = socket.loan(body.len())?;
            if loan.is_shared() {
                break loan;
            }
            // All of it is with the peer.
            std::thread::yield_now();
        };
        let head = body.len().min(64);
        loan[..head].copy_from_slice(&body[..head]);
        Ok(socket.send(loan)?)
    }
}

impl<H: HandOver> Peer for Ferromq<H> {
    type Context = Context;

    fn context(job: &Job) -> Result<Context, Failure> {
        if job.cell.via == Via::Shm && job.cell.shape.size >= HUGE {
            // The one of the usual 1 GiB would be waited for each time. One more than may
            // be under way, so that nobody asks for memory in vain.
            let memory = Shm::with_limit((HUGE_UNDER_WAY + 1) * job.cell.shape.size);
            return Ok(Context::builder().transport(memory).build()?);
        }
        Ok(Context::new()?)
    }

    fn bind(
        context: &Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure> {
        let socket = Self::new(context, kind, job, End::Binds)?;
        let endpoint = socket.socket.bind(endpoint)?.to_string();
        Ok((socket, endpoint))
    }

    fn connect(context: &Context, kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let socket = Self::new(context, kind, job, End::Connects)?;
        socket.socket.connect(endpoint)?;
        Ok(socket)
    }

    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        Ok(H::send(&self.socket, body)?)
    }

    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.socket.recv()?.body_len())
    }

    #[inline]
    fn answer(&mut self) -> Result<usize, Failure> {
        let message = self.socket.recv()?;
        let len = message.parts().last().map_or(0, |frame| frame.len());
        self.socket.send(message)?;
        Ok(len)
    }

    fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure> {
        Ok(self.socket.subscribe(prefix)?)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.socket.flush()?)
    }

    fn forward(front: Self, back: Self) -> Result<(), Failure> {
        Ok(Proxy::builder(front.socket, back.socket).build()?.run()?)
    }
}

impl<H> Ferromq<H> {
    fn new(context: &Context, kind: Kind, job: &Job, end: End) -> Result<Self, Failure> {
        // What is called tcp or ipc is to be measured over it.
        let mut options = Options::new().switch(job.cell.via == Via::TcpSwitched);
        if job.cell.mechanism == Mechanism::Curve {
            options = secured(options, end);
        }
        if kind == Kind::Pub {
            options = options.pub_no_drop(true);
        }
        if job.cell.shape.size >= HUGE {
            options = options.send_bytes_limit(HUGE_UNDER_WAY * job.cell.shape.size);
        }
        if job.cell.workload == Workload::Backlog {
            options = options.send_high_water_mark(0).send_bytes_limit(usize::MAX);
        }
        Ok(Self {
            socket: context.any_socket(socket_type(kind), options)?,
            hand_over: PhantomData,
        })
    }
}

/// Who can be trusted is not what is measured: any client may come.
fn secured(options: Options, end: End) -> Options {
    match end {
        End::Binds => options.curve_server(keys::server(), CurveClients::Any),
        End::Connects => options.curve_client(keys::server().public, keys::client()),
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
