//! A queue pair and what belongs to it.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::ptr::null_mut;

use rdma_sys as ffi;
use rdma_sys::{ibv_send_flags as flags, ibv_wr_opcode as opcode};
use rustix::io::Errno;

use super::cm::{Identifier, Kind, Reads};
use super::device::{Abilities, Completions, Domain, Registration};
use super::handle::{told_as_number, told_in_errno};
use crate::verbs::{
    Access, Completion, Event, Fetch, Incoming, Limits, Notify, Outgoing, Part, Piece, Queue,
    Region, Registered, Remote, Signal, Sizes, Store,
};

/// Which side of the connection this is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Connects,
    /// Whoever asked said that it can do this much.
    Accepts(Reads),
}

/// A connection of the system's.
pub(super) struct SystemQueue {
    resources: Resources,
    role: Role,
    reads: Reads,
    limits: Limits,
    last_region: u32,
    sends: Vec<ffi::ibv_send_wr>,
    receives: Vec<ffi::ibv_recv_wr>,
    pieces: Vec<ffi::ibv_sge>,
}

// SAFETY: the lists have pointers in them, which are set and used within one call each;
// between calls they are empty.
unsafe impl Send for SystemQueue {}

/// What the libraries have of it. It ends in the order of fields, after the queue pair.
struct Resources {
    regions: BTreeMap<u32, Registration>,
    completions: Completions,
    domain: Domain,
    identifier: Identifier,
}

impl Drop for Resources {
    fn drop(&mut self) {
        if !self.identifier.pair().is_null() {
            // SAFETY: made by `SystemQueue::new`, and ended here once. From here on the
            // device touches nothing that was posted.
            unsafe { ffi::rdma_destroy_qp(self.identifier.as_ptr()) };
        }
    }
}

impl SystemQueue {
    /// Makes the queue pair of an identifier that has a device.
    pub(super) fn new(identifier: Identifier, role: Role, sizes: Sizes) -> io::Result<Self> {
        let (device, port) = identifier.device();
        if device.is_null() {
            return Err(Errno::NODEV.into());
        }
        let abilities = Abilities::query(device, port)?;
        let own = Reads {
            answered: sizes.reads.min(abilities.answered),
            asked: sizes.reads.min(abilities.asked),
        };
        let reads = match role {
            Role::Connects => own,
            Role::Accepts(peer) => own.and(peer),
        };
        let mut resources = Resources {
            regions: BTreeMap::new(),
            completions: Completions::new(device, sizes.sends.saturating_add(sizes.receives))?,
            domain: Domain::new(device)?,
            identifier,
        };
        let pieces = sizes.pieces.min(abilities.pieces);
        let (inline, pieces) = resources.make_pair(sizes, pieces)?;
        resources
            .identifier
            .set_acknowledge_timeout(ACKNOWLEDGE_TIMEOUT);
        Ok(Self {
            resources,
            role,
            reads,
            limits: Limits {
                inline,
                message: abilities.message,
                reads: usize::from(reads.asked).max(1),
                pieces,
            },
            last_region: 0,
            sends: Vec::new(),
            receives: Vec::new(),
            pieces: Vec::new(),
        })
    }

    fn push_piece(&mut self, piece: Piece) -> io::Result<()> {
        let Piece {
            region: Region(region),
            offset,
            len,
        } = piece;
        let invalid = || io::Error::from(Errno::INVAL);
        let region = self.resources.regions.get(&region).ok_or_else(invalid)?;
        self.pieces.push(ffi::ibv_sge {
            addr: region.address(offset, len).ok_or_else(invalid)?,
            length: len.try_into().map_err(|_| invalid())?,
            lkey: region.local_key(),
        });
        Ok(())
    }

    fn push_send(&mut self, send: &Outgoing) -> io::Result<()> {
        let mut how = 0;
        if send.from.len <= self.limits.inline {
            how |= flags::IBV_SEND_INLINE.0;
        }
        if send.signal == Signal::Always {
            how |= flags::IBV_SEND_SIGNALED.0;
        }
        if send.solicited {
            how |= flags::IBV_SEND_SOLICITED.0;
        }
        self.push_piece(send.from)?;
        self.sends
            .push(request(send.work, opcode::IBV_WR_SEND, how));
        Ok(())
    }

    fn push_read(&mut self, fetch: &Fetch) -> io::Result<()> {
        let how = flags::IBV_SEND_SIGNALED.0;
        let mut read = request(fetch.work, opcode::IBV_WR_RDMA_READ, how);
        read.wr.rdma = ffi::rdma_t {
            remote_addr: fetch.from.address,
            rkey: fetch.from.key,
        };
        self.push_piece(fetch.into)?;
        self.sends.push(read);
        Ok(())
    }

