//! Payloads beside the stream: ours, which the peer fetches, and the peer's, which we
//! fetch.
//!
//! ```text
//!  sender                                       receiver
//!  export: register the payload, and it alone
//!         ── region, offset, key, in the stream ──▶  import: a block of our own
//!  (its CPU has no part in this)  ◀── RDMA READ ───  in pieces, some at a time
//!         ◀── its token, in the stream ──────────    read; the frame is dropped
//!  returned: the registration ends
//! ```
//!
//! What was fetched is a copy in our own memory: nobody changes it while it is looked at.
//! The other way round, by writing, is in `writing`.

mod writing;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use ferromq_transport::{Bytes, Place};

use self::writing::Writing;
use crate::Keys;
use crate::arena::{Arena, Block};
use crate::channel::Channel;
use crate::error::{LinkError, errno_of};
use crate::registry::{Afterwards, Extent, GivingWay, Registry};
use crate::verbs::{Access, Fetch, Part, Piece, Registered, Remote};

/// The longest read, and the shortest that a fetch is cut to where no more can be
/// registered.
const PIECE_MAX: usize = 4 << 20;
const PIECE_MIN: usize = 64 << 10;
/// Payloads that a peer is told of at a time. Others go through the stream.
const EXPORTS_MAX: usize = 4096;

pub(crate) struct Lending {
    pub(crate) arena: Arc<Arena>,
    keys: Keys,
    registry: Registry,
    /// By address and length of the payload.
    exports: HashMap<(usize, usize), Export>,
    exported: usize,
    /// Numbers what the peer is told of.
    told: u64,
    fetching: Option<Fetching>,
    /// Numbers reads.
    reads: u64,
    writing: Writing,
}

struct Export {
    place: Place,
    extent: Extent,
    block: usize,
    times: usize,
}

/// A payload that is being fetched.
struct Fetching {
    place: Place,
    block: Block,
    len: usize,
    /// Bytes that were asked for, and those that are there.
    asked: usize,
    there: usize,
    /// The longest piece that can be registered.
    piece: usize,
    pieces: VecDeque<Underway>,
}

struct Underway {
    read: u64,
    len: usize,
    extent: Extent,
}

impl Lending {
    pub(crate) fn new(arena: Arc<Arena>, keys: Keys) -> Self {
        Self {
            arena,
            keys,
            registry: Registry::default(),
            exports: HashMap::new(),
            exported: 0,
            told: 0,
            fetching: None,
            reads: 0,
            writing: Writing::default(),
        }
    }

    /// Bytes that the peer may look at.
    pub(crate) fn exported(&self) -> usize {
        self.exported
    }

    pub(crate) fn export(&mut self, channel: &mut Channel, bytes: &[u8]) -> Option<Place> {
        let key = (bytes.as_ptr().addr(), bytes.len());
        if let Some(export) = self.exports.get_mut(&key) {
            export.times += 1;
            self.exported += bytes.len();
            return Some(export.place);
        }
        if self.exports.len() >= EXPORTS_MAX {
            return None;
        }
        let (block, whole) = self.arena.whole_of(bytes)?;
        let part = match self.keys {
            Keys::OfOnePayload => Part {
                offset: whole.offset + (key.0 - block),
                len: bytes.len(),
                ..whole
            },
            Keys::Kept => whole,
        };
        let extent = Extent::of(&part, Access::RemoteRead);
        let (access, all) = (Access::RemoteRead, GivingWay::AllIdle);
        let registered = self.registry.acquire(channel, &part, access, all);
        let Remote { address, key: rkey } = registered.ok()?.remote;
        self.arena.hold(block);
        self.told += 1;
        let place = Place {
            region: self.told,
            offset: address.wrapping_add((key.0 - extent.address) as u64),
            key: rkey.into(),
        };
        let times = 1;
        let export = Export {
            place,
            extent,
            block,
            times,
        };
        self.exports.insert(key, export);
        self.exported += bytes.len();
        Some(place)
    }

    pub(crate) fn returned(&mut self, channel: &mut Channel, bytes: &[u8]) {
        let key = (bytes.as_ptr().addr(), bytes.len());
        let Some(export) = self.exports.get_mut(&key) else {
            return;
        };
        self.exported -= bytes.len();
        export.times -= 1;
        if export.times > 0 {
            return;
        }
        let afterwards = match self.keys {
            Keys::OfOnePayload => Afterwards::Ended,
            Keys::Kept => Afterwards::Kept,
        };
        if let Some(export) = self.exports.remove(&key) {
            let released = self.registry.release(channel, export.extent, afterwards);
            // Else the peer can read the block still: it is never lent again.
            if released.is_ok() {
                self.arena.let_go(export.block);
            }
        }
    }

