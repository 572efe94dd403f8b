//! The figures, and the survivors with what is known about them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::process::ExitCode;

use super::ledger::{Ledger, Outcome};
use super::tool::{Mutant, Tool};
use super::tree::Tree;
use crate::cli::MutatedPackage;
use crate::reliability::{self, Figures};
use crate::workspace;

/// What has to be caught of each package, in per cent.
const GOAL: f64 = 90.0;

/// Where each survivor has its line.
const SURVIVORS: &str = "tests/mutants/survivors.md";

/// How the mutants of a package ended.
#[derive(Debug, Default)]
struct Counts {
    outcomes: BTreeMap<Outcome, u64>,
    undecided: u64,
}

impl Counts {
    fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// Those that a test could have caught.
    fn viable(&self) -> u64 {
        self.noticed() + self.of(Outcome::Missed)
    }

    /// A run that does not end is noticed as well as one that fails.
    fn noticed(&self) -> u64 {
        self.of(Outcome::Caught) + self.of(Outcome::Timeout)
    }
}

/// Shows what is known, and stores it once every mutant of every package is decided, or
/// if a `sample` will do. Fails if too few were noticed.
pub(super) fn store(
    tool: &Tool,
    tree: &Tree,
    ledger: &Ledger,
    sample: bool,
) -> io::Result<ExitCode> {
    let mut figures = Figures::new(
        "mutants: small mistakes made one at a time, and how many of them the tests notice",
    );
    figures.tool(tool.version());
    let (mut undecided, mut code) = (0, ExitCode::SUCCESS);
    for package in MutatedPackage::ALL {
        let hashes = tree.hashes(package)?;
        let mut counts = Counts::default();
        for mutant in tool.list(tree, package)? {
            match ledger.outcome(&mutant, &hashes) {
                Some(outcome) => *counts.outcomes.entry(outcome).or_default() += 1,
                None if ledger.survived_before(&mutant, &hashes) => {
                    *counts.outcomes.entry(Outcome::Missed).or_default() += 1;
                    undecided += 1;
                }
                None => counts.undecided += 1,
            }
        }
        undecided += counts.undecided;
        if !tell(package, &counts, &mut figures) {
            code = ExitCode::FAILURE;
        }
    }
    if undecided > 0 && !sample {
        println!("nothing stored: {undecided} mutants are undecided; --resume goes on");
        return Ok(ExitCode::SUCCESS);
    }
    figures.store("mutants")?;
    Ok(code)
}

/// Whether the package's tests are good enough.
fn tell(package: MutatedPackage, counts: &Counts, figures: &mut Figures) -> bool {
    let name = package.folder();
    let share = reliability::per_cent(counts.noticed(), counts.viable());
    for outcome in [
        Outcome::Caught,
        Outcome::Timeout,
        Outcome::Missed,
        Outcome::Unviable,
    ] {
        figures.set(format!("{name}: {}", outcome.name()), counts.of(outcome));
    }
    figures.set(format!("{name}: viable"), counts.viable());
    figures.set(format!("{name}: not tried"), counts.undecided);
    figures.set(format!("{name}: noticed, in per cent of viable"), share);
    println!(
        "{name}: {share} % of {} viable mutants noticed ({} caught, {} by a timeout), {} missed; \
         {} unviable, {} undecided",
        counts.viable(),
        counts.of(Outcome::Caught),
        counts.of(Outcome::Timeout),
        counts.of(Outcome::Missed),
        counts.of(Outcome::Unviable),
        counts.undecided,
    );
    share >= GOAL
}

/// Shows each survivor with its explanation. Fails if one has none.
pub(super) fn list_survivors(
    tool: &Tool,
    tree: &Tree,
    ledger: &Ledger,
    packages: &[MutatedPackage],
) -> io::Result<ExitCode> {
    let text = fs::read_to_string(workspace::root().join(SURVIVORS)).unwrap_or_default();
    let explained = explanations(&text);
    let mut unexplained = 0;
    for package in packages {
        let mutants = tool.list(tree, *package)?;
        for Mutant { name, .. } in mutants.iter().filter(|it| ledger.has_survived(it)) {
            match explained.get(&without_place(name)) {
                Some(why) => println!("{name}\n    {why}"),
                None => {
                    println!("{name}\n    NOT EXPLAINED");
                    unexplained += 1;
                }
            }
        }
    }
    println!("{unexplained} without an explanation in {SURVIVORS}");
    Ok(match unexplained {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// A mutant's name without line and column, which any change above it moves.
fn without_place(name: &str) -> String {
    let (file, rest) = name.split_once(':').unwrap_or((name, ""));
    let what = rest.splitn(3, ':').nth(2).unwrap_or_default();
    format!("{file}:{what}")
}

/// The table's rows: `` | `mutant` | why | ``.
fn explanations(text: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let (name, why) = line.strip_prefix("| `")?.split_once("` | ")?;
        let why = why.trim_end().strip_suffix('|')?.trim();
        (!why.is_empty()).then(|| (without_place(&name.replace("\\|", "|")), why.to_owned()))
    };
    text.lines().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_stays_when_lines_move() {
        let table = "| Mutant | Why |\n|---|---|\n\
                     | `wire/src/a.rs:7:5: replace \\| with ^ in f` | the bits are disjoint |\n\
                     | `wire/src/a.rs:9:5: replace + with - in g` | |\n";
        let explained = explanations(table);
        let moved = without_place("wire/src/a.rs:70:15: replace | with ^ in f");
        assert_eq!(
            explained.get(&moved).map(String::as_str),
            Some("the bits are disjoint")
        );
        assert_eq!(explained.len(), 1, "an empty explanation is none");
    }

    #[test]
    fn a_timeout_is_noticed_and_what_does_not_compile_is_not_counted() {
        let counts = Counts {
            outcomes: BTreeMap::from([
                (Outcome::Caught, 7),
                (Outcome::Timeout, 2),
                (Outcome::Missed, 1),
                (Outcome::Unviable, 5),
            ]),
            undecided: 0,
        };
        assert_eq!((counts.noticed(), counts.viable()), (9, 10));
    }

    /// There may be rows for what was decided after the figures were stored.
    #[test]
    fn each_stored_survivor_has_a_row() {
        let text = fs::read_to_string(workspace::root().join(SURVIVORS)).expect("readable");
        let rows = text.lines().filter(|line| line.starts_with("| `")).count() as u64;
        let stored = reliability::stored("mutants");
        let missed = |package: &MutatedPackage| {
            let figure = stored.get(&format!("{}: missed", package.folder()));
            figure.and_then(serde_json::Value::as_u64).unwrap_or(0)
        };
        let survivors: u64 = MutatedPackage::ALL.iter().map(missed).sum();
        assert!(rows >= survivors, "{rows} rows for {survivors} survivors");
    }
}
