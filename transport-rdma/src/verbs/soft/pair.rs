//! One end of a connection, as its device has it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;

use super::Bell;
use crate::verbs::{
    Access, Completion, Event, Fetch, Incoming, Limits, Notify, Outgoing, Part, Piece, Region,
    Remote, Signal, Sizes, Status, Store,
};

/// What devices of this kind can do.
const INLINE_MAX: u32 = 512;
const MESSAGE_MAX: usize = 8 << 20;
const READS_MAX: u8 = 16;
const PIECES_MAX: u32 = 32;

pub(super) struct Pair {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) sizes: Sizes,
    pub(super) phase: Phase,
    /// The other end.
    pub(super) peer: Option<u64>,
    pub(super) role: Role,
    /// What was found when a way was looked for.
    pub(super) routed: Option<Result<(), i32>>,
    /// Its own word for the peer.
    pub(super) private_data: Vec<u8>,
    events: VecDeque<Event>,
    pub(super) events_bell: Bell,
    pub(super) operations: VecDeque<Operation>,
    pub(super) receives: VecDeque<Incoming>,
    done: VecDeque<Done>,
    armed: Option<Notify>,
    pub(super) channel: Bell,
    pub(super) regions: HashMap<Region, Registration>,
    /// Sends, reads and writes that are not known to be complete.
    outstanding: u32,
    /// Those of them that are complete, and told of with the next one.
    untold: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Connecting,
    Established,
    /// It failed, or ended: all is flushed.
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Dialled,
    Accepted,
}

pub(super) enum Operation {
    /// A send, with its bytes if they were taken when it was posted.
    Send(Outgoing, Option<Vec<u8>>),
    Fetch(Fetch),
    Store(Store),
}

impl Operation {
    pub(super) fn work(&self) -> u64 {
        match self {
            Self::Send(send, _) => send.work,
            Self::Fetch(fetch) => fetch.work,
            Self::Store(store) => store.work,
        }
    }
}

pub(super) struct Registration {
    pub(super) part: Part,
    pub(super) access: Access,
    pub(super) key: u32,
}

struct Done {
    completion: Completion,
    /// Sends, reads and writes that are known to be complete by it.
    tells_of: u32,
}

impl Pair {
    pub(super) fn new(local: SocketAddr, remote: SocketAddr, role: Role) -> io::Result<Self> {
        Ok(Self {
            local,
            remote,
            sizes: Sizes {
                sends: 0,
                receives: 0,
                reads: 0,
                inline: 0,
                pieces: 0,
            },
            phase: Phase::Idle,
            peer: None,
            role,
            routed: None,
            private_data: Vec::new(),
            events: VecDeque::new(),
            events_bell: Bell::new()?,
            operations: VecDeque::new(),
            receives: VecDeque::new(),
            done: VecDeque::new(),
            armed: None,
            channel: Bell::new()?,
            regions: HashMap::new(),
            outstanding: 0,
            untold: 0,
        })
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            inline: self.sizes.inline.min(INLINE_MAX) as usize,
            message: MESSAGE_MAX,
            reads: self.sizes.reads.clamp(1, READS_MAX).into(),
            pieces: self.sizes.pieces.clamp(1, PIECES_MAX) as usize,
        }
    }

    /// Counts what is posted.
    pub(super) fn reserve(&mut self, sends: usize) -> io::Result<()> {
        let sum = self.outstanding as usize + sends;
        if sum > self.sizes.sends as usize {
            return Err(no_memory());
        }
        self.outstanding = sum as u32;
        Ok(())
    }

    /// Where a piece lies, if it is registered for that.
    pub(super) fn local_part(&self, piece: Piece, access: Option<Access>) -> Option<Part> {
        let registration = self.regions.get(&piece.region)?;
        let permitted = access.is_none_or(|access| access == registration.access);
        within(&registration.part, piece.offset, piece.len).filter(|_| permitted)
    }

    /// Where the bytes lie that a peer's device asks for, if they are registered for that.
    pub(super) fn remote_part(&self, at: Remote, len: usize, access: Access) -> Option<Part> {
        let mut all = self.regions.values();
        let registration = all.find(|registration| registration.key == at.key)?;
        if registration.access != access {
            return None;
        }
        let offset = usize::try_from(at.address).ok()?;
        within(&registration.part, offset, len)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
        self.events_bell.ring();
    }

    pub(super) fn take_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.events_bell.take();
        Some(event)
    }

    /// A send, a read or a write is done.
    pub(super) fn sent(&mut self, work: u64, signal: Signal) {
        self.untold += 1;
        if signal == Signal::Always {
            let tells_of = std::mem::take(&mut self.untold);
            self.complete(work, Ok(0), tells_of, false);
        }
    }

    /// A message came.
    pub(super) fn received(&mut self, work: u64, len: u32, solicited: bool) {
        self.complete(work, Ok(len), 0, solicited);
    }

    /// A write came that says so.
    pub(super) fn written(&mut self, work: u64, len: u32, immediate: u32) {
        self.complete(work, Ok(len), 0, true);
        if let Some(done) = self.done.back_mut() {
            done.completion.immediate = Some(immediate);
        }
    }

    /// Something fails, and everything behind it.
    pub(super) fn fail(&mut self, work: u64, status: Status, of: Side) {
        let tells_of = match of {
            Side::Requester => std::mem::take(&mut self.untold) + 1,
            Side::Responder => 0,
        };
        self.complete(work, Err(status), tells_of, true);
        self.flush();
    }

    /// Ends whatever is posted.
    pub(super) fn flush(&mut self) {
        self.phase = Phase::Broken;
        while let Some(operation) = self.operations.pop_front() {
            let tells_of = std::mem::take(&mut self.untold) + 1;
            self.complete(operation.work(), Err(Status::Flushed), tells_of, true);
        }
        while let Some(receive) = self.receives.pop_front() {
            self.complete(receive.work, Err(Status::Flushed), 0, true);
        }
    }

    fn complete(
        &mut self,
        work: u64,
        outcome: Result<u32, Status>,
        tells_of: u32,
        solicited: bool,
    ) {
        self.done.push_back(Done {
            completion: Completion {
                work,
                outcome,
                immediate: None,
            },
            tells_of,
        });
        let wakes = match self.armed {
            Some(Notify::Any) => true,
            Some(Notify::Solicited) => solicited,
            None => false,
        };
        if wakes {
            self.armed = None;
            self.channel.ring();
        }
    }

    pub(super) fn poll(&mut self) -> Option<Completion> {
        let done = self.done.pop_front()?;
        self.outstanding -= done.tells_of;
        Some(done.completion)
    }

    pub(super) fn arm(&mut self, notify: Notify) {
        self.armed = self.armed.max(Some(notify));
    }
}

/// Whose operation it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Requester,
    Responder,
}

/// `len` bytes from `offset` on of a part.
fn within(part: &Part, offset: usize, len: usize) -> Option<Part> {
    let end = offset.checked_add(len)?;
    (end <= part.len).then(|| Part {
        pages: part.pages.clone(),
        offset: part.offset + offset,
        len,
    })
}

pub(super) fn no_memory() -> io::Error {
    rustix::io::Errno::NOMEM.into()
}
