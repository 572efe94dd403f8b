//! What became of each mutant, a line each, in a file below the target directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use super::tool::Mutant;
use super::tree::Hashes;
use crate::workspace;

/// How a mutant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// A test failed.
    Caught,
    /// The tests ran much longer than without it, and were ended.
    Timeout,
    /// All tests passed.
    Missed,
    /// It does not compile.
    Unviable,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Caught, Self::Timeout, Self::Missed, Self::Unviable];

    /// As the ledger has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Caught => "caught",
            Self::Timeout => "timeout",
            Self::Missed => "missed",
            Self::Unviable => "unviable",
        }
    }
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    outcome: Outcome,
    /// Of the file with the mistake.
    file: String,
    /// Of all of the package.
    package: String,
    name: String,
}

impl Decision {
    pub(super) fn new(mutant: &Mutant, outcome: Outcome, hashes: &Hashes) -> Self {
        Self {
            outcome,
            file: hashes.file(mutant.file()).to_owned(),
            package: hashes.package.clone(),
            name: mutant.name.clone(),
        }
    }

    fn parsed(line: &str) -> Option<Self> {
        let mut fields = line.splitn(4, '\t');
        let word = fields.next()?;
        let outcome = Outcome::ALL.into_iter().find(|it| it.name() == word)?;
        Some(Self {
            outcome,
            file: fields.next()?.to_owned(),
            package: fields.next()?.to_owned(),
            name: fields.next()?.to_owned(),
        })
    }

    fn line(&self) -> String {
        let Self {
            outcome,
            file,
            package,
            name,
        } = self;
        format!("{}\t{file}\t{package}\t{name}\n", outcome.name())
    }
}

/// The last decision on each mutant. Ledgers of several machines may be put
/// together: the last line on a mutant counts.
pub(super) struct Ledger {
    path: PathBuf,
    decisions: BTreeMap<String, Decision>,
}

impl Ledger {
    pub(super) fn open() -> io::Result<Self> {
        let path = workspace::target_dir().join("mutants/decided.tsv");
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        let text = fs::read_to_string(&path).unwrap_or_default();
        let decisions = text.lines().filter_map(Decision::parsed);
        let decisions = decisions.map(|it| (it.name.clone(), it)).collect();
        Ok(Self { path, decisions })
    }

    pub(super) fn append(&mut self, decisions: impl Iterator<Item = Decision>) -> io::Result<()> {
        let mut file = File::options().create(true).append(true).open(&self.path)?;
        for decision in decisions {
            file.write_all(decision.line().as_bytes())?;
            self.decisions.insert(decision.name.clone(), decision);
        }
        Ok(())
    }

    /// What is known about a mutant.
    ///
    /// What a test caught, it catches as long as the file with the mistake is the
    /// same. What survived may be caught since anything of the package changed.
    pub(super) fn outcome(&self, mutant: &Mutant, hashes: &Hashes) -> Option<Outcome> {
        let decision = self.decisions.get(&mutant.name)?;
        let holds = match decision.outcome {
            Outcome::Missed => decision.package == hashes.package,
            _ => true,
        };
        (holds && decision.file == hashes.file(mutant.file())).then_some(decision.outcome)
    }

    /// Whether a mutant survived the tests of before, and its file is the same: until it
    /// is tried again it counts as one that survives. Else a part of the mutants would
    /// look better than all, for what was caught stays known, and this does not.
    pub(super) fn survived_before(&self, mutant: &Mutant, hashes: &Hashes) -> bool {
        self.has_survived(mutant)
            && self.outcome(mutant, hashes).is_none()
            && self.decisions[&mutant.name].file == hashes.file(mutant.file())
    }

    /// Whether a mutant survived when it was tried last, whatever has changed since.
    pub(super) fn has_survived(&self, mutant: &Mutant) -> bool {
        let decision = self.decisions.get(&mutant.name);
        decision.is_some_and(|decision| decision.outcome == Outcome::Missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "wire/src/frame.rs:7:5: replace > with >= in read";

    fn ledger(outcome: Outcome) -> Ledger {
        let hashes = Hashes::for_test("wire/src/frame.rs", "f1", "p1");
        let decision = Decision::new(&Mutant::named(NAME), outcome, &hashes);
        Ledger {
            path: PathBuf::new(),
            decisions: BTreeMap::from([(NAME.to_owned(), decision)]),
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let decision = ledger(Outcome::Timeout).decisions[NAME].clone();
        let line = decision.line();
        assert_eq!(line, format!("timeout\tf1\tp1\t{NAME}\n"));
        assert_eq!(Decision::parsed(line.trim_end()), Some(decision));
        assert_eq!(Decision::parsed("caught\tf1"), None);
    }

    #[test]
    fn survivors_are_tried_again_when_tests_change_and_all_when_their_file_does() {
        let mutant = Mutant::named(NAME);
        let hashes = |file, package| Hashes::for_test("wire/src/frame.rs", file, package);
        let (caught, missed) = (ledger(Outcome::Caught), ledger(Outcome::Missed));
        let same = hashes("f1", "p1");
        assert_eq!(caught.outcome(&mutant, &same), Some(Outcome::Caught));
        assert_eq!(missed.outcome(&mutant, &same), Some(Outcome::Missed));
        let other_test = hashes("f1", "p2");
        assert_eq!(caught.outcome(&mutant, &other_test), Some(Outcome::Caught));
        assert_eq!(missed.outcome(&mutant, &other_test), None);
        assert!(missed.survived_before(&mutant, &other_test));
        assert!(!missed.survived_before(&mutant, &same), "it still does");
        assert!(!missed.survived_before(&mutant, &hashes("f2", "p2")));
        assert!(!caught.survived_before(&mutant, &other_test));
        assert!(missed.has_survived(&mutant) && !caught.has_survived(&mutant));
        assert_eq!(caught.outcome(&mutant, &hashes("f2", "p1")), None);
    }
}
