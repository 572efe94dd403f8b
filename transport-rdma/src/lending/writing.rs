//! Memory that peers write into: ours, which is open to one of them, and theirs.
//!
//! ```text
//!  writer                                       owner
//!                                               open: register the loan, to be written
//!         ◀── region, offset, key, in the stream ──  (nobody can look at it now)
//!  write: in pieces, many at a time ─ RDMA WRITE ──▶
//!         ── that it is done, in the stream ──▶  close: the registration ends, and
//!                                               the loan is whoever's closes it
//! ```
//!
//! What is open is held by the link and by nobody else, so that the peer's device is the
//! only one that touches it.

use std::collections::{HashMap, VecDeque};
use std::io;

use ferromq_transport::{Lender, Loan, Place};

use super::{Lending, PIECE_MAX, PIECE_MIN};
use crate::arena::{Arena, Block};
use crate::channel::Channel;
use crate::error::LinkError;
use crate::registry::{Afterwards, Extent, GivingWay, Registry};
use crate::verbs::{Access, Part, Piece, Region, Registered, Remote, Store};

/// Loans that may be open at a time.
const OPEN_MAX: usize = 4096;

pub(super) struct Writing {
    /// By the number that the peer was told.
    open: HashMap<u64, Opened>,
    /// Writes into the peer's memory that are under way, the first one first.
    underway: VecDeque<Underway>,
    /// The longest piece that can be registered, as far as was found out. It does not grow
    /// again: what is registered in pieces of this length would be so once more.
    piece: usize,
}

struct Opened {
    /// Not as a loan: whoever makes one may have kept a way to its bytes.
    block: Box<Block>,
    place: Place,
    region: Region,
}

/// What a write is made from, and is not to be lent again before it has arrived.
struct Underway {
    block: usize,
    extent: Extent,
}

impl Lending {
    /// Lets the peer write into a loan.
    pub(crate) fn open(&mut self, channel: &mut Channel, loan: Loan) -> Result<Place, Loan> {
        let block = loan.downcast::<Block>()?;
        let Some(registered) = self.register_for_writes(channel, &block) else {
            return Err(Loan::new(*block));
        };
        let Registered { region, remote } = registered;
        self.told += 1;
        let place = Place {
            region: self.told,
            offset: remote.address,
            key: remote.key.into(),
        };
        let opened = Opened {
            block,
            place,
            region,
        };
        self.writing.open.insert(self.told, opened);
        Ok(place)
    }

    /// Opens the payload of a block of our arena's, and nothing behind it.
    fn register_for_writes(&mut self, channel: &mut Channel, block: &Block) -> Option<Registered> {
        let ours = self.arena.lends(block.as_ref());
        if !ours || self.writing.open.len() >= OPEN_MAX {
            return None;
        }
        let part = block.part(0..block.as_ref().len())?;
        let (access, all) = (Access::RemoteWrite, GivingWay::AllIdle);
        self.registry.register(channel, &part, access, all).ok()
    }

    /// Ends that, and gives the loan back.
    pub(crate) fn close(&mut self, channel: &mut Channel, place: Place) -> Option<Loan> {
        let opened = self.writing.open.get(&place.region)?;
        if opened.place != place {
            return None;
        }
        let Opened { block, region, .. } = self.writing.open.remove(&place.region)?;
        match channel.deregister(region) {
            Ok(()) => Some(Loan::new(*block)),
            Err(_) => {
                // The peer may write there still: nobody may ever look at it again.
                std::mem::forget(block);
                None
            }
        }
    }

    /// Starts to write the first of these bytes to `place`: how many.
    ///
    /// # Errors
    /// `WouldBlock`: there are as many writes as may be, or as can be registered beside
    /// each other. `OutOfMemory`: not even one can.
    pub(crate) fn write(
        &mut self,
        channel: &mut Channel,
        place: Place,
        bytes: &[u8],
    ) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let key = place.key;
        let key = u32::try_from(key).map_err(|_| LinkError::Key { key })?;
        let Some((block, whole)) = self.arena.whole_of(bytes) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if channel.writes_left() == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let start = bytes.as_ptr().addr() - block;
        let (registered, part) = self.register_around(channel, &whole, start)?;
        let offset = start - (part.offset - whole.offset);
        let len = bytes.len().min(part.len - offset);
        self.arena.hold(block);
        let extent = Extent::of(&part, Access::Local);
        self.writing.underway.push_back(Underway { block, extent });
        channel.post_write(Store {
            work: 0,
            from: Piece {
                region: registered.region,
                offset,
                len,
            },
            to: Remote {
                address: place.offset,
                key,
            },
            immediate: None,
        });
        Ok(len)
    }

    /// Registers the piece of a block in which its byte `at` lies: always one of the same
    /// few, so that the next write finds it registered.
    ///
    /// # Errors
    /// `WouldBlock` where something is under way, after which there may be room, and only
    /// there; else `OutOfMemory`.
    fn register_around(
        &mut self,
        channel: &mut Channel,
        whole: &Part,
        at: usize,
    ) -> io::Result<(Registered, Part)> {
        let writing = &mut self.writing;
        let (access, giving_way) = match writing.underway.is_empty() {
            true => (Access::Local, GivingWay::AllIdle),
            false => (Access::Local, GivingWay::AsMuch),
        };
        let mut longest = writing.piece.min(channel.limits().message);
        loop {
            let start = at / longest * longest;
            let part = Part {
                offset: whole.offset + start,
                len: longest.min(whole.len - start),
                pages: whole.pages.clone(),
            };
            match self.registry.acquire(channel, &part, access, giving_way) {
                Ok(registered) => {
                    writing.piece = longest;
                    return Ok((registered, part));
                }
                Err(_) if longest > PIECE_MIN && writing.has_one_piece_at_most(longest) => {
                    longest /= 2;
                }
                // Those that are under way make room.
                Err(_) if !writing.underway.is_empty() => {
                    writing.piece = longest;
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                // Whatever the system calls it: its EAGAIN would promise an event.
                Err(error) => return Err(io::Error::new(io::ErrorKind::OutOfMemory, error)),
            }
        }
    }

    /// How many writes are not known to have arrived.
    pub(crate) fn writing(&mut self, channel: &mut Channel) -> usize {
        self.writing
            .take_arrived(channel, &self.arena, &mut self.registry);
        self.writing.underway.len()
    }
}

impl Default for Writing {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            underway: VecDeque::new(),
            piece: PIECE_MAX,
        }
    }
}

impl Writing {
    /// Whether nothing is under way, or only writes of one piece of this length, instead
    /// of which two that are half as long could go together.
    fn has_one_piece_at_most(&self, len: usize) -> bool {
        let first = self.underway.front().map(|first| first.extent);
        let is_it = |write: &Underway| Some(write.extent) == first && write.extent.len == len;
        self.underway.iter().all(is_it)
    }

    fn take_arrived(&mut self, channel: &mut Channel, arena: &Arena, registry: &mut Registry) {
        for _ in 0..channel.take_written() {
            let Some(Underway { block, extent }) = self.underway.pop_front() else {
                return;
            };
            // Only our own device reaches it.
            let _ = registry.release(channel, extent, Afterwards::Kept);
            arena.let_go(block);
        }
    }

    /// The link is gone, and with it whatever was under way.
    pub(super) fn let_go(&mut self, arena: &Arena) {
        for Underway { block, .. } in self.underway.drain(..) {
            arena.let_go(block);
        }
    }
}
