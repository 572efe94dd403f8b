//! How connections of the fabric's come about.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::queue::SoftQueue;
use super::state::Waiting;
use super::{Bell, Fabric};
use crate::verbs::{Dialling, Listening, Queue, Request, Sizes};

pub(super) struct SoftListening {
    fabric: Fabric,
    at: SocketAddr,
    bell: Bell,
}

impl SoftListening {
    pub(super) fn new(fabric: &Fabric, at: SocketAddr, backlog: u32) -> io::Result<Self> {
        fabric.with(|state| {
            let at = state.open_door(at, backlog)?;
            let bell = state.door_bell(at).ok_or(Errno::INVAL)?;
            let fabric = fabric.clone();
            Ok(Self { fabric, at, bell })
        })
    }
}

impl Listening for SoftListening {
    fn fd(&self) -> BorrowedFd<'_> {
        self.bell.fd()
    }

    fn local(&self) -> SocketAddr {
        self.at
    }

    fn next(&mut self) -> io::Result<Box<dyn Request>> {
        let waiting = self.fabric.lock().next_request(self.at);
        let waiting = waiting.ok_or(io::ErrorKind::WouldBlock)?;
        Ok(Box::new(SoftRequest {
            fabric: self.fabric.clone(),
            at: self.at,
            waiting: Some(waiting),
        }))
    }
}

impl Drop for SoftListening {
    fn drop(&mut self) {
        self.fabric.with(|state| state.close_door(self.at));
    }
}

struct SoftRequest {
    fabric: Fabric,
    at: SocketAddr,
    /// `None` once it was answered.
    waiting: Option<Waiting>,
}

impl Request for SoftRequest {
    fn private_data(&self) -> &[u8] {
        self.waiting
            .as_ref()
            .map_or(&[], |waiting| &waiting.private_data)
    }

    fn queue(mut self: Box<Self>, sizes: Sizes) -> io::Result<Box<dyn Queue>> {
        let waiting = self.waiting.take().ok_or(Errno::INVAL)?;
        let id = self
            .fabric
            .with(|state| state.add_accepted(self.at, waiting.dialler))?;
        Ok(Box::new(SoftQueue::new(&self.fabric, id, sizes)?))
    }

    fn refuse(mut self: Box<Self>, private_data: &[u8]) {
        if let Some(waiting) = self.waiting.take() {
            self.fabric
                .with(|state| state.refuse_caller(waiting.dialler, private_data));
        }
    }
}

impl Drop for SoftRequest {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.fabric
                .with(|state| state.refuse_caller(waiting.dialler, &[]));
        }
    }
}

pub(super) struct SoftDialling {
    fabric: Fabric,
    /// `None` once the queue has it.
    id: Option<u64>,
    events: Bell,
}

impl SoftDialling {
    pub(super) fn new(
        fabric: &Fabric,
        to: SocketAddr,
        from: Option<SocketAddr>,
    ) -> io::Result<Self> {
        fabric.with(|state| {
            let id = state.add_dialler(to, from)?;
            let pair = state.pair(id).ok_or(Errno::INVAL)?;
            Ok(Self {
                fabric: fabric.clone(),
                id: Some(id),
                events: pair.events_bell.clone(),
            })
        })
    }
}

impl Dialling for SoftDialling {
    fn fd(&self) -> BorrowedFd<'_> {
        self.events.fd()
    }

    fn poll_routed(&mut self, sizes: Sizes) -> io::Result<Option<Box<dyn Queue>>> {
        let id = self.id.ok_or(Errno::INVAL)?;
        let routed = {
            let mut state = self.fabric.lock();
            state.pair(id).ok_or(Errno::INVAL)?.routed.take()
        };
        match routed {
            None => Ok(None),
            Some(Err(errno)) => Err(io::Error::from_raw_os_error(errno)),
            Some(Ok(())) => {
                self.events.take();
                let queue = SoftQueue::new(&self.fabric, id, sizes)?;
                self.id = None;
                Ok(Some(Box::new(queue)))
            }
        }
    }
}

impl Drop for SoftDialling {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.fabric.with(|state| state.remove(id));
        }
    }
}
