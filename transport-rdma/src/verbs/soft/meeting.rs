//! How pairs of the fabric's find each other, and part.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;

use super::Bell;
use super::pair::{Pair, Phase, Role};
use super::state::{Door, FIRST_PORT, State, Task, Waiting};
use crate::verbs::Event;

/// How connections are refused (of the communication manager's reasons).
const REJECTED_NO_LISTENER: i32 = 8;
const REJECTED_BY_CONSUMER: i32 = 28;

impl State {
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

    pub(super) fn resolve(&mut self, id: u64) {
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

    pub(super) fn connect(&mut self, id: u64) {
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
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
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

    pub(super) fn accept(&mut self, id: u64) {
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
}

/// Private data, as long as it comes: the rest is zeros.
fn padded(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(len.max(bytes.len()), 0);
    padded
}
