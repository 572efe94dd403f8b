//! All devices, and what the thread does with them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use super::Bell;
use super::faults::Faults;
use super::pair::{Operation, Pair, Phase, Side, no_memory};
use crate::sys::Pages;
use crate::verbs::{
    Access, Fetch, Outgoing, Part, Region, Registered, Remote, Signal, Status, Store,
};

/// Ports that are given to those who ask for any.
pub(super) const FIRST_PORT: u16 = 20_000;

pub(super) struct State {
    /// Which fabric this is.
    pub(super) number: u64,
    pub(super) devices: Vec<IpAddr>,
    pub(super) doors: HashMap<SocketAddr, Door>,
    pub(super) pairs: HashMap<u64, Pair>,
    pub(super) last: u64,
    pub(super) last_port: u16,
    last_key: u32,
    tasks: VecDeque<Task>,
    pub(super) faults: Faults,
    pub(super) paused: bool,
    stopped: bool,
}

/// Who waits to be accepted.
pub(super) struct Door {
    pub(super) requests: VecDeque<Waiting>,
    pub(super) bell: Bell,
    pub(super) backlog: usize,
}

pub(super) struct Waiting {
    pub(super) dialler: u64,
    pub(super) private_data: Vec<u8>,
}

pub(super) enum Task {
    Resolve(u64),
    Connect(u64),
    Accept(u64),
    /// The first operation of a pair.
    Operate(u64),
}

