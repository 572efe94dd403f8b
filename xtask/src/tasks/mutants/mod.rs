//! `cargo xtask mutants`: one small mistake at a time is made in a crate; its tests
//! have to notice.
//!
//! ```text
//!   the repository ──copy──► many in one build, chosen as it runs ──┬──► ledger
//!                 ──copy──► cargo-mutants for the rest, by batches ─┘      │
//!                           either: the crate's unit tests first,          │
//!                           then the suite for what survives,              │
//!                           with a few random cases, then all              ▼
//!                                                        figures, survivors to explain
//! ```
//!
//! A run may end at any time: what a batch decided is in the ledger, and `--resume`
//! goes on from there.

mod change;
mod ledger;
mod report;
mod thrift;
mod together;
mod tool;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::ledger::{Decision, Ledger, Outcome};
use self::thrift::Patience;
use self::together::Together;
use self::tool::{Mutant, Stage, Tool};
use self::tree::{Hashes, Tree};
use crate::cli::{MutantsOptions, MutatedPackage, Shard};

/// Mutants that one run of cargo-mutants gets: what an interruption loses at most.
const BATCH: usize = 16;

pub(crate) fn run(options: &MutantsOptions) -> io::Result<ExitCode> {
    let packages = options.packages();
    let mut ledger = Ledger::open()?;
    let tool = Tool::installed()?;
    let tree = Tree::synced("mutants/tree")?;
    if options.list_survivors {
        return report::list_survivors(&tool, &tree, &ledger, &packages);
    }
    let end = options
        .minutes
        .map(|minutes| Instant::now() + Duration::from_secs(minutes.saturating_mul(60)));
    for package in packages {
        let bench = Bench {
            tool: &tool,
            tree: &tree,
            package,
            end,
        };
        bench.decide(&mut ledger, options)?;
    }
    report::store(&tool, &tree, &ledger, options.store)
}

/// One package's mutants under test.
struct Bench<'a> {
    tool: &'a Tool,
    tree: &'a Tree,
    package: MutatedPackage,
    /// When to begin no further batch.
    end: Option<Instant>,
}