    fn push_write(&mut self, store: &Store) -> io::Result<()> {
        let how = flags::IBV_SEND_SIGNALED.0;
        let mut write = match store.immediate {
            None => request(store.work, opcode::IBV_WR_RDMA_WRITE, how),
            Some(immediate) => {
                let how = how | flags::IBV_SEND_SOLICITED.0;
                let mut write = request(store.work, opcode::IBV_WR_RDMA_WRITE_WITH_IMM, how);
                write.imm_data_invalidated_rkey_union.imm_data = immediate.to_be();
                write
            }
        };
        write.wr.rdma = ffi::rdma_t {
            remote_addr: store.to.address,
            rkey: store.to.key,
        };
        if store.from.len() > self.limits.pieces {
            return Err(Errno::INVAL.into());
        }
        write.num_sge = store.from.len() as i32;
        for piece in &store.from {
            self.push_piece(*piece)?;
        }
        self.sends.push(write);
        Ok(())
    }

    fn push_receive(&mut self, receive: &Incoming) -> io::Result<()> {
        self.push_piece(receive.into)?;
        self.receives.push(ffi::ibv_recv_wr {
            wr_id: receive.work,
            next: null_mut(),
            sg_list: null_mut(),
            num_sge: 1,
        });
        Ok(())
    }

    /// Posts what was pushed, each with its pieces, as one list.
    fn post_pushed_sends(&mut self) -> io::Result<()> {
        let (mut first, mut pieces) = (null_mut(), &mut self.pieces[..]);
        for send in self.sends.iter_mut().rev() {
            let before = pieces.len() - send.num_sge as usize;
            let (others, own) = pieces.split_at_mut(before);
            pieces = others;
            send.sg_list = own.as_mut_ptr();
            send.next = first;
            first = send;
        }
        if first.is_null() {
            return Ok(());
        }
        let (pair, mut bad) = (self.resources.identifier.pair(), null_mut());
        // SAFETY: the pair is alive. The requests are linked, in vectors that stay as they
        // are, and are copied. What they point to is registered, and by the contract of
        // `Queue` left to the device until it is done.
        told_as_number(unsafe { ffi::ibv_post_send(pair, first, &raw mut bad) })
    }

    /// The same for receives, each of one piece.
    fn post_pushed_receives(&mut self) -> io::Result<()> {
        let mut first = null_mut();
        for (receive, piece) in self.receives.iter_mut().zip(&mut self.pieces).rev() {
            receive.sg_list = piece;
            receive.next = first;
            first = receive;
        }
        if first.is_null() {
            return Ok(());
        }
        let (pair, mut bad) = (self.resources.identifier.pair(), null_mut());
        // SAFETY: as in `post_pushed_sends`.
        told_as_number(unsafe { ffi::ibv_post_recv(pair, first, &raw mut bad) })
    }

    fn clear(&mut self) {
        self.sends.clear();
        self.receives.clear();
        self.pieces.clear();
    }
}

/// A request to send, read or write, of one piece, which it is still to be given.
fn request(work: u64, opcode: opcode::Type, how: u32) -> ffi::ibv_send_wr {
    // SAFETY: integers and pointers, of which zero is one.
    let mut request: ffi::ibv_send_wr = unsafe { mem::zeroed() };
    request.wr_id = work;
    request.num_sge = 1;
    request.opcode = opcode;
    request.send_flags = how;
    request
}

