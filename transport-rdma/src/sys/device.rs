//! ibverbs: protection domains, completions, registrations, and what a device can do.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::ptr::null_mut;

use rdma_sys as ffi;
use rdma_sys::ibv_access_flags as flags;

use super::handle::{Handle, set_nonblocking, told_as_number};
use crate::verbs::{Access, Completion, Notify, Part, Status};

/// Keeps what is registered from being copied in a child: the parent would then write to
/// the copy, and the device to what the child has. Kernels from 5.12 on do so themselves.
pub(super) fn prepare_for_fork() {
    // SAFETY: comes before any registration, as it has to. Failure leaves it as it is.
    unsafe { ffi::ibv_fork_init() };
}

/// What belongs together: keys of one domain mean nothing in another.
#[derive(Debug)]
pub(super) struct Domain(Handle<ffi::ibv_pd>);

impl Domain {
    /// `device` is one that an identifier has, which outlives this.
    pub(super) fn new(device: *mut ffi::ibv_context) -> io::Result<Self> {
        // SAFETY: the device is open for as long as the identifier.
        Ok(Self(Handle::new(unsafe { ffi::ibv_alloc_pd(device) })?))
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::ibv_pd {
        self.0.as_ptr()
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        // SAFETY: ours; what is of it ends before it, by the order of `Resources`.
        unsafe { ffi::ibv_dealloc_pd(self.0.as_ptr()) };
    }
}

/// A completion queue with its channel.
#[derive(Debug)]
pub(super) struct Completions {
    queue: Handle<ffi::ibv_cq>,
    channel: Bell,
}

#[derive(Debug)]
struct Bell(Handle<ffi::ibv_comp_channel>);

impl Completions {
    /// Room for `len`. `device` as for [`Domain::new`].
    pub(super) fn new(device: *mut ffi::ibv_context, len: u32) -> io::Result<Self> {
        // SAFETY: the device is open for as long as the identifier.
        let channel = Bell(Handle::new(unsafe {
            ffi::ibv_create_comp_channel(device)
        })?);
        set_nonblocking(channel.fd())?;
        let len = i32::try_from(len).unwrap_or(i32::MAX);
        // SAFETY: as above, and the channel outlives the queue, as the order of fields has
        // it. Nobody asks for a context.
        let queue = unsafe { ffi::ibv_create_cq(device, len, null_mut(), channel.0.as_ptr(), 0) };
        Ok(Self {
            queue: Handle::new(queue)?,
            channel,
        })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.channel.fd()
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::ibv_cq {
        self.queue.as_ptr()
    }

    /// Takes completions, a batch at a time: each is a copy through a struct of the C's.
    pub(super) fn poll(&mut self, into: &mut [Completion]) -> usize {
        let mut taken = 0;
        for batch in into.chunks_mut(BATCH) {
            // SAFETY: it is made of integers, and zero is one.
            let mut found: [ffi::ibv_wc; BATCH] = unsafe { mem::zeroed() };
            let wanted = i32::try_from(batch.len()).unwrap_or(0);
            // SAFETY: the queue is alive, and there is room for BATCH, which is no less.
            let polled =
                unsafe { ffi::ibv_poll_cq(self.queue.as_ptr(), wanted, found.as_mut_ptr()) };
            // A queue that cannot be polled has nothing. Its end is an event.
            let count = usize::try_from(polled).unwrap_or(0);
            for (to, from) in batch.iter_mut().zip(&found[..count]) {
                *to = completion(from);
            }
            taken += count;
            if count < batch.len() {
                break;
            }
        }
        taken
    }

    pub(super) fn arm(&mut self, notify: Notify) -> io::Result<()> {
        let solicited = i32::from(notify == Notify::Solicited);
        // SAFETY: the queue is alive.
        told_as_number(unsafe { ffi::ibv_req_notify_cq(self.queue.as_ptr(), solicited) })
    }

    /// Whether there was anything to take.
    pub(super) fn drain(&mut self) -> bool {
        let mut events = 0;
        while self.channel.take() {
            events += 1;
        }
        if events > 0 {
            // SAFETY: the queue is alive, and as many events were taken: all are of it, as
            // no other queue has this channel.
            unsafe { ffi::ibv_ack_cq_events(self.queue.as_ptr(), events) };
        }
        events > 0
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        // SAFETY: ours; the queue pair that uses it has ended, by the order of `Resources`,
        // and every event that was taken is acknowledged.
        unsafe { ffi::ibv_destroy_cq(self.queue.as_ptr()) };
    }
}

impl Bell {
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.borrow(self.0.as_ref().fd)
    }

