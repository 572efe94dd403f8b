//! `cargo xtask coverage`: which lines the tests of the libraries run through.
//!
//! rustc counts, and LLVM's tools, which Debian has, read what was counted. They are
//! of another version of LLVM than rustc's; a version that cannot read it says so.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::process::{self, Finished};
use crate::reliability::{self, Figures};
use crate::{setup, workspace};

/// The folders whose lines are counted.
const COUNTED: [&str; 7] = [
    "wire",
    "patterns",
    "transport",
    "transport-tcp",
    "transport-shm",
    "transport-rdma",
    "runtime-mio",
];

/// Whose tests are run: those, and the tests of whole sockets.
const TESTED: [&str; 8] = [
    "ferromq-wire",
    "ferromq-patterns",
    "ferromq-transport",
    "ferromq-transport-tcp",
    "ferromq-transport-shm",
    "ferromq-transport-rdma",
    "ferromq-mio",
    "ferromq-tests",
];

/// Versions of LLVM to look for, the newest first.
const VERSIONS: [&str; 4] = ["22", "21", "20", "19"];

pub(crate) fn run() -> io::Result<ExitCode> {
    let tools = Tools::found()?;
    let profiles = folder().join("profiles");
    let _ = fs::remove_dir_all(&profiles); // of the last run
    println!("coverage: building the tests …");
    let programs = programs(&profiles)?;
    println!("coverage: running {} programs of tests …", programs.len());
    let passed = process::run(&mut test(&profiles, &[]))?;
    if !passed.succeeded {
        passed.lines.iter().for_each(|line| println!("{line}"));
        println!("coverage: not stored, for tests fail");
        return Ok(ExitCode::FAILURE);
    }
    let lines = counted(&tools.export(&profiles, &programs)?);
    let mut figures = Figures::new(
        "coverage: lines that tests run through, of those with code; \
         tests themselves are left out where they have files of their own",
    );
    figures.tool(format!("llvm {}", tools.version));
    for (name, lines) in lines {
        let share = reliability::per_cent(lines.covered, lines.count);
        println!("{name}: {share} % of {} lines", lines.count);
        figures.set(format!("{name}: lines"), lines.count);
        figures.set(format!("{name}: lines covered, in per cent"), share);
    }
    figures.store("coverage")?;
    Ok(ExitCode::SUCCESS)
}

fn folder() -> PathBuf {
    workspace::target_dir().join("coverage")
}

/// `cargo test` of everything, counting.
fn test(profiles: &Path, arguments: &[&str]) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--locked", "--tests"]);
    for package in TESTED {
        cargo.args(["--package", package]);
    }
    cargo.args(arguments);
    cargo.env("RUSTFLAGS", "-C instrument-coverage");
    cargo.env("CARGO_TARGET_DIR", folder());
    cargo.env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"));
    cargo
}

/// Builds the tests' programs and names them.
fn programs(profiles: &Path) -> io::Result<Vec<PathBuf>> {
    let Finished { succeeded, lines } = process::run(&mut test(profiles, &["--no-run"]))?;
    if !succeeded {
        lines.iter().for_each(|line| println!("{line}"));
        return Err(io::Error::other("the tests do not build"));
    }
    let arguments = ["--no-run", "--message-format=json"];
    let messages = test(profiles, &arguments).output()?.stdout;
    let program = |line: &str| -> Option<PathBuf> {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    };
    let messages = String::from_utf8_lossy(&messages);
    Ok(messages.lines().filter_map(program).collect())
}

/// Two programs of one version of LLVM.
struct Tools {
    version: &'static str,
}

impl Tools {
    /// Debian's, which are installed if need be and if we may.
    fn found() -> io::Result<Self> {
        let installed = || {
            let mut versions = VERSIONS.into_iter();
            versions.find(|version| {
                ["llvm-cov", "llvm-profdata"].iter().all(|tool| {
                    process::succeeds(Command::new(format!("{tool}-{version}")).arg("--version"))
                })
            })
        };
        let version = installed().or_else(|| {
            setup::install(&["llvm-19"]);
            installed()
        });
        let enable = "llvm-cov is missing; to install it: sudo apt-get install llvm-19";
        let version = version.ok_or_else(|| io::Error::other(enable))?;
        Ok(Self { version })
    }

    /// What was counted in each file.
    fn export(&self, profiles: &Path, programs: &[PathBuf]) -> io::Result<Value> {
        let merged = folder().join("merged.profdata");
        let mut merge = Command::new(format!("llvm-profdata-{}", self.version));
        merge.args(["merge", "--sparse", "-o"]).arg(&merged);
        merge.arg(profiles);
        let Finished { succeeded, lines } = process::run(&mut merge)?;
        if !succeeded {
            lines.iter().for_each(|line| println!("{line}"));
            return Err(io::Error::other(
                "LLVM's tools do not read what rustc counted",
            ));
        }
        let mut export = Command::new(format!("llvm-cov-{}", self.version));
        export.args(["export", "--summary-only", "--instr-profile"]);
        export.arg(&merged);
        for program in programs {
            export.arg("--object").arg(program);
        }
        let output = export.output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Lines with code.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Lines {
    count: u64,
    covered: u64,
}

/// The lines of each counted folder.
fn counted(exported: &Value) -> BTreeMap<&'static str, Lines> {
    let mut counted: BTreeMap<&str, Lines> = BTreeMap::new();
    for file in exported["data"][0]["files"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let path = file["filename"].as_str().unwrap_or_default();
        let path = Path::new(path);
        let path = path.strip_prefix(workspace::root()).unwrap_or(path);
        let Some(name) = counted_in(path) else {
            continue;
        };
        let lines = &file["summary"]["lines"];
        let number = |key: &str| lines[key].as_u64().unwrap_or(0);
        let sum = counted.entry(name).or_default();
        sum.count += number("count");
        sum.covered += number("covered");
    }
    counted
}

/// The folder that a file counts for: sources do, tests and suites of tests do not.
fn counted_in(path: &Path) -> Option<&'static str> {
    const TESTS: [&str; 8] = [
        "tests",
        "tests.rs",
        "models",
        "models.rs",
        "conformance",
        "fuzzing.rs",
        // Verbs without a device.
        "soft",
        "testing.rs",
    ];
    let mut parts = path.iter().map(|part| part.to_string_lossy());
    let folder = parts.next()?;
    if parts.next()? != "src" || parts.any(|part| TESTS.contains(&&*part)) {
        return None;
    }
    COUNTED.into_iter().find(|name| *name == folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_summed_over_sources_without_tests() {
        let file = |path: &str, count: u64, covered: u64| {
            let lines = json!({"count": count, "covered": covered});
            let path = workspace::root().join(path);
            json!({"filename": path, "summary": {"lines": lines}})
        };
        let files = [
            file("wire/src/frame.rs", 10, 9),
            file("wire/src/curve/mod.rs", 20, 20),
            file("wire/src/curve/tests.rs", 50, 50),
            file("wire/tests/suite/main.rs", 50, 50),
            file("ferromq/src/lib.rs", 50, 50),
            json!({"filename": "/elsewhere/src/lib.rs"}),
        ];
        let counted = counted(&json!({"data": [{"files": files}]}));
        let lines = Lines {
            count: 30,
            covered: 29,
        };
        assert_eq!(counted, BTreeMap::from([("wire", lines)]));
    }
}
