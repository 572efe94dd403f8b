//! Many mistakes in one build: it compiles once, and an environment variable says which
//! mistake a run makes.
//!
//! What a mistake alone costs is compiling it, some seconds; here it costs the run of
//! tests up to the first that fails. What does not compile is known from the builds before
//! the last. Mistakes in `const` functions and outside of functions are left to
//! cargo-mutants.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::change::{self, Blame, Change, Rewritten};
use super::ledger::Outcome;
use super::thrift::{Patience, Took};
use super::tool::{self, Mutant, Stage};
use super::tree::Tree;
use crate::cli::MutatedPackage;
use crate::workspace;

/// Below it is quicker to compile each.
const WORTH_IT: usize = 24;

/// More builds than any mistakes need that hide each other.
const MAX_BUILDS: u32 = 24;

/// Says which mistake is made; what is in nobody's list, none.
const VARIABLE: &str = "FERROMQ_MUTANT";

/// What asks for it.
const CHOSEN: &str = "crate::chosen_mutant::number()";

/// Where it is asked for. The packages have no standard library; their tests do.
const MODULE: &str = r#"
#[doc(hidden)]
#[allow(missing_docs)]
pub mod chosen_mutant {
    extern crate std;
    static NUMBER: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    pub fn number() -> u32 {
        *NUMBER.get_or_init(|| {
            let number = std::env::var("FERROMQ_MUTANT");
            number.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
        })
    }
}
"#;

/// The tests of a package, with the mistakes that could be built into them.
pub(super) struct Together {
    package: MutatedPackage,
    folder: PathBuf,
    programs: BTreeMap<Stage, PathBuf>,
    patience: BTreeMap<Stage, Patience>,
    numbers: BTreeMap<String, u32>,
    unviable: BTreeSet<u32>,
}

impl Together {
    /// Builds what can be of `mutants`; `None` if that is not worth it, or if nothing here
    /// limits what a program takes.
    pub(super) fn built(package: MutatedPackage, mutants: &[&Mutant]) -> io::Result<Option<Self>> {
        if mutants.len() < WORTH_IT || matches!(Patience::longest(), Patience::Time(_)) {
            return Ok(None);
        }
        println!("{}: building …", package.name());
        let tree = Tree::synced("mutants/together")?;
        tree.settle(Patience::longest())?;
        let mut sources = Sources::new(&tree, package, mutants)?;
        let programs = sources.built()?;
        let files = sources.files.values();
        let mut known: BTreeSet<u32> = files.flat_map(Rewritten::numbers).collect();
        let built = known.len();
        known.extend(&sources.unviable);
        let numbered = (1..).zip(mutants);
        let numbers = numbered.filter(|(number, _)| known.contains(number));
        let mut together = Self {
            package,
            folder: tree.folder().join(package.folder()),
            programs,
            patience: BTreeMap::new(),
            numbers: numbers
                .map(|(number, it)| (it.name.clone(), number))
                .collect(),
            unviable: sources.unviable,
        };
        let (name, all, unviable) = (package.name(), mutants.len(), together.unviable.len());
        println!("{name}: {built} of {all} in one build, {unviable} do not compile");
        together.settle()?;
        Ok(Some(together))
    }

    /// Whether it can make this mistake, or knows that nobody can.
    pub(super) fn has(&self, mutant: &Mutant) -> bool {
        self.numbers.contains_key(&mutant.name)
    }

    /// Makes a mistake it has, and runs the tests until one fails.
    pub(super) fn try_out(&self, mutant: &Mutant) -> io::Result<Outcome> {
        let number = self.numbers.get(&mutant.name).copied().unwrap_or(0);
        if self.unviable.contains(&number) {
            return Ok(Outcome::Unviable);
        }
        for stage in Stage::ALL {
            match self.run(stage, number, self.patience[&stage])? {
                Outcome::Missed => {}
                noticed => return Ok(noticed),
            }
        }
        Ok(Outcome::Missed)
    }

    /// What the stages take without a mistake; they have to pass.
    fn settle(&mut self) -> io::Result<()> {
        for stage in Stage::ALL {
            let (took, outcome) = Took::by(|| self.run(stage, 0, Patience::longest()));
            if outcome? != Outcome::Missed {
                let what = "the tests fail without a mistake in the code";
                return Err(io::Error::other(what));
            }
            self.patience.insert(stage, Patience::after(took));
        }
        Ok(())
    }

