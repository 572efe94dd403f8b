//! The optional way around the stream: memory that both ends can reach.

use std::sync::Arc;

use thiserror::Error;

/// One-sided access to a peer's memory, beside the byte stream of a link.
///
/// A large payload then needs no copy: its owner *registers* it and *exports* a
/// [`Descriptor`], the descriptor travels through the stream, and the peer reads
/// the bytes without the owner's help and answers, through the stream again,
/// that the owner may *release* it.
///
/// ```text
///  owner                                   peer
///  register(payload) -> Region
///  export(region, ..) -> Descriptor
///        ---- descriptor, in the stream ---->
///                                          loan(len) -> a local region
///                                          read(descriptor, region) … poll_completed
///        <--- done, in the stream ----------
///  release(region)
/// ```
///
/// - **Shared memory** registers nothing that exists already: `loan` hands out
///   blocks of the shared segment, `export` names their offset, and `read` of a
///   peer's block maps it instead of copying.
/// - **Verbs** pin and register the payload (`ibv_reg_mr`), export its remote
///   key, and `read` and `write` are RDMA READ and WRITE.
///
/// No transport implements it yet; the trait is here so that links have the
/// place for it, and may still change.
pub trait Memory: Send {
    /// Makes immutable bytes readable to the peer and keeps them alive until
    /// [`release`](Self::release). Cost: pinning and a system call with verbs;
    /// a copy into the segment with shared memory.
    ///
    /// # Errors
    /// [`MemoryError::Exhausted`], [`MemoryError::Unsupported`].
    fn register(
        &mut self,
        bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    ) -> Result<Region, MemoryError>;

    /// Lends `len` bytes of memory that the carrier can reach already: to be
    /// filled and exported, or as the target of a `read`.
    ///
    /// # Errors
    /// [`MemoryError::Exhausted`].
    fn loan(&mut self, len: usize) -> Result<Region, MemoryError>;

    /// The bytes of a loaned region, to fill. `None` for regions that are not
    /// loans, are exported or have an operation under way.
    fn bytes_mut(&mut self, region: Region) -> Option<&mut [u8]>;

    /// The bytes of a region, to look at. `None` while an operation writes it.
    fn bytes(&self, region: Region) -> Option<&[u8]>;

    /// Names a part of a region for the peer, which may use it until `release`.
    ///
    /// # Errors
    /// [`MemoryError::UnknownRegion`], [`MemoryError::OutOfRange`].
    fn export(
        &mut self,
        region: Region,
        offset: u64,
        len: u64,
        access: Access,
    ) -> Result<Descriptor, MemoryError>;

    /// Starts to copy the peer's bytes into a loaned region. Nothing in the
    /// descriptor is trusted: it came from the peer.
    ///
    /// # Errors
    /// [`MemoryError::UnknownRegion`], [`MemoryError::OutOfRange`],
    /// [`MemoryError::Exhausted`] (too many operations under way).
    fn read(
        &mut self,
        from: &Descriptor,
        into: Region,
        into_offset: u64,
    ) -> Result<OperationId, MemoryError>;

    /// Starts to copy a region's bytes to where the peer's descriptor says.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn write(
        &mut self,
        from: Region,
        from_offset: u64,
        to: &Descriptor,
    ) -> Result<OperationId, MemoryError>;

    /// The next operation that ended, and how. At most one a call; the link's
    /// `fd` becomes readable when there may be one.
    fn poll_completed(&mut self) -> Option<(OperationId, Result<(), MemoryError>)>;

    /// Ends a loan or a registration. The peer can no longer reach the bytes
    /// when this returns.
    ///
    /// # Errors
    /// [`MemoryError::UnknownRegion`]; [`MemoryError::Busy`] while one of our own
    /// operations uses it.
    fn release(&mut self, region: Region) -> Result<(), MemoryError>;
}

/// Memory that is registered or on loan. Stale ones are a typed miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Region {
    /// The slot in the link's table.
    pub index: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

/// An operation under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationId(pub u64);

/// What a peer may do with exported memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Access {
    /// Read it.
    Read,
    /// Write it.
    Write,
}

/// Names a part of one process's memory to its peer. Plain numbers, so that it
/// can travel through the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Which region, in the owner's numbering.
    pub region: Region,
    /// Where in the region, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
    /// What the carrier asks for as proof: an RDMA remote key, a nonce.
    pub key: u64,
}

/// What can go wrong with one-sided access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The carrier lacks this operation.
    #[error("the link has no such one-sided operation")]
    Unsupported,
    /// No room for another region, loan or operation.
    #[error("no room for another region or operation")]
    Exhausted,
    /// The region was released, or never was.
    #[error("region {} of generation {} is not registered", .0.index, .0.generation)]
    UnknownRegion(Region),
    /// The range leaves its region.
    #[error("{len} bytes from offset {offset} leave the region of {region_len} bytes")]
    OutOfRange {
        /// Where the range begins.
        offset: u64,
        /// How long it is.
        len: u64,
        /// How long the region is.
        region_len: u64,
    },
    /// An operation still uses the region.
    #[error("an operation still uses the region")]
    Busy,
    /// The link failed, or the peer refused: its memory may be gone.
    #[error("the peer's memory cannot be reached any more")]
    Lost,
}