impl Resources {
    /// Makes the queue pair, and says how many bytes go inline: as many as were asked for,
    /// or half of that, or half of that; and how many pieces a request has: `pieces`, or one,
    /// where it cannot have both.
    fn make_pair(&mut self, sizes: Sizes, pieces: u32) -> io::Result<(usize, usize)> {
        let (mut inline, mut pieces) = (sizes.inline, pieces.max(1));
        loop {
            // SAFETY: integers and pointers, of which zero is one.
            let mut wanted: ffi::ibv_qp_init_attr = unsafe { mem::zeroed() };
            wanted.send_cq = self.completions.as_ptr();
            wanted.recv_cq = self.completions.as_ptr();
            wanted.qp_type = ffi::ibv_qp_type::IBV_QPT_RC;
            wanted.cap = ffi::ibv_qp_cap {
                max_send_wr: sizes.sends,
                max_recv_wr: sizes.receives,
                max_send_sge: pieces,
                max_recv_sge: 1,
                max_inline_data: inline,
            };
            let (id, domain) = (self.identifier.as_ptr(), self.domain.as_ptr());
            // SAFETY: all are alive, and live longer than the pair, which `drop` ends first.
            let made = unsafe { ffi::rdma_create_qp(id, domain, &raw mut wanted) };
            match told_in_errno(made) {
                Ok(()) => {
                    let inline = wanted.cap.max_inline_data.min(inline);
                    return Ok((inline as usize, pieces as usize));
                }
                // What is sent inline is worth more.
                Err(_) if pieces > 1 => pieces = 1,
                Err(_) if inline > 0 => inline /= 2,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Queue for SystemQueue {
    fn completion_fd(&self) -> BorrowedFd<'_> {
        self.resources.completions.fd()
    }

    fn connection_fd(&self) -> BorrowedFd<'_> {
        self.resources.identifier.channel().fd()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let identifier = &self.resources.identifier;
        let unknown = |_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let local = identifier.local().unwrap_or_else(unknown);
        (local, identifier.peer().unwrap_or_else(unknown))
    }

    fn establish(&mut self, private_data: &[u8]) -> io::Result<()> {
        let identifier = &mut self.resources.identifier;
        match self.role {
            Role::Connects => identifier.connect(private_data, self.reads),
            Role::Accepts(_) => identifier.accept(private_data, self.reads),
        }
    }

    fn poll_event(&mut self) -> Option<Event> {
        loop {
            let mut happened = self.resources.identifier.channel().next().ok()?;
            let private_data = mem::take(&mut happened.private_data);
            return Some(match happened.kind {
                Kind::Established => Event::Established { private_data },
                Kind::Rejected => Event::Rejected {
                    private_data,
                    status: happened.status,
                },
                Kind::Disconnected => {
                    // Ours ends too, and what is posted is flushed.
                    self.disconnect();
                    Event::Disconnected
                }
                Kind::DeviceRemoval => Event::DeviceRemoved,
                Kind::AddressFailed
                | Kind::RouteFailed
                | Kind::ConnectFailed
                | Kind::Unreachable => Event::Failed {
                    errno: happened.errno(),
                },
                Kind::AddressResolved | Kind::RouteResolved | Kind::Request | Kind::Other => {
                    continue;
                }
            });
        }
    }

    fn disconnect(&mut self) {
        // One that is not connected, or no more, has nothing to end.
        let _ = self.resources.identifier.disconnect();
    }

    fn register(&mut self, memory: Part, access: Access) -> io::Result<Registered> {
        let registration = Registration::new(&self.resources.domain, memory, access)?;
        let remote = Remote {
            address: registration.address(0, 0).unwrap_or_default(),
            key: registration.remote_key(),
        };
        // So that one that was taken back is not another one's soon.
        let regions = &mut self.resources.regions;
        self.last_region = (1..=u32::MAX)
            .map(|ahead| self.last_region.wrapping_add(ahead))
            .find(|number| !regions.contains_key(number))
            .ok_or(Errno::NOMEM)?;
        regions.insert(self.last_region, registration);
        Ok(Registered {
            region: Region(self.last_region),
            remote,
        })
    }

    fn deregister(&mut self, region: Region) -> io::Result<()> {
        let registration = self.resources.regions.remove(&region.0);
        registration.ok_or(Errno::INVAL)?.end()
    }

    fn post_sends(&mut self, sends: &[Outgoing]) -> io::Result<()> {
        let pushed = sends.iter().try_for_each(|send| self.push_send(send));
        let posted = pushed.and_then(|()| self.post_pushed_sends());
        self.clear();
        posted
    }

    fn post_receives(&mut self, receives: &[Incoming]) -> io::Result<()> {
        let mut pushing = receives.iter();
        let pushed = pushing.try_for_each(|receive| self.push_receive(receive));
        let posted = pushed.and_then(|()| self.post_pushed_receives());
        self.clear();
        posted
    }

    fn post_read(&mut self, fetch: Fetch) -> io::Result<()> {
        let pushed = self.push_read(&fetch);
        let posted = pushed.and_then(|()| self.post_pushed_sends());
        self.clear();
        posted
    }

    fn post_write(&mut self, store: Store) -> io::Result<()> {
        let pushed = self.push_write(&store);
        let posted = pushed.and_then(|()| self.post_pushed_sends());
        self.clear();
        posted
    }

    fn poll(&mut self, into: &mut [Completion]) -> usize {
        self.resources.completions.poll(into)
    }

    fn arm(&mut self, notify: Notify) -> io::Result<()> {
        self.resources.completions.arm(notify)
    }

    fn drain(&mut self) -> bool {
        self.resources.completions.drain()
    }
}

/// 4.096 us times two to this power, 268 ms, until a device sends again what was not
/// acknowledged: a peer that is gone is known after seven of these, in 2 s, and a switch
/// that pauses for a moment is not the end.
const ACKNOWLEDGE_TIMEOUT: u8 = 16;
