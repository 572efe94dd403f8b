//! All devices, and what the thread does with them.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;

use super::Bell;
use super::faults::Faults;
use super::pair::{Operation, Pair, Phase, Role, Side, no_memory};
use crate::memory::Pages;
use crate::verbs::{
    Access, Event, Fetch, Outgoing, Part, Region, Registered, Remote, Signal, Status,
};

/// Ports that are given to those who ask for any.
const FIRST_PORT: u16 = 20_000;
/// How connections are refused (of the communication manager's reasons).
const REJECTED_NO_LISTENER: i32 = 8;
const REJECTED_BY_CONSUMER: i32 = 28;

pub(super) struct State {
    devices: Vec<IpAddr>,
    doors: HashMap<SocketAddr, Door>,
    pairs: HashMap<u64, Pair>,
    last: u64,
    last_port: u16,
    last_key: u32,
    tasks: VecDeque<Task>,
    pub(super) faults: Faults,
    pub(super) paused: bool,
    stopped: bool,
}

/// Who waits to be accepted.
pub(super) struct Door {
    requests: VecDeque<Waiting>,
    bell: Bell,
    backlog: usize,
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
    pub(super) fn new(devices: Vec<IpAddr>) -> Self {
        Self {
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

    // Connections.

    pub(super) fn open_door(&mut self, at: SocketAddr, backlog: u32) -> io::Result<SocketAddr> {
        self.serves(at.ip())?;
        let mut place = at;
        while place.port() == 0 || (at.port() == 0 && self.doors.contains_key(&place)) {
            place.set_port(self.last_port);
            self.last_port = self.last_port.checked_add(1).unwrap_or(FIRST_PORT);
        }
        if self.doors.contains_key(&place) {
            return Err(Errno::ADDRINUSE.into());
        }
        let door = Door {
            requests: VecDeque::new(),
            bell: Bell::new()?,
            backlog: backlog as usize,
        };
        self.doors.insert(place, door);
        Ok(place)
    }

    /// Whether a device has this address.
    fn serves(&self, address: IpAddr) -> io::Result<()> {
        match self.devices.as_slice() {
            [] => Err(Errno::NODEV.into()),
            _ if address.is_unspecified() || self.devices.contains(&address) => Ok(()),
            _ => Err(Errno::ADDRNOTAVAIL.into()),
        }
    }

    pub(super) fn door_bell(&self, at: SocketAddr) -> Option<Bell> {
        self.doors.get(&at).map(|door| door.bell.clone())
    }

    pub(super) fn next_request(&mut self, at: SocketAddr) -> Option<Waiting> {
        let door = self.doors.get_mut(&at)?;
        let waiting = door.requests.pop_front()?;
        door.bell.take();
        Some(waiting)
    }

    pub(super) fn close_door(&mut self, at: SocketAddr) {
        let door = self.doors.remove(&at);
        for waiting in door.into_iter().flat_map(|door| door.requests) {
            self.refuse(waiting.dialler, REJECTED_NO_LISTENER, &[]);
        }
    }

    pub(super) fn refuse_caller(&mut self, dialler: u64, private_data: &[u8]) {
        self.refuse(dialler, REJECTED_BY_CONSUMER, private_data);
    }

    fn refuse(&mut self, dialler: u64, status: i32, private_data: &[u8]) {
        if let Some(pair) = self.pairs.get_mut(&dialler) {
            let private_data = padded(private_data, 148);
            pair.flush();
            pair.tell(Event::Rejected {
                private_data,
                status,
            });
        }
    }

    pub(super) fn add_dialler(
        &mut self,
        to: SocketAddr,
        from: Option<SocketAddr>,
    ) -> io::Result<u64> {
        if let Some(from) = from {
            self.serves(from.ip())?;
        }
        let device = self.devices.first().ok_or(Errno::NODEV)?;
        let local = from.unwrap_or(SocketAddr::new(*device, 0));
        let id = self.insert(Pair::new(local, to, Role::Dialled)?);
        self.add_task(Task::Resolve(id));
        Ok(id)
    }

    pub(super) fn add_accepted(&mut self, at: SocketAddr, dialler: u64) -> io::Result<u64> {
        let remote = self.pairs.get(&dialler).map(|pair| pair.local);
        let remote = remote.unwrap_or(SocketAddr::new(at.ip(), 0));
        let mut pair = Pair::new(at, remote, Role::Accepted)?;
        pair.peer = Some(dialler);
        Ok(self.insert(pair))
    }

    fn insert(&mut self, mut pair: Pair) -> u64 {
        self.last += 1;
        if pair.local.port() == 0 {
            pair.local.set_port(self.last as u16 | 0x8000);
        }
        self.pairs.insert(self.last, pair);
        self.last
    }

    fn resolve(&mut self, id: u64) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        let reachable = self.devices.contains(&pair.remote.ip());
        pair.routed = Some(match reachable {
            true => Ok(()),
            false => Err(Errno::HOSTUNREACH.raw_os_error()),
        });
        pair.events_bell.ring();
    }

    fn connect(&mut self, id: u64) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        pair.phase = Phase::Connecting;
        let waiting = Waiting {
            dialler: id,
            private_data: padded(&pair.private_data, 56),
        };
        let exact = pair.remote;
        let any = match exact {
            SocketAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        let at = [exact, SocketAddr::new(any, exact.port())];
        let at = at.into_iter().find(|at| self.doors.contains_key(at));
        let door = at.and_then(|at| self.doors.get_mut(&at));
        match door.filter(|door| door.requests.len() < door.backlog) {
            Some(door) => {
                door.requests.push_back(waiting);
                door.bell.ring();
            }
            None => self.refuse(id, REJECTED_NO_LISTENER, &[]),
        }
    }

    fn accept(&mut self, id: u64) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        let (dialler, private_data) = (pair.peer, padded(&pair.private_data, 196));
        let other = dialler.and_then(|id| self.pairs.get_mut(&id));
        let Some(other) = other.filter(|other| other.phase == Phase::Connecting) else {
            if let Some(pair) = self.pairs.get_mut(&id) {
                pair.flush();
                pair.tell(Event::Failed {
                    errno: Errno::CONNRESET.raw_os_error(),
                });
            }
            return;
        };
        other.peer = Some(id);
        other.phase = Phase::Established;
        other.tell(Event::Established { private_data });
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.phase = Phase::Established;
            pair.tell(Event::Established {
                private_data: Vec::new(),
            });
        }
    }

    /// Ends a connection: what is posted is flushed, and the peer is told.
    pub(super) fn disconnect(&mut self, id: u64) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        let told = pair.phase == Phase::Established || pair.role == Role::Accepted;
        pair.flush();
        let peer = pair.peer.take().filter(|_| told);
        if let Some(peer) = peer.and_then(|peer| self.pairs.get_mut(&peer)) {
            peer.tell(Event::Disconnected);
        }
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.disconnect(id);
        self.pairs.remove(&id);
    }

    pub(super) fn kill_accepted(&mut self) {
        let accepted = |(id, pair): (&u64, &Pair)| (pair.role == Role::Accepted).then_some(*id);
        let doomed: Vec<_> = self.pairs.iter().filter_map(accepted).collect();
        for id in doomed {
            self.disconnect(id);
        }
    }

    pub(super) fn remove_devices(&mut self) {
        self.devices.clear();
        for pair in self.pairs.values_mut() {
            pair.flush();
            pair.tell(Event::DeviceRemoved);
        }
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
        };
        let signal = match &operation {
            Operation::Send(send, _) => send.signal,
            Operation::Fetch(_) => Signal::Always,
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
        let Remote { address, key } = fetch.from;
        let Some(from) = peer.remote_part(address, key, into.len) else {
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
}

/// Private data, as long as it comes: the rest is zeros.
fn padded(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(len.max(bytes.len()), 0);
    padded
}
