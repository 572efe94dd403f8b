//! Payload memory: where bytes live between the link and the user.
//!
//! ```text
//!  short frames                          long bodies
//!  ┌──────────── ReceiveBlock ────────┐  ┌───────── PayloadBuffer ─────────┐
//!  │ slices of users │ undecoded│space│  │ filled            │ to be read  │
//!  └────────▲────────────────▲────────┘  └───────────────────▲─────────────┘
//!    Frame ─┘           wire decodes              the link reads straight in
//!           128 KiB, from BlockPool          warm, from BufferPool
//! ```
//!
//! A link reads into a block and hands out short frames as counted slices of
//! it, or as copies where a slice would pin too much: see [`ReceiveBlock`]. A
//! body that is long is read where it stays: see [`PayloadBuffer`]. All memory
//! comes from the kernel initialised, so nothing is ever zeroed by us, and goes
//! back to its pool from whatever thread drops the last frame.

mod block;
mod buffer;
#[cfg(not(loom))]
mod landing;
mod pool;
pub(crate) mod raw;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;

pub(crate) use block::ReceiveBlock;
pub(crate) use buffer::{BufferPool, PayloadBuffer};
#[cfg(not(loom))]
pub use landing::Landing;
#[cfg(not(loom))]
pub(crate) use landing::{LandingBuffer, Offer};
pub(crate) use pool::BlockPool;
pub(crate) use raw::OutOfMemory;
