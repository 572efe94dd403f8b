//! libzmq, with its default options: what an application gets.
//!
//! One I/O thread, high-water marks of 1,000 messages, and a PUB that waits for
//! subscribers (ZMQ_XPUB_NODROP), as everybody's does here. Two builds of it: the
//! fast one that is linked, and the distribution's, which is loaded.

mod api;
mod ffi;

use std::marker::PhantomData;

use self::ffi::{Context, Socket};
use super::{End, Failure, Kind, Peer, keys};
use crate::job::{Contender, Job, Mechanism, Workload};

pub(crate) use self::api::{absence_of_system, system_version, version};

/// A socket, which takes bodies in the way `H`.
pub(crate) struct Libzmq<H>(Socket, PhantomData<H>);

/// Each body is copied into a message (`zmq_send`).
pub(crate) struct Copying;

/// Each message points to the caller's body (`zmq_msg_init_data`).
pub(crate) struct Sharing;

/// How a body gets into a message.
pub(crate) trait HandOver {
    fn send(socket: &mut Socket, body: &'static [u8]) -> Result<(), Failure>;
}

impl HandOver for Copying {
    #[inline]
    fn send(socket: &mut Socket, body: &'static [u8]) -> Result<(), Failure> {
        Ok(socket.send(body)?)
    }
}

impl HandOver for Sharing {
    #[inline]
    fn send(socket: &mut Socket, body: &'static [u8]) -> Result<(), Failure> {
        Ok(socket.send_shared(body)?)
    }
}

impl<H: HandOver> Peer for Libzmq<H> {
    type Context = Context;

    fn context(job: &Job) -> Result<Context, Failure> {
        let api = match job.contender {
            Contender::LibzmqSystem => api::system()?,
            _ => api::linked()?,
        };
        Ok(Context::new(api)?)
    }

    fn bind(
        context: &Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure> {
        let socket = Self::new(context, kind, job, End::Binds)?;
        let endpoint = socket.0.bind(endpoint)?;
        Ok((socket, endpoint))
    }

    fn connect(context: &Context, kind: Kind, endpoint: &str, job: &Job) -> Result<Self, Failure> {
        let socket = Self::new(context, kind, job, End::Connects)?;
        socket.0.connect(endpoint)?;
        Ok(socket)
    }

    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        H::send(&mut self.0, body)
    }

    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.0.recv()?)
    }

    #[inline]
    fn answer(&mut self) -> Result<usize, Failure> {
        loop {
            let len = self.0.recv()?;
            let more = self.0.send_back()?;
            if !more {
                return Ok(len);
            }
        }
    }

    fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure> {
        Ok(self.0.subscribe(prefix)?)
    }

    fn forward(front: Self, back: Self) -> Result<(), Failure> {
        Ok(ffi::forward(&front.0, &back.0)?)
    }
}

impl<H> Libzmq<H> {
    fn new(context: &Context, kind: Kind, job: &Job, end: End) -> Result<Self, Failure> {
        let socket = Socket::new(context, kind)?;
        match (job.cell.mechanism, end) {
            (Mechanism::Null, _) => {}
            (Mechanism::Curve, End::Binds) => socket.be_curve_server(&keys::server())?,
            (Mechanism::Curve, End::Connects) => {
                socket.be_curve_client(&keys::server(), &keys::client())?;
            }
        }
        if kind == Kind::Pub {
            socket.never_drop()?;
        }
        if job.cell.workload == Workload::Backlog {
            socket.queue_without_limit()?;
        }
        Ok(Self(socket, PhantomData))
    }
}
