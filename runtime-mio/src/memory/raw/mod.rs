//! All unsafe code of payload memory, and nothing else.
//!
//! Three types, each sound whatever safe code does with it:
//!
//! - [`Region`]: an anonymous mapping that is owned, readable and writable.
//! - [`Shared`]: a counted, immutable byte slice of 24 bytes; what a frame is.
//! - [`Ticketed`]: a region being filled by its one owner, which hands out
//!   [`Shared`] slices of the part that it will not touch again.
//!
//! Everything counted starts with the same header, so that reading, cloning and
//! dropping a slice does not ask what it is a slice of:
//!
//! ```text
//!  Shared                     Header            what `free` knows behind it
//!  ┌──────┬─────┬────────┐    ┌──────┬──────┬────────┬─────────────────┐
//!  │ data │ len │ header ├───▶│ refs │ free │ origin │ region, size, … │
//!  └──┬───┴─────┴────────┘    └──────┴──────┴────────┴─────────────────┘
//!     └────────▶ bytes, behind the header or anywhere else
//! ```

mod header;
mod heap;
mod region;
mod shared;
mod ticketed;

pub(crate) use heap::ALIGNED_FROM;
pub(crate) use region::{OutOfMemory, Region};
pub(crate) use shared::Shared;
pub(crate) use ticketed::Ticketed;

use std::sync::Arc;

/// Where a region goes when nothing refers to it any more.
pub(crate) trait Home: Send + Sync + 'static {
    /// Takes a region back, to keep it warm or to free it. Runs on whatever
    /// thread dropped the last reference.
    fn take_back(&self, region: Region);
}

/// Makes a frame's handle of the first `len` bytes behind a region's head room.
///
/// # Panics
///
/// If the region is shorter than that.
pub(crate) fn freeze<H: Home>(
    region: Region,
    len: usize,
    home: Arc<H>,
    origin: Option<Arc<crate::message::PeerInfo>>,
) -> Shared {
    let mut block = Ticketed::new(region, home, origin);
    block.split(0..len)
}

/// Bytes at the start of each region that its header takes; a multiple of 64, so
/// that payload behind it is aligned.
pub(crate) const HEAD_ROOM: usize = header::HEAD_ROOM;
