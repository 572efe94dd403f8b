//! What peers received, written down so that their death takes nothing of it along.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Failure;

/// The peer's end: each number is with the system before the next one is received.
pub(super) struct Scribe(File);

impl Scribe {
    pub(super) fn open(file: &Path) -> Result<Self, Failure> {
        Ok(Self(
            OpenOptions::new().append(true).create(true).open(file)?,
        ))
    }

    pub(super) fn note(&mut self, number: u64) -> Result<(), Failure> {
        Ok(self.0.write_all(&number.to_be_bytes())?)
    }
}

/// The check's end.
pub(super) struct Ledger {
    file: File,
    count: u64,
    /// A bit for each number. All of them from the beginning, for what is allocated is
    /// measured to be flat.
    known: Vec<u64>,
}

/// Numbers that a ledger has room for.
const NUMBERS: usize = 1 << 27;

impl Ledger {
    /// An empty one.
    pub(super) fn create(file: &Path) -> Result<Self, Failure> {
        File::create(file)?;
        Ok(Self {
            file: File::open(file)?,
            count: 0,
            known: vec![0; NUMBERS / 64],
        })
    }

    /// How many numbers were noted ever; those since the last look rise, and none
    /// of them was there before.
    pub(super) fn look(&mut self) -> Result<u64, Failure> {
        let mut noted = Vec::new();
        self.file.seek(SeekFrom::Start(8 * self.count))?;
        self.file.read_to_end(&mut noted)?;
        let mut last = None;
        for number in noted.chunks_exact(8) {
            let number = u64::from_be_bytes(number.try_into()?);
            if last.is_some_and(|last| last >= number) {
                return Err(format!("{number} came after {last:?}").into());
            }
            let place = usize::try_from(number / 64)?;
            let place = self.known.get_mut(place).ok_or("the ledger is full")?;
            let bit = 1 << (number % 64);
            if *place & bit != 0 {
                return Err(format!("{number} came twice").into());
            }
            *place |= bit;
            self.count += 1;
            last = Some(number);
        }
        Ok(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_or_out_of_order_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let noted = |numbers: &[&[u64]]| {
            let mut ledger = Ledger::create(&path).unwrap();
            let mut scribe = Scribe::open(&path).unwrap();
            let mut looked = Ok(0);
            for some in numbers {
                some.iter().for_each(|number| scribe.note(*number).unwrap());
                looked = looked.and_then(|_| ledger.look().map_err(|cause| cause.to_string()));
            }
            looked
        };
        assert_eq!(noted(&[&[1, 2], &[3, 9]]), Ok(4));
        assert_eq!(noted(&[&[1, 2], &[0]]), Ok(3));
        assert!(noted(&[&[2, 1]]).is_err());
        assert!(noted(&[&[1, 2], &[2]]).is_err());
    }
}
