//! cargo-mutants: which mistakes there are to make, and what the tests say to them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ledger::Outcome;
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
}

impl Mutant {
    /// With its path from the root of the repository.
    pub(super) fn file(&self) -> &str {
        self.name.split(':').next().unwrap_or_default()
    }

    #[cfg(test)]
    pub(super) fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self { name }
    }
}

/// Which tests are run, the quick ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The package's unit tests: one crate to compile.
    Units,
    /// The package's tests from outside, `tests/suite`.
    Suite,
}

impl Stage {
    pub(super) const ALL: [Self; 2] = [Self::Units, Self::Suite];

    fn argument(self) -> &'static str {
        match self {
            Self::Units => "--lib",
            Self::Suite => "--test=suite",
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
        let name = |mutant: &Value| mutant["name"].as_str().map(str::to_owned);
        Ok(list
            .iter()
            .filter_map(name)
            .map(|name| Mutant { name })
            .collect())
    }

    /// How long a stage takes without a mistake in the code. It has to pass.
    pub(super) fn baseline(
        &self,
        tree: &Tree,
        package: MutatedPackage,
        stage: Stage,
    ) -> io::Result<Duration> {
        let test = |arguments: &[&str]| {
            let mut cargo = prepared(workspace::cargo());
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
        let started = Instant::now();
        test(&[])?;
        Ok(started.elapsed())
    }

    /// Makes each mistake in turn and runs a stage.
    pub(super) fn try_out(
        &self,
        tree: &Tree,
        package: MutatedPackage,
        stage: Stage,
        mutants: &[&Mutant],
        patience: Duration,
    ) -> io::Result<BTreeMap<String, Outcome>> {
        let folder = workspace::target_dir().join("mutants/run");
        let _ = fs::remove_dir_all(&folder); // of the last batch
        fs::create_dir_all(&folder)?;
        let mut command = self.command(tree, package);
        command.args(["--in-place", "--baseline=skip", "--colors=never"]);
        command.arg(format!("--cargo-arg={}", stage.argument()));
        command.arg(format!("--timeout={}", patience.as_secs_f64().ceil()));
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

/// What makes a mutant cheap: nothing to link but the tests, and no search for a
/// smaller input once one fails.
fn prepared(mut command: Command) -> Command {
    let build = workspace::target_dir().join("mutants/build");
    command.env("CARGO_TARGET_DIR", build);
    command.env("CARGO_PROFILE_TEST_DEBUG", "0");
    command.env("CARGO_PROFILE_DEV_DEBUG", "0");
    command.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    command
}

/// What a run of cargo-mutants left.
fn outcomes(folder: &std::path::Path) -> io::Result<BTreeMap<String, Outcome>> {
    let text = fs::read(folder.join("mutants.out/outcomes.json"))?;
    let run: Value = serde_json::from_slice(&text)?;
    let outcomes = run["outcomes"].as_array().into_iter().flatten();
    Ok(outcomes.filter_map(outcome).collect())
}

fn outcome(of: &Value) -> Option<(String, Outcome)> {
    let name = of["scenario"]["Mutant"]["name"].as_str()?;
    let outcome = match of["summary"].as_str()? {
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
        let of = |summary: &str| {
            let mutant = json!({"name": "wire/src/frame.rs:7:5: replace > with >="});
            outcome(&json!({"scenario": {"Mutant": mutant}, "summary": summary}))
        };
        let name = "wire/src/frame.rs:7:5: replace > with >=".to_owned();
        assert_eq!(of("MissedMutant"), Some((name, Outcome::Missed)));
        assert_eq!(of("Timeout").map(|it| it.1), Some(Outcome::Timeout));
        assert_eq!(of("Failure"), None, "is no mutant's end");
        assert_eq!(
            outcome(&json!({"scenario": "Baseline", "summary": "Success"})),
            None
        );
    }

    #[test]
    fn names_are_matched_to_the_letter() {
        let name = "a.rs:1:2: replace f -> Option<u8> with Some(0)";
        let expected = r"a\.rs:1:2: replace f \-> Option<u8> with Some\(0\)";
        assert_eq!(literal(name), expected);
        assert_eq!(Mutant::named(name).file(), "a.rs");
    }
}