    /// The `len` bytes at `place`, if they are there; asks for them else.
    ///
    /// # Errors
    /// `WouldBlock`: not yet. Others end the link.
    pub(crate) fn import(
        &mut self,
        channel: &mut Channel,
        place: Place,
        len: u64,
    ) -> io::Result<Arc<dyn Bytes>> {
        if len == 0 {
            return Ok(Arc::new([0_u8; 0]));
        }
        let other = |fetching: &Fetching| fetching.place != place || fetching.len as u64 != len;
        if self.fetching.as_ref().is_some_and(other) {
            // One at a time, as the contract says: pieces are told apart by their order.
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let fetching = match self.fetching.take() {
            Some(fetching) => fetching,
            None => Fetching::new(&self.arena, place, len)?,
        };
        let fetching = self.fetching.insert(fetching);
        fetching.take_arrived(channel, &mut self.registry);
        fetching.ask_for_more(channel, &mut self.registry, &mut self.reads)?;
        if fetching.there < fetching.len {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let fetched = self.fetching.take().map(|fetching| fetching.block);
        fetched
            .map(|block| Arc::new(block) as Arc<dyn Bytes>)
            .ok_or(io::ErrorKind::WouldBlock.into())
    }
}

impl Drop for Lending {
    fn drop(&mut self) {
        // The queue is gone, and with it whatever was registered.
        for export in self.exports.values() {
            self.arena.let_go(export.block);
        }
    }
}

impl Fetching {
    fn new(arena: &Arena, place: Place, len: u64) -> Result<Self, LinkError> {
        let none = |errno| LinkError::NoLanding { len, errno };
        let key = place.key;
        u32::try_from(key).map_err(|_| LinkError::Key { key })?;
        let bytes = usize::try_from(len).map_err(|_| none(12))?;
        let block = arena
            .landing(bytes)
            .map_err(|error| none(errno_of(&error)))?;
        Ok(Self {
            place,
            block,
            len: bytes,
            asked: 0,
            there: 0,
            piece: PIECE_MAX,
            pieces: VecDeque::new(),
        })
    }

    /// Notes the pieces that have come.
    fn take_arrived(&mut self, channel: &mut Channel, registry: &mut Registry) {
        while let Some((read, outcome)) = channel.take_read() {
            let Some(piece) = self.pieces.pop_front() else {
                continue;
            };
            debug_assert_eq!(piece.read, read, "reads complete in their order");
            let afterwards = match self.block.is_kept() && self.block.capacity() <= KEPT_MAX {
                true => Afterwards::Kept,
                false => Afterwards::Ended,
            };
            // Where it fails, only our own device has it still, and nothing for it to do.
            let _ = registry.release(channel, piece.extent, afterwards);
            // What failed has ended the link.
            self.there += outcome.map_or(0, |()| piece.len);
        }
    }

    /// Posts reads, as many as there may be.
    fn ask_for_more(
        &mut self,
        channel: &mut Channel,
        registry: &mut Registry,
        reads: &mut u64,
    ) -> Result<(), LinkError> {
        while self.asked < self.len && channel.reads_left() > 0 {
            let longest = self.piece.min(channel.limits().message);
            // All of the block, so that the next payload in it finds it registered.
            let end = (self.asked + longest).min(self.block.capacity());
            let Some(part) = self.block.part(self.asked..end) else {
                break;
            };
            let (access, all) = (Access::Local, GivingWay::AllIdle);
            let registered = match registry.acquire(channel, &part, access, all) {
                Ok(registered) => registered,
                // Those that are under way make room.
                Err(_) if !self.pieces.is_empty() => break,
                Err(_) if self.piece > PIECE_MIN => {
                    self.piece /= 2;
                    continue;
                }
                Err(error) => {
                    return Err(LinkError::NoLanding {
                        len: self.len as u64,
                        errno: errno_of(&error),
                    });
                }
            };
            *reads += 1;
            self.post(channel, registered, &part, *reads);
        }
        Ok(())
    }

    fn post(&mut self, channel: &mut Channel, registered: Registered, part: &Part, read: u64) {
        let len = part.len.min(self.len - self.asked);
        let address = self.place.offset.wrapping_add(self.asked as u64);
        let fetch = Fetch {
            work: 0,
            into: Piece {
                region: registered.region,
                offset: 0,
                len,
            },
            from: Remote {
                address,
                key: self.place.key as u32,
            },
        };
        channel.post_read(read, fetch);
        let extent = Extent::of(part, Access::Local);
        self.pieces.push_back(Underway { read, len, extent });
        self.asked += len;
    }
}

/// Blocks up to this length stay registered for the next payload.
const KEPT_MAX: usize = 16 << 20;