impl State {
    pub(super) fn new(number: u64, devices: Vec<IpAddr>) -> Self {
        Self {
            number,
            devices,
            doors: HashMap::new(),
            pairs: HashMap::new(),
            last: 0,
            last_port: FIRST_PORT,
            last_key: 0,
            tasks: VecDeque::new(),
            faults: Faults::default(),
            paused: false,
            stopped: false,
        }
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Does the next thing. False: nothing is to be done.
    pub(super) fn perform_one(&mut self) -> bool {
        if self.paused {
            return false;
        }
        match self.tasks.pop_front() {
            None => return false,
            Some(Task::Resolve(id)) => self.resolve(id),
            Some(Task::Connect(id)) => self.connect(id),
            Some(Task::Accept(id)) => self.accept(id),
            Some(Task::Operate(id)) => self.operate(id),
        }
        true
    }

    pub(super) fn add_task(&mut self, task: Task) {
        self.tasks.push_back(task);
    }

    pub(super) fn pair(&mut self, id: u64) -> Option<&mut Pair> {
        self.pairs.get_mut(&id)
    }

    // Memory.

    pub(super) fn registered(&self) -> usize {
        let regions = self.pairs.values().flat_map(|pair| pair.regions.values());
        regions.map(|registration| registration.part.len).sum()
    }

    pub(super) fn register(
        &mut self,
        id: u64,
        part: Part,
        access: Access,
    ) -> io::Result<Registered> {
        if let Some(errno) = self.faults.register {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let limit = self.faults.registered_max;
        if limit.is_some_and(|limit| self.registered() + part.len > limit) {
            return Err(no_memory());
        }
        self.last_key = self.last_key.wrapping_add(1);
        let key = self.last_key;
        let pair = self.pairs.get_mut(&id).ok_or(Errno::INVAL)?;
        let registration = super::pair::Registration { part, access, key };
        pair.regions.insert(Region(key), registration);
        Ok(Registered {
            region: Region(key),
            // Keys are addresses of their own here: the first byte is at 0.
            remote: Remote { address: 0, key },
        })
    }

    pub(super) fn deregister(&mut self, id: u64, region: Region) -> io::Result<()> {
        if let Some(errno) = self.faults.deregister {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let pair = self.pairs.get_mut(&id).ok_or(Errno::INVAL)?;
        let ended = pair.regions.remove(&region);
        ended.map(drop).ok_or_else(|| Errno::INVAL.into())
    }

    // Operations.

    fn operate(&mut self, id: u64) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        let Some(operation) = pair.operations.pop_front() else {
            return;
        };
        let failed = match &operation {
            Operation::Send(send, taken) => self.send(id, send, taken.as_deref()),
            Operation::Fetch(fetch) => self.fetch(id, fetch),
            Operation::Store(store) => self.store(id, store),
        };
        let signal = match &operation {
            Operation::Send(send, _) => send.signal,
            Operation::Fetch(_) | Operation::Store(_) => Signal::Always,
        };
        if let Some(pair) = self.pairs.get_mut(&id) {
            match failed {
                Ok(()) => pair.sent(operation.work(), signal),
                Err(status) => pair.fail(operation.work(), status, Side::Requester),
            }
        }
    }

    /// The other end, if the network carries so far.
    fn reach(&mut self, id: u64) -> Result<u64, Status> {
        let peer = self.pairs.get(&id).and_then(|pair| pair.peer);
        let peer = peer.ok_or(Status::RetryExceeded)?;
        let there = self.pairs.get(&peer);
        let listens = there.is_some_and(|pair| pair.phase == Phase::Established);
        match listens && self.faults.arrives() {
            true => Ok(peer),
            false => Err(Status::RetryExceeded),
        }
    }

    fn send(&mut self, id: u64, send: &Outgoing, taken: Option<&[u8]>) -> Result<(), Status> {
        let part = self
            .pairs
            .get(&id)
            .and_then(|pair| pair.local_part(send.from, None));
        let part = part.ok_or(Status::LocalProtection)?;
        let peer = self.reach(id)?;
        let peer = self.pairs.get_mut(&peer).ok_or(Status::RetryExceeded)?;
        let receive = peer.receives.pop_front().ok_or(Status::ReceiverNotReady)?;
        let Some(into) = peer.local_part(receive.into, Some(Access::Local)) else {
            peer.fail(receive.work, Status::LocalProtection, Side::Responder);
            return Err(Status::RemoteOperation);
        };
        let len = taken.map_or(part.len, <[u8]>::len);
        if len > into.len {
            peer.fail(receive.work, Status::LocalLength, Side::Responder);
            return Err(Status::RemoteInvalidRequest);
        }
        match taken {
            Some(bytes) => Pages::write((&into.pages, into.offset), bytes),
            None => Pages::copy((&part.pages, part.offset), (&into.pages, into.offset), len),
        }
        peer.received(receive.work, len as u32, send.solicited);
        Ok(())
    }

    fn fetch(&mut self, id: u64, fetch: &Fetch) -> Result<(), Status> {
        let pair = self.pairs.get(&id).ok_or(Status::Flushed)?;
        let into = pair.local_part(fetch.into, Some(Access::Local));
        let into = into.ok_or(Status::LocalProtection)?;
        let peer = self.reach(id)?;
        let peer = self.pairs.get_mut(&peer).ok_or(Status::RetryExceeded)?;
        let Some(from) = peer.remote_part(fetch.from, into.len, Access::RemoteRead) else {
            // A responder that refuses is in error as well.
            peer.flush();
            return Err(Status::RemoteAccess);
        };
        Pages::copy(
            (&from.pages, from.offset),
            (&into.pages, into.offset),
            into.len,
        );
        Ok(())
    }

    fn store(&mut self, id: u64, store: &Store) -> Result<(), Status> {
        let pair = self.pairs.get(&id).ok_or(Status::Flushed)?;
        let pieces = store.from.iter().map(|piece| pair.local_part(*piece, None));
        let from: Option<Vec<Part>> = pieces.collect();
        let from = from.ok_or(Status::LocalProtection)?;
        let len = from.iter().map(|part| part.len).sum();
        let peer = self.reach(id)?;
        let peer = self.pairs.get_mut(&peer).ok_or(Status::RetryExceeded)?;
        // A key is looked at where there is something to write.
        if len > 0 {
            let Some(into) = peer.remote_part(store.to, len, Access::RemoteWrite) else {
                // As for a read.
                peer.flush();
                return Err(Status::RemoteAccess);
            };
            let mut at = into.offset;
            for part in from {
                Pages::copy((&part.pages, part.offset), (&into.pages, at), part.len);
                at += part.len;
            }
        }
        // Only its end asks for a receive: by then the bytes are there.
        if let Some(immediate) = store.immediate {
            let receive = peer.receives.pop_front().ok_or(Status::ReceiverNotReady)?;
            peer.written(receive.work, len as u32, immediate);
        }
        Ok(())
    }
}
