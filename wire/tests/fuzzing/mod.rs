//! Bodies of fuzz targets that need more than the codec: cryptography that repeats,
//! a clock, a model. Each panics where the codec does what it must not.
//!
//! `suite/fuzz_corpus.rs` replays what is kept in `fuzz/corpus`; `cargo xtask fuzz`
//! looks for more.
#![allow(dead_code, unused_imports)] // each fuzz target has one of them

mod crypto;
mod curve;
mod heartbeats;
mod switch;
mod tensor;

pub(crate) use curve::fuzz_curve;
pub(crate) use heartbeats::fuzz_heartbeats;
pub(crate) use switch::fuzz_switch;
pub(crate) use tensor::fuzz_tensor;

/// Data that is read as choices. Its end ends the run.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// Up to `max` bytes, as they are.
    fn bytes(&mut self, max: usize) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()?).min(max).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(bytes)
    }
}
