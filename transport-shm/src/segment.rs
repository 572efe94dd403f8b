//! A side's memory for its ring: made by its owner, checked by its peer.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;

use rustix::mm::ProtFlags;
use zerocopy::FromBytes;

use crate::hello::{HELLO, Hello, Refused};
use crate::kill_point::{KillPoint, passing};
use crate::mapping::{Mapping, RING};
use crate::memory::{self, NoMemory};
use crate::ring::{Foreign, Own, Side, Words};

/// Memory of ours, which the peer can only read.
#[derive(Debug)]
pub(crate) struct Segment(Mapping);

impl Segment {
    /// Fresh memory with a ring of `ring_len` bytes, what the peer is to be told of
    /// it, and its descriptor. `answers` is the epoch of the peer's, or 0.
    pub(crate) fn new(ring_len: usize, answers: u64) -> Result<(Self, Hello, OwnedFd), NoMemory> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let map = |file: &OwnedFd| Mapping::new(file, ring_len, access);
        let (file, mut mapping) = memory::make(RING + ring_len, map)?;
        let hello = Hello::new(ring_len, epoch(), answers);
        mapping.set_preamble::<HELLO>(zerocopy::transmute!(hello));
        mapping.init_words();
        passing(KillPoint::MemoryPrepared);
        Ok((Self(mapping), hello, file))
    }
}

impl Side for Segment {
    fn words(&self) -> &Words {
        self.0.words()
    }

    fn ring_len(&self) -> usize {
        self.0.ring_len()
    }
}

impl Own for Segment {
    fn copy_in(&self, at: usize, from: &[u8]) {
        self.0.copy_in(at, from);
    }
}

/// Memory of the peer's.
#[derive(Debug)]
pub(crate) struct View(Mapping);

impl View {
    /// Maps what came with `hello`, if no access to it can ever fault.
    pub(crate) fn new(hello: &Hello, file: &OwnedFd) -> io::Result<Self> {
        let bytes = RING as u64 + hello.ring_len;
        memory::check(file, bytes)?;
        let ring_len = usize::try_from(hello.ring_len).map_err(|_| Refused::NotMemory)?;
        let mapping = Mapping::new(file, ring_len, ProtFlags::READ)
            .map_err(|error| NoMemory::unmapped(bytes, &error))?;
        // The descriptor is the one that was spoken of, not that of an earlier
        // connection.
        match Hello::read_from_bytes(&mapping.preamble::<HELLO>()) {
            Ok(same) if same == *hello => Ok(Self(mapping)),
            _ => Err(Refused::Epoch.into()),
        }
    }
}

impl Side for View {
    fn words(&self) -> &Words {
        self.0.words()
    }

    fn ring_len(&self) -> usize {
        self.0.ring_len()
    }
}

impl Foreign for View {
    fn copy_out(&self, at: usize, into: &mut [u8]) {
        self.0.copy_out(at, into);
    }
}

/// A number that is never 0 and nobody guesses twice.
fn epoch() -> u64 {
    RandomState::new().hash_one(0) | 1
}
