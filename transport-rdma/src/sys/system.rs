//! Verbs of the system's libraries: rdma_cm for connections, ibverbs for the rest.
//!
//! ```text
//!  System ─ listen ─▶ SystemListening ─ next ─▶ SystemRequest ─┐
//!     │                                                        ├─▶ SystemQueue
//!     └───── dial ───▶ SystemDialling ─── poll_routed ─────────┘
//! ```
//!
//! All calls of the libraries are in this file and its neighbours. Their
//! descriptors are set not to block, and no call waits for the network. (Ending a
//! connection waits for the device, to forget what was posted.)
//!
//! Safety arguments rest on what the manual pages of rdma-core promise: its functions may
//! be called from any thread; an object is valid from the call that made it until the one
//! that destroys it; nothing that was posted is touched after the queue pair's end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Once;

use rustix::io::Errno;

use super::cm::{self, Channel, Happened, Identifier};
use super::queue::{Role, SystemQueue};
use super::{device, interfaces};
use crate::verbs::{Dialling, Listening, Provider, Queue, Request, Served, Sizes};

/// The devices of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System;

impl System {
    /// A fresh identifier.
    fn identifier() -> io::Result<Identifier> {
        // Without its kernel module, librdmacm complains on standard error.
        if !Path::new(CONNECTION_MANAGER).exists() {
            return Err(Errno::NODEV.into());
        }
        FORK.call_once(device::prepare_for_fork);
        Identifier::new(Channel::new()?)
    }
}

impl Provider for System {
    fn network(&self) -> [u8; 16] {
        // Devices do not tell what they are connected to.
        *b"ferromq-rdma-cm1"
    }

    fn addresses(&self) -> io::Result<Vec<Served>> {
        let mut served = Vec::new();
        for (interface, address) in interfaces::addresses()? {
            let mut identifier = Self::identifier()?;
            // Binding finds the device of an address, or fails.
            let bound = identifier.bind(SocketAddr::new(address, 0));
            if bound.is_ok() && !identifier.device().0.is_null() {
                served.push(Served { interface, address });
            }
        }
        match served.is_empty() {
            true => Err(Errno::NODEV.into()),
            false => Ok(served),
        }
    }

    fn listen(&self, at: SocketAddr, backlog: u32) -> io::Result<Box<dyn Listening>> {
        let mut identifier = Self::identifier()?;
        identifier.bind(at)?;
        identifier.listen(backlog)?;
        Ok(Box::new(SystemListening {
            local: identifier.local()?,
            identifier,
            spare: None,
        }))
    }

    fn dial(&self, to: SocketAddr, from: Option<SocketAddr>) -> io::Result<Box<dyn Dialling>> {
        let mut identifier = Self::identifier()?;
        identifier.resolve_address(from, to)?;
        Ok(Box::new(SystemDialling {
            identifier: Some(identifier),
        }))
    }
}

struct SystemListening {
    local: SocketAddr,
    identifier: Identifier,
    /// For whoever comes next: without it, nobody is taken from the line.
    spare: Option<Channel>,
}

impl Listening for SystemListening {
    fn fd(&self) -> BorrowedFd<'_> {
        self.identifier.channel().fd()
    }

    fn local(&self) -> SocketAddr {
        self.local
    }

    fn next(&mut self) -> io::Result<Box<dyn Request>> {
        loop {
            let spare = match self.spare.take() {
                Some(spare) => spare,
                None => Channel::new()?,
            };
            let Happened {
                kind,
                newcomer,
                private_data,
                reads,
                ..
            } = match self.identifier.channel().next() {
                Ok(happened) => happened,
                Err(error) => {
                    self.spare = Some(spare);
                    return Err(error);
                }
            };
            let Some(mut identifier) = newcomer else {
                self.spare = Some(spare);
                match kind {
                    cm::Kind::DeviceRemoval => return Err(Errno::NODEV.into()),
                    _ => continue,
                }
            };
            // One that is gone already is told of on its own channel.
            if identifier.move_to(spare).is_ok() {
                return Ok(Box::new(SystemRequest {
                    identifier,
                    private_data,
                    reads,
                }));
            }
        }
    }
}

struct SystemRequest {
    identifier: Identifier,
    private_data: Vec<u8>,
    reads: cm::Reads,
}

impl Request for SystemRequest {
    fn private_data(&self) -> &[u8] {
        &self.private_data
    }

    fn queue(self: Box<Self>, sizes: Sizes) -> io::Result<Box<dyn Queue>> {
        let role = Role::Accepts(self.reads);
        let queue = SystemQueue::new(self.identifier, role, sizes)?;
        Ok(Box::new(queue))
    }

    fn refuse(mut self: Box<Self>, private_data: &[u8]) {
        // Who is gone needs no word.
        let _ = self.identifier.reject(private_data);
    }
}

struct SystemDialling {
    /// Until it goes to the queue.
    identifier: Option<Identifier>,
}

impl Dialling for SystemDialling {
    fn fd(&self) -> BorrowedFd<'_> {
        let identifier = self.identifier.as_ref();
        identifier.expect("dropped for the queue").channel().fd()
    }

    fn poll_routed(&mut self, sizes: Sizes) -> io::Result<Option<Box<dyn Queue>>> {
        while let Some(identifier) = &mut self.identifier {
            let happened = match identifier.channel().next() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                happened => happened?,
            };
            match happened.kind {
                cm::Kind::AddressResolved => identifier.resolve_route()?,
                cm::Kind::RouteResolved => {
                    let Some(identifier) = self.identifier.take() else {
                        break;
                    };
                    let queue = SystemQueue::new(identifier, Role::Connects, sizes)?;
                    return Ok(Some(Box::new(queue)));
                }
                _ => return Err(happened.failure()),
            }
        }
        Ok(None)
    }
}

/// What the kernel's connection manager is reached by.
const CONNECTION_MANAGER: &str = "/dev/infiniband/rdma_cm";

static FORK: Once = Once::new();