    fn run(&self, stage: Stage, number: u32, patience: Patience) -> io::Result<Outcome> {
        let [program, arguments @ ..] = &patience.limits()[..] else {
            return Err(io::Error::other("nothing limits what a program takes"));
        };
        let mut command = tool::prepared(Command::new(program));
        stage.prepare(&mut command);
        command.args(arguments).arg(&self.programs[&stage]);
        command.env(VARIABLE, number.to_string());
        command.current_dir(&self.folder);
        first_failure(&mut command).map_err(|cause| {
            let package = self.package.name();
            io::Error::new(cause.kind(), format!("the tests of {package}: {cause}"))
        })
    }
}

/// What the tests say up to the first that fails, which ends them.
fn first_failure(command: &mut Command) -> io::Result<Outcome> {
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let lines = child.stdout.take().map(BufReader::new);
    for line in lines.into_iter().flat_map(BufRead::lines) {
        let failed = line.is_ok_and(|line| line.starts_with("test ") && line.ends_with(" FAILED"));
        if failed {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::Caught);
        }
    }
    let status = child.wait()?;
    let used_up = status.signal() == Some(Signal::XCPU.as_raw());
    Ok(match status.success() {
        true => Outcome::Missed,
        false if used_up => Outcome::Timeout,
        false => Outcome::Caught,
    })
}

/// The package's files, and the mistakes that go into them.
struct Sources<'a> {
    tree: &'a Tree,
    package: MutatedPackage,
    /// As they are in the repository.
    texts: BTreeMap<String, String>,
    changes: BTreeMap<&'a str, Vec<(u32, &'a Change)>>,
    files: BTreeMap<String, Rewritten>,
    /// What does not compile.
    unviable: BTreeSet<u32>,
}

impl<'a> Sources<'a> {
    fn new(tree: &'a Tree, package: MutatedPackage, mutants: &[&'a Mutant]) -> io::Result<Self> {
        let mut changes: BTreeMap<&str, Vec<(u32, &Change)>> = BTreeMap::new();
        for (number, mutant) in (1..).zip(mutants) {
            if let Some(change) = &mutant.change {
                let of = changes.entry(mutant.file()).or_default();
                of.push((number, change));
            }
        }
        let mut texts = BTreeMap::new();
        for file in changes.keys().copied().chain([&*package.root()]) {
            texts.insert(
                file.to_owned(),
                fs::read_to_string(tree.folder().join(file))?,
            );
        }
        Ok(Self {
            tree,
            package,
            texts,
            changes,
            files: BTreeMap::new(),
            unviable: BTreeSet::new(),
        })
    }

    /// Builds the tests, again and again without what did not compile.
    fn built(&mut self) -> io::Result<BTreeMap<Stage, PathBuf>> {
        for _ in 0..MAX_BUILDS {
            self.write()?;
            let messages = self.build()?;
            if let Some(programs) = programs(&messages) {
                return Ok(programs);
            }
            let mut to_blame = BTreeSet::new();
            let places = places_of_errors(&messages);
            for blame in places.filter_map(|(file, line)| self.files.get(file)?.to_blame(line)) {
                match blame {
                    Blame::Itself(number) => {
                        self.unviable.insert(number);
                        to_blame.insert(number);
                    }
                    Blame::OneOf(numbers) => to_blame.extend(numbers),
                }
            }
            if to_blame.is_empty() {
                break;
            }
            for changes in self.changes.values_mut() {
                changes.retain(|(number, _)| !to_blame.contains(number));
            }
        }
        let what = "mistakes that compile alone do not together, and nobody knows which";
        Err(io::Error::other(what))
    }

    fn write(&mut self) -> io::Result<()> {
        let root = self.package.root();
        for (file, text) in &self.texts {
            let changes = self.changes.get(file.as_str());
            let changes = changes.map_or(&[][..], Vec::as_slice);
            let mut rewritten = change::rewrite(text, changes, CHOSEN);
            if *file == root {
                rewritten.text.push_str(MODULE);
            }
            fs::write(self.tree.folder().join(file), &rewritten.text)?;
            self.files.insert(file.clone(), rewritten);
        }
        Ok(())
    }

    /// What cargo says, a JSON object each.
    fn build(&self) -> io::Result<Vec<Value>> {
        let mut cargo = tool::prepared(workspace::cargo());
        cargo.current_dir(self.tree.folder());
        cargo.args(["test", "--no-run", "--message-format=json", "--package"]);
        cargo.arg(self.package.name());
        cargo.args(
            Stage::ALL
                .map(Stage::argument)
                .into_iter()
                .collect::<BTreeSet<_>>(),
        );
        // It is compiled once and run a thousand times.
        cargo.env("CARGO_PROFILE_TEST_OPT_LEVEL", "1");
        let output = cargo.stderr(Stdio::null()).output()?;
        let messages = output.stdout.split(|byte| *byte == b'\n');
        Ok(messages
            .filter_map(|it| serde_json::from_slice(it).ok())
            .collect())
    }
}