impl Bench<'_> {
    fn decide(&self, ledger: &mut Ledger, options: &MutantsOptions) -> io::Result<()> {
        let name = self.package.name();
        let mutants = self.tool.list(self.tree, self.package)?;
        let mine = share(&mutants, options.shard);
        let sources = self.tree.hashes(self.package)?;
        let is_open = |mutant: &&Mutant| ledger.outcome(mutant, &sources).is_none();
        let open: Vec<&Mutant> = match options.resume {
            true => mine.into_iter().filter(is_open).collect(),
            false => mine,
        };
        // A run that ends early has then tried some of each file, and first of all what
        // survived the last time: there may be a test for it now.
        let mut open = spread(&open);
        open.sort_by_key(|mutant| !ledger.has_survived(mutant));
        println!("{name}: {} of {} mutants to try", open.len(), mutants.len());
        if open.is_empty() || self.is_over() {
            return Ok(());
        }
        let together = Together::built(self.package, &open).unwrap_or_else(|cause| {
            println!("{name}: {cause}: each is compiled");
            None
        });
        if let Some(together) = together {
            let (in_one, left): (Vec<_>, _) = open.iter().partition(|it| together.has(it));
            self.decide_together(&together, &in_one, ledger, &sources)?;
            open = left;
        }
        self.decide_alone(&open, ledger, &sources)
    }

    /// Mistakes that are in one build.
    fn decide_together(
        &self,
        together: &Together,
        mutants: &[&Mutant],
        ledger: &mut Ledger,
        sources: &Hashes,
    ) -> io::Result<()> {
        let (name, mut survive) = (self.package.name(), 0);
        for (at, mutant) in (1..).zip(mutants) {
            if self.is_over() {
                println!("{name}: the time is over; --resume goes on");
                return Ok(());
            }
            let outcome = together.try_out(mutant)?;
            ledger.append(std::iter::once(Decision::new(mutant, outcome, sources)))?;
            survive += u32::from(outcome == Outcome::Missed);
            if at % BATCH == 0 || at == mutants.len() {
                println!("{name}: {at} of {}, {survive} survive", mutants.len());
            }
        }
        Ok(())
    }

    /// Mistakes that have to be compiled one by one.
    fn decide_alone(
        &self,
        mutants: &[&Mutant],
        ledger: &mut Ledger,
        sources: &Hashes,
    ) -> io::Result<()> {
        let name = self.package.name();
        if mutants.is_empty() || self.is_over() {
            return Ok(());
        }
        println!("{name}: {} are compiled one by one", mutants.len());
        let patience = self.patience()?;
        for (at, batch) in mutants.chunks(BATCH).enumerate() {
            if self.is_over() {
                println!("{name}: the time is over; --resume goes on");
                return Ok(());
            }
            let decided = self.try_out(batch, &patience)?;
            ledger.append(batch.iter().filter_map(|mutant| {
                let outcome = *decided.get(mutant.name.as_str())?;
                Some(Decision::new(mutant, outcome, sources))
            }))?;
            let survive = decided
                .values()
                .filter(|outcome| **outcome == Outcome::Missed)
                .count();
            let tried = (at * BATCH + batch.len()).min(mutants.len());
            println!("{name}: {tried} of {}, {survive} survive", mutants.len());
        }
        Ok(())
    }

    /// The unit tests, and for what survives them the suite.
    fn try_out<'m>(
        &self,
        batch: &[&'m Mutant],
        patience: &BTreeMap<Stage, Patience>,
    ) -> io::Result<BTreeMap<&'m str, Outcome>> {
        let mut decided: BTreeMap<&str, Outcome> = BTreeMap::new();
        for (stage, patience) in patience {
            let left: Vec<&Mutant> = batch
                .iter()
                .copied()
                .filter(|mutant| {
                    let outcome = decided.get(mutant.name.as_str());
                    outcome.is_none_or(|outcome| *outcome == Outcome::Missed)
                })
                .collect();
            if left.is_empty() {
                break;
            }
            let outcomes = self
                .tool
                .try_out(self.tree, self.package, *stage, &left, *patience)?;
            for mutant in left {
                match outcomes.get(&mutant.name) {
                    Some(outcome) => decided.insert(&mutant.name, *outcome),
                    None => return Err(io::Error::other(format!("undecided: {}", mutant.name))),
                };
            }
        }
        Ok(decided)
    }

    /// What each stage may take, from what it takes without a mistake in the code; it
    /// has to pass then.
    fn patience(&self) -> io::Result<BTreeMap<Stage, Patience>> {
        self.tree.settle(Patience::longest())?;
        let mut patience = BTreeMap::new();
        for stage in Stage::ALL {
            let took = self.tool.baseline(self.tree, self.package, stage)?;
            patience.insert(stage, Patience::after(took));
        }
        Ok(patience)
    }

    fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }
}

/// The mutants of a shard: every n-th, so that each shard has some of each file.
fn share(mutants: &[Mutant], shard: Option<Shard>) -> Vec<&Mutant> {
    let Shard { at, of } = shard.unwrap_or(Shard { at: 0, of: 1 });
    mutants.iter().skip(at).step_by(of).collect()
}

/// The same, with a stride: 0, 16, 32, … 1, 17, 33, …
fn spread<'m>(mutants: &[&'m Mutant]) -> Vec<&'m Mutant> {
    const STRIDE: usize = 16;
    let from = |first| mutants.iter().copied().skip(first).step_by(STRIDE);
    (0..STRIDE).flat_map(from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_every_mutant_once() {
        let mutant = |number: u32| Mutant::named(&format!("wire/src/lib.rs:{number}:1: replace"));
        let mutants: Vec<Mutant> = (0..10).map(mutant).collect();
        let mut seen: Vec<&str> = Vec::new();
        for at in 0..3 {
            let shard = Shard { at, of: 3 };
            seen.extend(
                share(&mutants, Some(shard))
                    .iter()
                    .map(|it| it.name.as_str()),
            );
        }
        seen.sort_unstable();
        let all: Vec<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        assert_eq!(seen, all);
        let mut spread: Vec<&Mutant> = spread(&share(&mutants, None));
        assert_eq!(spread.len(), 10);
        spread.dedup();
        assert_eq!(spread.len(), 10);
    }
}
