//! cargo-mutants: which mistakes there are to make, and what the tests say to them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::change::Change;
use super::ledger::Outcome;
use super::thrift::{self, Patience, Took};
use super::tree::Tree;
use crate::cli::MutatedPackage;
use crate::process::{self, Finished};
use crate::workspace;

const VERSION: &str = "27.1.0";

/// Bodies of fuzz targets are tests.
const EXCLUDED: &str = "**/fuzzing.rs";

/// A mistake that may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mutant {
    /// `file:line:column: what is done`.
    pub(super) name: String,
    /// `None` for what is in no function.
    pub(super) change: Option<Change>,
}

impl Mutant {
    /// With its path from the root of the repository.
    pub(super) fn file(&self) -> &str {
        self.name.split(':').next().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            change: None,
        }
    }
}

/// Which tests are run, the quick ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The package's unit tests: one crate to compile.
    Units,
    /// The package's tests from outside, `tests/suite`, with a few random cases of each
    /// property: they find most of what all of them find.
    FewCases,
    /// The same with all cases, for what is left.
    Suite,
}

impl Stage {
    pub(super) const ALL: [Self; 3] = [Self::Units, Self::FewCases, Self::Suite];

    pub(super) fn argument(self) -> &'static str {
        match self {
            Self::Units => "--lib",
            Self::FewCases | Self::Suite => "--test=suite",
        }
    }

    pub(super) fn prepare(self, command: &mut Command) {
        if self == Self::FewCases {
            command.env("PROPTEST_CASES", "48");
        }
    }
}

/// cargo-mutants, where we installed it.
pub(super) struct Tool {
    program: PathBuf,
}

impl Tool {
    /// Installs it on first use, below the target directory: some minutes.
    pub(super) fn installed() -> io::Result<Self> {
        let folder = workspace::target_dir().join("tools");
        let program = folder.join("bin/cargo-mutants");
        let tool = Self { program };
        if tool.is_current() {
            return Ok(tool);
        }
        println!("installing cargo-mutants {VERSION} below the target directory …");
        let mut install = workspace::cargo();
        install.args(["install", "--locked", "--version", VERSION, "--root"]);
        install.arg(&folder).arg("cargo-mutants");
        let Finished { succeeded, lines } = process::run(&mut install)?;
        if !succeeded || !tool.is_current() {
            lines.iter().for_each(|line| println!("{line}"));
            return Err(io::Error::other("cargo-mutants cannot be installed"));
        }
        Ok(tool)
    }

    fn is_current(&self) -> bool {
        let output = Command::new(&self.program)
            .args(["mutants", "--version"])
            .output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(VERSION))
    }

    /// Its name and version.
    pub(super) fn version(&self) -> String {
        format!("cargo-mutants {VERSION}")
    }

    /// Every mutant of a package, in the order of its files.
    pub(super) fn list(&self, tree: &Tree, package: MutatedPackage) -> io::Result<Vec<Mutant>> {
        let mut command = self.command(tree, package);
        let output = command.args(["--list", "--json"]).output()?;
        let list: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        let mutant = |listed: &Value| {
            let name = listed["name"].as_str()?.to_owned();
            let change = Change::listed(listed);
            Some(Mutant { name, change })
        };
        Ok(list.iter().filter_map(mutant).collect())
    }

    /// How long a stage takes without a mistake in the code. It has to pass.
    pub(super) fn baseline(
        &self,
        tree: &Tree,
        package: MutatedPackage,
        stage: Stage,
    ) -> io::Result<Took> {
        let test = |arguments: &[&str]| {
            let mut cargo = prepared(workspace::cargo());
            stage.prepare(&mut cargo);
            cargo.current_dir(tree.folder());
            cargo.args(["test", "--package", package.name(), stage.argument()]);
            let Finished { succeeded, lines } = process::run(cargo.args(arguments))?;
            if !succeeded {
                lines.iter().for_each(|line| println!("{line}"));
                return Err(io::Error::other(
                    "the tests fail without a mistake in the code",
                ));
            }
            Ok(())
        };
        test(&["--no-run"])?;
        let (took, passed) = Took::by(|| test(&[]));
        passed.map(|()| took)
    }

    /// Makes each mistake in turn and runs a stage.
    pub(super) fn try_out(
        &self,
        tree: &Tree,
        package: MutatedPackage,
        stage: Stage,
        mutants: &[&Mutant],
        patience: Patience,
    ) -> io::Result<BTreeMap<String, Outcome>> {
        let folder = workspace::target_dir().join("mutants/run");
        let _ = fs::remove_dir_all(&folder); // of the last batch
        fs::create_dir_all(&folder)?;
        let mut command = self.command(tree, package);
        stage.prepare(&mut command);
        tree.settle(patience)?;
        command.args(["--in-place", "--baseline=skip", "--colors=never"]);
        command.arg(format!("--cargo-arg={}", stage.argument()));
        let seconds = patience.timeout().as_secs_f64().ceil();
        command.arg(format!("--timeout={seconds}"));
        command.arg("--output").arg(&folder);
        for mutant in mutants {
            command.arg(format!("--re=^{}$", literal(&mutant.name)));
        }
        let Finished { lines, .. } = process::run(&mut command)?;
        // Its exit code tells that some survived, which is no error here.
        outcomes(&folder).inspect_err(|_| lines.iter().for_each(|line| println!("{line}")))
    }

    fn command(&self, tree: &Tree, package: MutatedPackage) -> Command {
        let mut command = prepared(Command::new(&self.program));
        command.current_dir(tree.folder()).arg("mutants");
        command.args(["--package", package.name(), "--exclude", EXCLUDED, "--dir"]);
        command.arg(tree.folder());
        command
    }
}