/// The programs with the tests of each stage, if cargo built them.
fn programs(messages: &[Value]) -> Option<BTreeMap<Stage, PathBuf>> {
    let ended = messages
        .iter()
        .find(|it| it["reason"] == "build-finished")?;
    ended["success"].as_bool()?.then_some(())?;
    let program = |stage: Stage| {
        let kind = if stage == Stage::Units { "lib" } else { "test" };
        let mut tests = messages.iter().filter(|it| it["profile"]["test"] == true);
        let built = tests.find(|it| it["target"]["kind"][0] == kind)?;
        Some((stage, PathBuf::from(built["executable"].as_str()?)))
    };
    Stage::ALL.into_iter().map(program).collect()
}

/// The file and line of whatever the compiler shows of an error.
fn places_of_errors(messages: &[Value]) -> impl Iterator<Item = (&str, usize)> {
    let errors = messages
        .iter()
        .filter(|it| it["message"]["level"] == "error");
    let spans = errors
        .flat_map(|it| it["message"]["spans"].as_array())
        .flatten();
    let primary = spans.filter(|span| span["is_primary"] == true);
    primary.filter_map(|span| {
        let line = usize::try_from(span["line_start"].as_u64()?).ok()?;
        Some((span["file_name"].as_str()?, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;
    use serde_json::json;
    use std::path::Path;

    fn outcome(script: &str) -> Outcome {
        let mut shell = Command::new("prlimit");
        shell.args(["--cpu=1:3", "sh", "-c", script]);
        first_failure(&mut shell).expect("it runs")
    }

    #[test]
    fn the_first_failure_ends_the_tests() {
        if !process::succeeds(Command::new("prlimit").arg("--version")) {
            return println!("skipped: nothing limits work here");
        }
        assert_eq!(outcome("echo test a ... ok"), Outcome::Missed);
        // It would never end by itself.
        let failing = "echo test a ... ok; echo test b ... FAILED; exec sleep infinity";
        assert_eq!(outcome(failing), Outcome::Caught);
        assert_eq!(outcome("exit 101"), Outcome::Caught, "whatever it says");
        assert_eq!(outcome("kill -ABRT $$"), Outcome::Caught);
        assert_eq!(outcome("while :; do :; done"), Outcome::Timeout);
    }

    #[test]
    fn programs_are_those_of_a_build_that_succeeded() {
        let built = |kind: &str, test: bool, executable: Value| {
            let (profile, target) = (json!({"test": test}), json!({"kind": [kind]}));
            json!({"profile": profile, "target": target, "executable": executable})
        };
        let ended = |success| json!({"reason": "build-finished", "success": success});
        let mut messages = vec![
            built("lib", false, Value::Null),
            built("lib", true, json!("units")),
            built("test", true, json!("suite")),
            ended(true),
        ];
        let programs = programs(&messages).expect("both");
        let names: Vec<&Path> = programs.values().map(PathBuf::as_path).collect();
        assert_eq!(names, ["units", "suite", "suite"].map(Path::new));
        messages.pop();
        messages.push(ended(false));
        assert!(super::programs(&messages).is_none());
    }

    #[test]
    fn errors_are_found_where_they_are_shown() {
        let span = |line: u64, primary: bool| json!({"file_name": "wire/src/frame.rs", "line_start": line, "is_primary": primary});
        let message = |level: &str, line| json!({"message": {"level": level, "spans": [span(line, true), span(line + 1, false)]}});
        let messages = [message("warning", 3), message("error", 7)];
        let places: Vec<_> = places_of_errors(&messages).collect();
        assert_eq!(places, [("wire/src/frame.rs", 7)]);
    }
}
