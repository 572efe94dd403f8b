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

use ferromq_transport::{Lender, Loan, Place, Source};

use super::{Lending, PIECE_MAX, PIECE_MIN};
use crate::arena::Block;
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
    underway: VecDeque<Held>,
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

/// What a write is made from: registered, and not lent again, before it has arrived.
type Held = Vec<(Extent, Source)>;

/// A write that is being put together.
#[derive(Default)]
struct Request {
    from: Vec<Piece>,
    /// Bytes of them all.
    len: usize,
    /// Bytes that were registered for it, and those of its first piece.
    pinned: usize,
    held: Held,
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
                if let Some(address) = self.arena.block_of((*block).as_ref()) {
                    self.arena.hold(address);
                }
                None
            }
        }
    }

    /// Starts to write the first bytes of `sources` behind `skip` to `place`: how many.
    ///
    /// # Errors
    /// `WouldBlock`: there are as many writes as may be, or as can be registered beside
    /// each other. `OutOfMemory`: not even one can.
    pub(crate) fn write(
        &mut self,
        channel: &mut Channel,
        place: Place,
        sources: &[Source],
        skip: usize,
    ) -> io::Result<usize> {
        // Before anything is registered: what sources say runs code of the caller's.
        let most = channel.limits().pieces;
        let rest: Vec<_> = behind(sources, skip).take(most).collect();
        if rest.is_empty() {
            return Ok(0);
        }
        let key = place.key;
        let key = u32::try_from(key).map_err(|_| LinkError::Key { key })?;
        if channel.writes_left() == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let Request {
            from, len, held, ..
        } = self.gather(channel, &rest)?;
        self.writing.underway.push_back(held);
        channel.post_write(Store {
            work: 0,
            from,
            to: Remote {
                address: place.offset,
                key,
            },
            immediate: None,
        });
        Ok(len)
    }

    /// As many pieces of `sources` as one request takes, at least one.
    ///
    /// # Errors
    /// Those of [`write`](Self::write) for the first piece. Of another one, the next
    /// request tells.
    fn gather(
        &mut self,
        channel: &mut Channel,
        sources: &[(&Source, &[u8])],
    ) -> io::Result<Request> {
        let mut request = Request::default();
        for &(source, mut bytes) in sources {
            while !bytes.is_empty() {
                match self.add_piece(channel, &mut request, source, bytes) {
                    Ok(Some(added)) => bytes = &bytes[added..],
                    Err(error) if request.from.is_empty() => return Err(error),
                    Ok(None) | Err(_) => return Ok(request),
                }
            }
        }
        Ok(request)
    }

    /// Adds the first of these bytes of a source: how many. `None`: the request is full.
    ///
    /// It is no longer than one piece may be, and registers no more than that anew: where
    /// little can be registered, two short requests go together, and what is small pins no
    /// more than what is long.
    fn add_piece(
        &mut self,
        channel: &mut Channel,
        request: &mut Request,
        source: &Source,
        bytes: &[u8],
    ) -> io::Result<Option<usize>> {
        let is_first = request.from.is_empty();
        let is_full =
            request.len >= self.writing.piece || request.from.len() >= channel.limits().pieces;
        if !is_first && is_full {
            return Ok(None);
        }
        let (block, whole) = self
            .arena
            .whole_of(bytes)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let start = bytes.as_ptr().addr() - block;
        let (registered, part) = match is_first {
            true => self.register_around(channel, &whole, start)?,
            false => {
                let part = part_around(&whole, start, self.writing.piece);
                let (access, giving_way) = (Access::Local, GivingWay::AsMuch);
                if !self.registry.has(&Extent::of(&part, access)) {
                    request.pinned += part.len;
                    if request.pinned > self.writing.piece {
                        return Ok(None);
                    }
                }
                let registered = self.registry.acquire(channel, &part, access, giving_way)?;
                (registered, part)
            }
        };
        if is_first {
            request.pinned = part.len;
        }
        let offset = start - (part.offset - whole.offset);
        let room = self.writing.piece - request.len;
        let len = bytes.len().min(part.len - offset).min(room);
        request.from.push(Piece {
            region: registered.region,
            offset,
            len,
        });
        request.len += len;
        let extent = Extent::of(&part, Access::Local);
        request.held.push((extent, source.clone()));
        Ok(Some(len))
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
            let part = part_around(whole, at, longest);
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
        self.writing.take_arrived(channel, &mut self.registry);
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
        let mut extents = self.underway.iter().flatten().map(|(extent, _)| extent);
        let first = extents.clone().next();
        extents.all(|extent| Some(extent) == first && extent.len == len)
    }

    fn take_arrived(&mut self, channel: &mut Channel, registry: &mut Registry) {
        for _ in 0..channel.take_written() {
            for (extent, _) in self.underway.pop_front().unwrap_or_default() {
                // Only our own device reaches it.
                let _ = registry.release(channel, extent, Afterwards::Kept);
            }
        }
    }
}

/// What lies behind the first `skip` bytes of sources.
fn behind(sources: &[Source], mut skip: usize) -> impl Iterator<Item = (&Source, &[u8])> {
    sources.iter().filter_map(move |source| {
        let bytes = source.as_ref();
        let here = skip.min(bytes.len());
        skip -= here;
        Some((source, &bytes[here..])).filter(|(_, rest)| !rest.is_empty())
    })
}

/// The piece of a block in which its byte `at` lies, of those that begin at a multiple of
/// `len`.
fn part_around(whole: &Part, at: usize, len: usize) -> Part {
    let start = at / len * len;
    Part {
        offset: whole.offset + start,
        len: len.min(whole.len - start),
        pages: whole.pages.clone(),
    }
}
