//! What a peer may send in traffic.

/// The largest frame, message and part count that a peer may send.
///
/// Checked when a header is seen, before a byte of the body is waited for or
/// memory reserved. `u64::MAX` and `u32::MAX` switch a limit off.
///
/// ```
/// let limits = ferromq_wire::Limits { frame: 1 << 20, ..Default::default() };
/// assert_eq!(limits.parts, 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in one frame's body; ZeroMQ calls it MAXMSGSIZE. Default 4 GiB.
    pub frame: u64,
    /// Bytes in one whole message, where each frame costs its length and
    /// [`FRAME_COST`](Self::FRAME_COST) more. Default 4 GiB.
    pub message: u64,
    /// Frames in one message. Default 1,024.
    pub parts: u32,
    /// Bytes in one command's body. The caller's buffer must hold one, and
    /// [`FRAME_OVERHEAD`](crate::FRAME_OVERHEAD) bytes. Default 65,568: a topic
    /// of 64 KiB fits.
    pub command: u64,
}

impl Limits {
    /// What a frame costs beyond its bytes towards [`message`](Self::message),
    /// so that a flood of empty frames ends too.
    pub const FRAME_COST: u64 = 16;

    /// No limit at all.
    pub const NONE: Self = Self {
        frame: u64::MAX,
        message: u64::MAX,
        parts: u32::MAX,
        command: u64::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: 4 << 30,
            message: 4 << 30,
            parts: 1024,
            command: (64 << 10) + 32,
        }
    }
}
