//! Sections of the program whose instructions are counted.

use std::cell::Cell;
use std::ffi::CString;
use std::hint::black_box;

use crate::valgrind;

/// Batches of a section; the figure is that of the cheapest.
///
/// What a batch costs depends on little but the program. What there is (the
/// kernel hands a burst over in two pieces, the clock passes a limit) makes
/// batches dearer and none cheaper.
const BATCHES: u32 = 7;
/// Batches before those, to fill pools and predict nothing anew.
const WARM_UP: u32 = 3;

/// The name of a section that counts nothing but the counting.
pub(crate) const EMPTY: &str = "empty";

/// Counts what is done through it; see [`section`].
pub(crate) struct Meter {
    stretches: Cell<u32>,
}

impl Meter {
    /// Does `work`, counting the instructions of this thread. Once for a batch
    /// where possible: the counting itself costs a few, which are taken off.
    #[inline(always)]
    pub(crate) fn count<T>(&self, work: impl FnOnce() -> T) -> T {
        self.stretches.set(self.stretches.get() + 1);
        valgrind::toggle_collect();
        let result = black_box(work());
        valgrind::toggle_collect();
        result
    }
}

/// Runs the batches of a section, each of them `operations` times the thing that
/// its figure is about. Under valgrind each leaves a file of its name.
pub(crate) fn section(name: &str, operations: u32, mut batch: impl FnMut(&Meter)) {
    let meter = Meter {
        stretches: Cell::new(0),
    };
    valgrind::start_instrumentation();
    for index in 0..WARM_UP + BATCHES {
        meter.stretches.set(0);
        batch(&meter);
        if index < WARM_UP {
            valgrind::zero();
            continue;
        }
        let label = Label {
            name,
            operations,
            stretches: meter.stretches.get(),
        };
        valgrind::dump(&label.to_c_string());
    }
    valgrind::stop_instrumentation();
}

/// What callgrind writes into a batch's file for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Label<'a> {
    pub(crate) name: &'a str,
    /// How often the batch did it.
    pub(crate) operations: u32,
    /// How often counting began.
    pub(crate) stretches: u32,
}

impl<'a> Label<'a> {
    fn to_c_string(self) -> CString {
        let text = format!("{}|{}|{}", self.name, self.operations, self.stretches);
        CString::new(text).unwrap_or_default() // a name has no zero byte
    }

    /// Reads it back.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.trim().split('|');
        let label = Self {
            name: fields.next()?,
            operations: fields.next()?.parse().ok()?,
            stretches: fields.next()?.parse().ok()?,
        };
        (label.operations > 0 && fields.next().is_none()).then_some(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_as_it_was_written() {
        let label = Label {
            name: "wire: decode 64 B",
            operations: 256,
            stretches: 1,
        };
        let text = label.to_c_string();
        let text = text.to_str().expect("our own text");
        assert_eq!(Label::parse(text), Some(label));
        for wrong in ["", "name", "name|0|1", "name|1|1|1", "name|-1|1"] {
            assert_eq!(Label::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_batch_is_run_with_its_stretches_counted_anew() {
        let mut seen = Vec::new();
        section("test", 1, |meter| {
            meter.count(|| ());
            meter.count(|| ());
            seen.push(meter.stretches.get());
        });
        assert_eq!(seen, [2; (WARM_UP + BATCHES) as usize]);
    }
}
