//! What a machine sees of a frame.

/// A frame's body as far as routing is concerned: its length and its first bytes.
///
/// The machines never hold or copy payloads. A body may lie where the CPU cannot
/// read it (registered device memory, say); then [`head`](Self::head) is the part
/// that it can. For subscriptions to match, the head must be at least as long as
/// the longest topic subscribed to, or the whole body.
pub trait Payload {
    /// Length of the body, in bytes.
    fn len(&self) -> usize;

    /// The first bytes of the body, as many as can be read.
    fn head(&self) -> &[u8];

    /// Whether the body is empty, as a delimiter is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Payload for [u8] {
    #[inline]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    #[inline]
    fn head(&self) -> &[u8] {
        self
    }
}

impl<T: Payload + ?Sized> Payload for &T {
    #[inline]
    fn len(&self) -> usize {
        (**self).len()
    }

    #[inline]
    fn head(&self) -> &[u8] {
        (**self).head()
    }
}

impl<const N: usize> Payload for [u8; N] {
    #[inline]
    fn len(&self) -> usize {
        N
    }

    #[inline]
    fn head(&self) -> &[u8] {
        self
    }
}