/// A place of its own to build in, and no search for a smaller input once one fails.
pub(super) fn prepared(mut command: Command) -> Command {
    let build = workspace::target_dir().join("mutants/build");
    command.env("CARGO_TARGET_DIR", build);
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    command
}

/// What a run of cargo-mutants left.
fn outcomes(folder: &std::path::Path) -> io::Result<BTreeMap<String, Outcome>> {
    let folder = folder.join("mutants.out");
    let text = fs::read(folder.join("outcomes.json"))?;
    let run: Value = serde_json::from_slice(&text)?;
    let outcomes = run["outcomes"].as_array().into_iter().flatten();
    let log = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    Ok(outcomes.filter_map(|of| outcome(of, log)).collect())
}

fn outcome(of: &Value, log: impl Fn(&str) -> String) -> Option<(String, Outcome)> {
    let name = of["scenario"]["Mutant"]["name"].as_str()?;
    let used_up = || thrift::used_up(&log(of["log_path"].as_str().unwrap_or_default()));
    let outcome = match of["summary"].as_str()? {
        "CaughtMutant" if used_up() => Outcome::Timeout,
        "CaughtMutant" => Outcome::Caught,
        "MissedMutant" => Outcome::Missed,
        "Timeout" => Outcome::Timeout,
        "Unviable" => Outcome::Unviable,
        _ => return None,
    };
    Some((name.to_owned(), outcome))
}

/// A regular expression for exactly this text.
fn literal(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_run_left_is_read() {
        let of = |summary: &str, log: &str| {
            let mutant = json!({"name": "wire/src/frame.rs:7:5: replace > with >="});
            let of = json!({"scenario": {"Mutant": mutant}, "summary": summary});
            outcome(&of, |_| log.to_owned())
        };
        let name = "wire/src/frame.rs:7:5: replace > with >=".to_owned();
        assert_eq!(of("MissedMutant", ""), Some((name, Outcome::Missed)));
        assert_eq!(of("Timeout", "").map(|it| it.1), Some(Outcome::Timeout));
        let failed = "FAILED. 85 passed; 2 failed";
        let outcome_of = |log| of("CaughtMutant", log).map(|it| it.1);
        assert_eq!(outcome_of(failed), Some(Outcome::Caught));
        assert_eq!(outcome_of("(signal: 24, SIGXCPU)"), Some(Outcome::Timeout));
        assert_eq!(of("Failure", ""), None, "is no mutant's end");
        let baseline = json!({"scenario": "Baseline", "summary": "Success"});
        assert_eq!(outcome(&baseline, |_| String::new()), None);
    }

    #[test]
    fn names_are_matched_to_the_letter() {
        let name = "a.rs:1:2: replace f -> Option<u8> with Some(0)";
        let expected = r"a\.rs:1:2: replace f \-> Option<u8> with Some\(0\)";
        assert_eq!(literal(name), expected);
        assert_eq!(Mutant::named(name).file(), "a.rs");
    }
}
