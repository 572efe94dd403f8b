//! A queue of the fabric's.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use super::pair::{Operation, Pair, Phase, Role, no_memory};
use super::state::Task;
use super::{Bell, Fabric};
use crate::verbs::{
    Access, Completion, Event, Fetch, Incoming, Limits, Notify, Outgoing, Part, Queue, Region,
    Registered, Sizes, Store,
};

pub(super) struct SoftQueue {
    fabric: Fabric,
    id: u64,
    channel: Bell,
    events: Bell,
    limits: Limits,
    addresses: (SocketAddr, SocketAddr),
}

impl SoftQueue {
    /// The queue of a pair that has none.
    pub(super) fn new(fabric: &Fabric, id: u64, sizes: Sizes) -> io::Result<Self> {
        fabric.with(|state| {
            let pair = state.pair(id).ok_or(Errno::INVAL)?;
            pair.sizes = sizes;
            Ok(Self {
                fabric: fabric.clone(),
                id,
                channel: pair.channel.clone(),
                events: pair.events_bell.clone(),
                limits: pair.limits(),
                addresses: (pair.local, pair.remote),
            })
        })
    }

    fn with_pair<T>(&self, change: impl FnOnce(&mut Pair) -> T) -> io::Result<T> {
        let mut state = self.fabric.lock();
        let pair = state.pair(self.id).ok_or(Errno::INVAL)?;
        Ok(change(pair))
    }

    fn post(&self, operations: Vec<Operation>) -> io::Result<()> {
        self.fabric.with(|state| {
            let count = operations.len();
            let pair = state.pair(self.id).ok_or(Errno::INVAL)?;
            pair.reserve(count)?;
            pair.operations.extend(operations);
            if pair.phase == Phase::Broken {
                pair.flush();
                return Ok(());
            }
            for _ in 0..count {
                state.add_task(Task::Operate(self.id));
            }
            Ok(())
        })
    }
}

impl Queue for SoftQueue {
    fn completion_fd(&self) -> BorrowedFd<'_> {
        self.channel.fd()
    }

    fn connection_fd(&self) -> BorrowedFd<'_> {
        self.events.fd()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        self.addresses
    }

    fn establish(&mut self, private_data: &[u8]) -> io::Result<()> {
        self.fabric.with(|state| {
            let pair = state.pair(self.id).ok_or(Errno::INVAL)?;
            pair.private_data = private_data.to_vec();
            let task = match pair.role {
                Role::Dialled => Task::Connect(self.id),
                Role::Accepted => Task::Accept(self.id),
            };
            state.add_task(task);
            Ok(())
        })
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.with_pair(Pair::take_event).ok().flatten()
    }

    fn disconnect(&mut self) {
        self.fabric.with(|state| state.disconnect(self.id));
    }

    fn register(&mut self, memory: Part, access: Access) -> io::Result<Registered> {
        self.fabric
            .with(|state| state.register(self.id, memory, access))
    }

    fn deregister(&mut self, region: Region) -> io::Result<()> {
        self.fabric.with(|state| state.deregister(self.id, region))
    }

    fn post_sends(&mut self, sends: &[Outgoing]) -> io::Result<()> {
        let inline = self.limits.inline;
        let taken = |pair: &mut Pair, send: &Outgoing| {
            let part = pair.local_part(send.from, None)?;
            (part.len <= inline).then(|| part.pages.read(part.offset, part.len))
        };
        let operations = self.with_pair(|pair| {
            let operation = |send: &Outgoing| Operation::Send(*send, taken(pair, send));
            sends.iter().map(operation).collect()
        })?;
        self.post(operations)
    }

    fn post_receives(&mut self, receives: &[Incoming]) -> io::Result<()> {
        self.with_pair(|pair| {
            if pair.receives.len() + receives.len() > pair.sizes.receives as usize {
                return Err(no_memory());
            }
            pair.receives.extend(receives);
            if pair.phase == Phase::Broken {
                pair.flush();
            }
            Ok(())
        })?
    }

    fn post_read(&mut self, fetch: Fetch) -> io::Result<()> {
        self.post(vec![Operation::Fetch(fetch)])
    }

    fn post_write(&mut self, store: Store) -> io::Result<()> {
        if store.from.len() > self.limits.pieces {
            return Err(Errno::INVAL.into());
        }
        self.post(vec![Operation::Store(store)])
    }

    fn poll(&mut self, into: &mut [Completion]) -> usize {
        let polled = self.with_pair(|pair| {
            let mut count = 0;
            for place in into.iter_mut() {
                let Some(completion) = pair.poll() else { break };
                *place = completion;
                count += 1;
            }
            count
        });
        polled.unwrap_or(0)
    }

    fn arm(&mut self, notify: Notify) -> io::Result<()> {
        self.with_pair(|pair| pair.arm(notify))
    }

    fn drain(&mut self) -> bool {
        let mut any = false;
        while self.channel.take() {
            any = true;
        }
        any
    }
}

impl Drop for SoftQueue {
    fn drop(&mut self) {
        self.fabric.with(|state| state.remove(self.id));
    }
}
