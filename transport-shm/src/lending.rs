//! Payloads that are read where they are: our regions, which the peer is told of, and
//! the peer's, which we map.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use ferromq_transport::{Bytes, Lender, Memory, Place};
use thiserror::Error;

use crate::arena::{Arena, Located};
use crate::bell::{Bell, News};
use crate::kill_point::{KillPoint, passing};
use crate::link::ShmLink;
use crate::mapping::Foreign;
use crate::memory::{self, NoMemory};

/// Regions of a peer's that we map at a time.
const REGIONS_MAX: usize = 1024;

/// What one connection knows of memory that either side lends from.
pub(crate) struct Lending {
    arena: Arc<Arena>,
    /// Regions of ours that the peer was told of.
    told: BTreeSet<u64>,
    /// How many of our regions had ended when `told` was looked through.
    ended: u64,
    /// The peer's regions, by the numbers that it gave them.
    theirs: BTreeMap<u64, Foreign>,
}

/// What a peer cannot have meant. The connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum Unreachable {
    #[error("the peer refers to region {number}, which it never lent")]
    Region { number: u64 },
    #[error("{len} bytes from {offset} on are not within region {number} of the peer's")]
    Range { number: u64, offset: u64, len: u64 },
    #[error("the peer lends region {number} twice")]
    Twice { number: u64 },
    #[error("the peer lends more than {REGIONS_MAX} regions at a time")]
    TooMany,
}

impl From<Unreachable> for io::Error {
    fn from(unreachable: Unreachable) -> Self {
        Self::new(io::ErrorKind::InvalidData, unreachable)
    }
}

impl Lending {
    pub(crate) fn new(arena: Arc<Arena>) -> Self {
        Self {
            ended: arena.ended(),
            arena,
            told: BTreeSet::new(),
            theirs: BTreeMap::new(),
        }
    }

    fn export(&mut self, bell: &Bell, bytes: &[u8]) -> Option<Place> {
        let Located {
            region,
            offset,
            len,
            file,
        } = self.arena.locate(bytes)?;
        if !self.told.contains(&region) {
            self.tell_of_ended(bell);
            bell.lend(region, len, &file).ok()?;
            passing(KillPoint::RegionLent);
            self.told.insert(region);
        }
        Some(Place {
            region,
            offset,
            key: 0,
        })
    }

    /// Lets the peer unmap what is not lent from any more.
    fn tell_of_ended(&mut self, bell: &Bell) {
        let ended = self.arena.ended();
        if ended == self.ended {
            return;
        }
        self.ended = ended;
        for number in self.arena.without_region(self.told.iter().copied()) {
            // Who cannot be told now keeps it mapped until the connection ends.
            let _ = bell.end(number);
            passing(KillPoint::RegionEnded);
            self.told.remove(&number);
        }
    }

    fn import(&mut self, bell: &mut Bell, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>> {
        let Place {
            region: number,
            offset,
            ..
        } = place;
        if !self.theirs.contains_key(&number) {
            bell.take_all();
        }
        self.learn_all(bell)?;
        let Some(region) = self.theirs.get(&number) else {
            // What it lends may be what could not be heard.
            bell.broken().map_or(Ok(()), Err)?;
            return Err(Unreachable::Region { number }.into());
        };
        let part = region.part(offset, len);
        let part = part.ok_or(Unreachable::Range {
            number,
            offset,
            len,
        })?;
        passing(KillPoint::PayloadReached);
        Ok(Arc::new(part))
    }

    /// Takes note of what was said of the peer's regions: until then each keeps a
    /// descriptor.
    pub(crate) fn learn_all(&mut self, bell: &mut Bell) -> io::Result<()> {
        while let Some(news) = bell.news.front() {
            // What is wrong with it is still there for whoever looks next.
            self.learn(news)?;
            bell.news.pop_front();
        }
        Ok(())
    }

    fn learn(&mut self, news: &News) -> io::Result<()> {
        match *news {
            News::Ended { number } => {
                // What is looked at stays mapped.
                self.theirs.remove(&number);
                passing(KillPoint::RegionUnmapped);
            }
            News::Lends { number, .. } if self.theirs.contains_key(&number) => {
                return Err(Unreachable::Twice { number }.into());
            }
            News::Lends { .. } if self.theirs.len() >= REGIONS_MAX => {
                return Err(Unreachable::TooMany.into());
            }
            News::Lends {
                number,
                len,
                ref file,
            } => {
                memory::check(file, len)?;
                let bytes = usize::try_from(len).map_err(|_| Unreachable::TooMany)?;
                let mapped = Foreign::map(file, bytes);
                let mapped = mapped.map_err(|error| NoMemory::unmapped(len, &error))?;
                self.theirs.insert(number, mapped);
                passing(KillPoint::RegionMapped);
            }
        }
        Ok(())
    }
}

impl Memory for ShmLink {
    fn lender(&self) -> Arc<dyn Lender> {
        self.lending.arena.clone()
    }

    fn export(&mut self, bytes: &[u8]) -> Option<Place> {
        self.lending.export(&self.bell, bytes)
    }

    fn import(&mut self, place: Place, len: u64) -> io::Result<Arc<dyn Bytes>> {
        self.lending.import(&mut self.bell, place, len)
    }
}
