//! What the language does not look after: memory that devices reach, by its address, and
//! the system's libraries. The one module here in which something is unsafe, and each such
//! operation has its argument beside it.
//!
//! ```text
//!  memory      pages, and the rules by which we and devices share them
//!  ── with the feature `verbs` ─────────────────────────────────────────────
//!  system      the provider on rdma_cm and ibverbs, made of
//!  ├ queue       a queue pair and what belongs to it
//!  ├ device      protection domain, completion channel and queue, registrations: ibverbs
//!  ├ cm          event channels, identifiers, events: rdma_cm
//!  ├ interfaces  the addresses of this machine
//!  └ handle      what is unsafe about owning what the libraries allocate
//! ```

mod memory;

#[cfg(feature = "verbs")]
mod cm;
#[cfg(feature = "verbs")]
mod device;
#[cfg(feature = "verbs")]
mod handle;
#[cfg(feature = "verbs")]
mod interfaces;
#[cfg(feature = "verbs")]
mod queue;
#[cfg(feature = "verbs")]
mod system;
#[cfg(all(test, feature = "verbs"))]
mod tests;

pub(crate) use memory::{Pages, Slot};
#[cfg(feature = "verbs")]
pub(crate) use system::System;