    /// Takes an event. One for each time that it was armed is there, at most.
    fn take(&self) -> bool {
        let (mut queue, mut context) = (null_mut(), null_mut());
        loop {
            // SAFETY: the channel is alive; the others are for what it says.
            let returned =
                unsafe { ffi::ibv_get_cq_event(self.0.as_ptr(), &raw mut queue, &raw mut context) };
            if returned == 0 {
                return true;
            }
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return false;
            }
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: ours; its only queue has ended, by the order of fields.
        unsafe { ffi::ibv_destroy_comp_channel(self.0.as_ptr()) };
    }
}

fn completion(told: &ffi::ibv_wc) -> Completion {
    Completion {
        work: told.wr_id,
        outcome: match told.status {
            ffi::ibv_wc_status::IBV_WC_SUCCESS => Ok(told.byte_len),
            status => Err(Status::from_number(status)),
        },
        immediate: immediate(told),
    }
}

/// What came with a write of the peer's, if this is one. (A send may have such a number
/// as well: it is a message like others.)
fn immediate(told: &ffi::ibv_wc) -> Option<u32> {
    let success = told.status == ffi::ibv_wc_status::IBV_WC_SUCCESS;
    if !success || told.opcode != ffi::ibv_wc_opcode::IBV_WC_RECV_RDMA_WITH_IMM {
        return None;
    }
    // SAFETY: both members of this union are integers, of which any bits are one.
    let number = unsafe { told.imm_data_invalidated_rkey_union.imm_data };
    Some(u32::from_be(number))
}

/// Memory that the device knows.
#[derive(Debug)]
pub(super) struct Registration {
    region: Handle<ffi::ibv_mr>,
    /// Stays mapped for as long. `None`: it has ended, if the device did as it was told.
    part: Option<Part>,
}

impl Registration {
    pub(super) fn new(domain: &Domain, part: Part, access: Access) -> io::Result<Self> {
        let access = match access {
            Access::Local => flags::IBV_ACCESS_LOCAL_WRITE,
            Access::RemoteRead => flags::IBV_ACCESS_REMOTE_READ,
            // Where a peer may write, the device has to.
            Access::RemoteWrite => flags::IBV_ACCESS_LOCAL_WRITE | flags::IBV_ACCESS_REMOTE_WRITE,
        };
        let access = i32::try_from(access.0).unwrap_or(0);
        let start = part.pages.at(part.offset, part.len).as_ptr().cast();
        // SAFETY: the domain is alive. The pages are mapped, and stay so until the
        // registration has ended: it has them. Who may look at them when, `memory` says.
        let region = unsafe { ffi::ibv_reg_mr(domain.0.as_ptr(), start, part.len, access) };
        Ok(Self {
            region: Handle::new(region)?,
            part: Some(part),
        })
    }

    pub(super) fn local_key(&self) -> u32 {
        self.region.as_ref().lkey
    }

    pub(super) fn remote_key(&self) -> u32 {
        self.region.as_ref().rkey
    }

    /// Takes the memory back.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.end_once()
    }

    fn end_once(&mut self) -> io::Result<()> {
        // Without a part it has ended, or nobody knows.
        let Some(part) = self.part.take() else {
            return Ok(());
        };
        // SAFETY: ours, and ended once: the part is gone.
        let ended = told_as_number(unsafe { ffi::ibv_dereg_mr(self.region.as_ptr()) });
        if ended.is_err() {
            // The device may have it still: then it has to stay mapped, for ever.
            mem::forget(part);
        }
        ended
    }

    /// The address of a piece of it, as the device has it.
    pub(super) fn address(&self, offset: usize, len: usize) -> Option<u64> {
        let part = self.part.as_ref()?;
        let within = offset.checked_add(len).is_some_and(|end| end <= part.len);
        within.then(|| (part.pages.address() + part.offset + offset) as u64)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Who wants to know calls `end`.
        let _ = self.end_once();
    }
}

/// What a device and a port of it can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Abilities {
    /// The longest message.
    pub(super) message: usize,
    /// Reads of the peer's that are answered at a time, for a queue.
    pub(super) answered: u8,
    /// Reads of one's own at a time, for a queue.
    pub(super) asked: u8,
    /// Pieces of a request.
    pub(super) pieces: u32,
}

impl Abilities {
    /// `device` is one that an identifier has.
    pub(super) fn query(device: *mut ffi::ibv_context, port: u8) -> io::Result<Self> {
        // SAFETY: integers, of which zero is one.
        let mut about: ffi::ibv_device_attr = unsafe { mem::zeroed() };
        // SAFETY: the device is open; `about` is for the answer.
        told_as_number(unsafe { ffi::ibv_query_device(device, &raw mut about) })?;
        // SAFETY: integers, of which zero is one.
        let mut port_of_it: ffi::ibv_port_attr = unsafe { mem::zeroed() };
        // SAFETY: as above. (The plain ibv_query_port writes an older struct.)
        told_as_number(unsafe { ffi::___ibv_query_port(device, port, &raw mut port_of_it) })?;
        let few = |count: i32| u8::try_from(count.clamp(0, 255)).unwrap_or(0);
        Ok(Self {
            message: port_of_it.max_msg_sz.try_into().unwrap_or(usize::MAX),
            answered: few(about.max_qp_rd_atom),
            asked: few(about.max_qp_init_rd_atom),
            pieces: about.max_sge.try_into().unwrap_or(1),
        })
    }
}

const BATCH: usize = 16;
