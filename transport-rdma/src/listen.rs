//! Listening: somebody's greeting comes with the request, ours with the answer.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use ferromq_transport::{Cause, Endpoint, Link, LinkOptions, Listener, Operation, TransportError};

use crate::address;
use crate::channel::{Channel, Room};
use crate::gather::Gathered;
use crate::hello::Hello;
use crate::lending::Lending;
use crate::link::{Open, RdmaLink};
use crate::verbs::{Listening, Request};
use crate::{Inner, failed, room_of};

/// How many callers in a row may be of no use before the turn is given back.
const MAX_SKIPPED: u32 = 16;

pub(crate) struct RdmaListener {
    listening: Box<dyn Listening>,
    endpoint: Endpoint,
    room: Room,
    inner: std::sync::Arc<Inner>,
}

impl RdmaListener {
    pub(crate) fn bind(
        endpoint: &Endpoint,
        options: &LinkOptions,
        inner: std::sync::Arc<Inner>,
    ) -> Result<Self, TransportError> {
        let fail = |error| failed(Operation::Bind, endpoint, &error);
        let at = address::to_bind(endpoint, options.ip_version, &*inner.provider)?;
        let backlog = options.backlog.max(1);
        let listening = inner.provider.listen(at, backlog).map_err(fail)?;
        let real = address::endpoint(listening.local());
        Ok(Self {
            listening,
            endpoint: real.unwrap_or_else(|| endpoint.clone()),
            room: room_of(options),
            inner,
        })
    }

    /// Answers whoever greets in a way that is known. `None`: it does not.
    fn admit(&self, request: Box<dyn Request>) -> io::Result<Option<RdmaLink>> {
        let Ok(theirs) = Hello::decode(request.private_data()) else {
            request.refuse(&self.room.receive.encode());
            return Ok(None);
        };
        let queue = request.queue(self.room.sizes())?;
        let gathered = Gathered::new(queue.connection_fd())?;
        let tally = self.inner.tally.clone();
        let mut channel = Channel::new(queue, &gathered, self.room, tally)?;
        channel.meet(theirs.presuming(self.inner.presumed));
        channel.establish()?;
        let lending = Lending::new(self.inner.arena.clone(), self.inner.keys);
        let open = Open::new(channel, lending);
        let closer = self.inner.closer.clone();
        Ok(Some(RdmaLink::new(open, gathered, &self.endpoint, closer)))
    }
}

impl Listener for RdmaListener {
    fn fd(&self) -> RawFd {
        self.listening.fd().as_raw_fd()
    }

    fn local_endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn accept(&mut self) -> Result<Option<Box<dyn Link>>, TransportError> {
        let fail = |error| failed(Operation::Accept, &self.endpoint, &error);
        for _ in 0..MAX_SKIPPED {
            let request = match self.listening.next() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                request => request.map_err(fail)?,
            };
            match self.admit(request) {
                Ok(Some(link)) => return Ok(Some(Box::new(link))),
                Ok(None) => {}
                Err(error) => {
                    let error = fail(error);
                    if error.is_exhausted() {
                        return Err(error);
                    }
                }
            }
        }
        let gone = Cause::PeersGone { count: MAX_SKIPPED };
        Err(TransportError::new(Operation::Accept, &self.endpoint, gone))
    }
}
