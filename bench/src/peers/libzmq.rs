//! libzmq, with its default options: what an application gets.

mod ffi;

use std::marker::PhantomData;

use self::ffi::{Kind, Socket};
use super::{Failure, IdleServer, Peer, Receiver, Replier, Requester, Sender};
use crate::job::Job;

pub(crate) use self::ffi::version;

/// The contender, which hands bodies over in the way `H`.
pub(crate) struct Libzmq<H>(PhantomData<H>);

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
    type Receiver = Bound;
    type Sender = Connected<H>;
    type Requester = Connected<H>;
    type Replier = Bound;

    fn bind_receiver(_: &Job, endpoint: &str) -> Result<(Bound, String), Failure> {
        Bound::new(Kind::Pull, endpoint)
    }

    fn connect_sender(_: &Job, endpoint: &str) -> Result<Connected<H>, Failure> {
        Connected::new(Kind::Push, endpoint)
    }

    fn bind_replier(_: &Job, endpoint: &str) -> Result<(Bound, String), Failure> {
        Bound::new(Kind::Rep, endpoint)
    }

    fn connect_requester(_: &Job, endpoint: &str) -> Result<Connected<H>, Failure> {
        Connected::new(Kind::Req, endpoint)
    }
}

/// A socket that bound.
pub(crate) struct Bound(Socket);

impl Bound {
    fn new(kind: Kind, endpoint: &str) -> Result<(Self, String), Failure> {
        let socket = Socket::new(kind)?;
        let endpoint = socket.bind(endpoint)?;
        Ok((Self(socket), endpoint))
    }
}

impl Receiver for Bound {
    #[inline]
    fn recv(&mut self) -> Result<usize, Failure> {
        Ok(self.0.recv()?)
    }
}

impl Replier for Bound {
    #[inline]
    fn serve(&mut self) -> Result<usize, Failure> {
        let len = self.0.recv()?;
        self.0.send_back()?;
        Ok(len)
    }
}

impl IdleServer for Bound {
    fn bind(endpoint: &str) -> Result<(Self, String), Failure> {
        Self::new(Kind::Pull, endpoint)
    }

    fn recv(&mut self) -> Result<usize, Failure> {
        Receiver::recv(self)
    }
}

/// A socket that connected.
pub(crate) struct Connected<H>(Socket, PhantomData<H>);

impl<H> Connected<H> {
    fn new(kind: Kind, endpoint: &str) -> Result<Self, Failure> {
        let socket = Socket::new(kind)?;
        socket.connect(endpoint)?;
        Ok(Self(socket, PhantomData))
    }
}

impl<H: HandOver> Sender for Connected<H> {
    #[inline]
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure> {
        H::send(&mut self.0, body)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        // Its I/O thread sends whatever is queued.
        Ok(())
    }
}

impl<H: HandOver> Requester for Connected<H> {
    #[inline]
    fn round_trip(&mut self, request: &'static [u8]) -> Result<usize, Failure> {
        H::send(&mut self.0, request)?;
        Ok(self.0.recv()?)
    }
}
