//! Data that is read as choices.

/// What is left of the data. Its end ends the run.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        // Longer runs are slower, and lead nowhere that short ones do not.
        Self(data.get(..2048).unwrap_or(data))
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.byte().map(|byte| byte & 1 == 1)
    }

    /// Up to `max` bytes, as they are.
    pub(crate) fn bytes(&mut self, max: usize) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()?).min(max).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(bytes)
    }

    /// A topic. One byte brings as much of it as ends at a border of the tree's
    /// nodes, so that topics share prefixes without luck.
    pub(crate) fn topic(&mut self) -> Option<Vec<u8>> {
        const PIECES: [&[u8]; 8] = [
            b"a",
            b"b",
            b"abcdefghi",
            b"abcdefghij",
            &[b'x'; 26],
            &[b'x'; 27],
            &[b'x'; 60],
            b"\0\xff",
        ];
        let pieces = self.bytes(5)?;
        let piece = |byte: &u8| PIECES[usize::from(byte % 8)];
        Some(pieces.iter().flat_map(piece).copied().collect())
    }
}
