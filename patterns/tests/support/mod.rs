//! What the tests share: storages, and ids to try things on.
#![allow(dead_code)] // each test uses some of it

use std::cell::Cell;
use std::rc::Rc;

use ferromq_patterns::{Full, PeerId, Storage};

pub(crate) mod chunks;
pub(crate) use chunks::Chunks;

/// A storage that refuses to grow whenever its script says so.
pub(crate) struct Flaky<T> {
    inner: Chunks<T>,
    script: Script,
}

/// One bit a growth: 1 refuses it. After 64 growths it starts again.
#[derive(Clone, Default)]
pub(crate) struct Script(Rc<Cell<u64>>);

impl Script {
    pub(crate) fn new(bits: u64) -> Self {
        Self(Rc::new(Cell::new(bits)))
    }

    fn refuses(&self) -> bool {
        let bits = self.0.get();
        self.0.set(bits.rotate_right(1));
        bits & 1 == 1
    }
}

impl<T: Default> Flaky<T> {
    pub(crate) fn new(script: &Script) -> Self {
        Self {
            inner: Chunks::default(),
            script: script.clone(),
        }
    }
}

impl<T: Default> Storage<T> for Flaky<T> {
    fn get(&self, i: usize) -> Option<&T> {
        self.inner.get(i)
    }

    fn get_mut(&mut self, i: usize) -> Option<&mut T> {
        self.inner.get_mut(i)
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn grow(&mut self, len: usize) -> Result<(), Full> {
        if self.script.refuses() {
            Err(Full)
        } else {
            self.inner.grow(len)
        }
    }

    fn shrink(&mut self, len: usize) {
        self.inner.shrink(len);
    }
}

/// Every id that a machine ever gave out, and some that it never did.
#[derive(Debug)]
pub(crate) struct Ids(Vec<PeerId>);

impl Default for Ids {
    fn default() -> Self {
        Self(
            [0, 1 << 32, u64::MAX, 3 << 32 | 1]
                .map(PeerId::from_bits)
                .to_vec(),
        )
    }
}

impl Ids {
    pub(crate) fn add(&mut self, id: PeerId) {
        assert!(!self.0[4..].contains(&id), "{id:?} was given out twice");
        self.0.push(id);
    }

    /// One of them; recent ones are likelier, so that most events mean somebody.
    pub(crate) fn pick(&self, choice: u8) -> PeerId {
        let back = if choice < 200 {
            usize::from(choice) % 6
        } else {
            usize::from(choice)
        };
        self.0[self.0.len() - 1 - back % self.0.len()]
    }
}
