//! The examples, each against a peer that is real ZeroMQ.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::group::Outcome;
use crate::process;
use crate::setup;
use crate::tasks::{firmware, freestanding, programs};
use crate::workspace;

/// The folders below `examples/` with programs and a `check.py`, and how they
/// are built. (The firmware is a group of its own: it needs more.)
const EXAMPLES: [(&str, Build); 4] = [
    ("own-loop", || member("example-own-loop")),
    ("programs", programs::built),
    ("tokio", || member("example-tokio")),
    ("freestanding", || {
        freestanding::build("examples/freestanding", "example-freestanding")
    }),
];
type Build = fn() -> Result<PathBuf, Outcome>;

/// Builds and checks the examples with this text in their names.
pub(crate) fn check(filter: Option<&str>) -> Outcome {
    let filter = filter.unwrap_or_default();
    let mut outcome = Outcome::Passed;
    for (name, build) in EXAMPLES {
        if name.contains(filter) && matches!(outcome, Outcome::Passed) {
            println!("    examples/{name}");
            outcome = build().map_or_else(|not_built| not_built, |it| converse(name, &it));
        }
    }
    outcome
}

/// The example that is the firmware of a Cortex-M4, under QEMU.
pub(crate) fn check_firmware() -> Outcome {
    let built = firmware::build("examples/cortex-m4", "example-cortex-m4");
    built.map_or_else(|not_built| not_built, |it| converse("cortex-m4", &it))
}

/// Runs the example's `check.py`, which starts the program, is its peer, and ends
/// by itself after a minute at the latest.
fn converse(example: &str, program: &Path) -> Outcome {
    let python = match setup::python() {
        Ok(python) => python,
        Err(missing) => return Outcome::skipped(missing.why, missing.enable),
    };
    let folder = workspace::root().join("examples").join(example);
    let mut check = Command::new(python);
    check.arg("-B").arg(folder.join("check.py")).arg(program);
    match process::run(&mut check) {
        Ok(finished) if finished.succeeded => {
            if let Some(line) = finished.lines.last() {
                println!("      {line}");
            }
            Outcome::Passed
        }
        failed => failed.into(),
    }
}

/// A program of the workspace that is called as its package is.
fn member(package: &str) -> Result<PathBuf, Outcome> {
    Ok(programs::built()?.join(package))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Rust in a page: after which file's name it stands, and the code.
    fn quotations(page: &str) -> Vec<(String, String)> {
        let mut from = String::new();
        let mut quotations = Vec::new();
        let mut lines = page.lines();
        while let Some(line) = lines.next() {
            if let Some(link) = line.strip_prefix("From [") {
                let end = link.find(']').expect("a link");
                from = link[..end].to_owned();
            } else if line == "```rust" {
                let code = lines.by_ref().take_while(|line| *line != "```");
                let code = code.collect::<Vec<_>>().join("\n");
                quotations.push((std::mem::take(&mut from), code));
            }
        }
        quotations
    }

    #[test]
    fn what_the_pages_quote_stands_in_the_examples() {
        for (page, quoted) in [("docs/embedding.md", 6), ("docs/fuzzing.md", 1)] {
            let text = fs::read_to_string(workspace::root().join(page)).expect(page);
            let quotations = quotations(&text);
            assert_eq!(quotations.len(), quoted, "{page}");
            for (file, code) in quotations {
                let source = fs::read_to_string(workspace::root().join(&file)).expect(&file);
                assert!(source.contains(&code), "{page}: not in {file}:\n{code}");
            }
        }
    }

    #[test]
    fn every_example_is_short_enough_to_be_read_at_once() {
        let folders = [
            "own-loop",
            "tokio",
            "freestanding",
            "cortex-m4",
            "alternative-transport",
        ];
        for folder in folders {
            let sources = workspace::root().join("examples").join(folder).join("src");
            let mut lines = 0;
            for entry in fs::read_dir(&sources).expect("there are sources") {
                let path = entry.expect("readable").path();
                lines += fs::read_to_string(path).expect("readable").lines().count();
            }
            assert!(lines < 150, "{folder}: {lines} lines");
        }
    }

    #[test]
    fn every_small_program_is_one_short_file_with_a_line_in_the_readme() {
        let folder = workspace::root().join("examples/programs");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        let readme = fs::read_to_string(folder.join("README.md")).expect("a page");
        let mut programs = 0;
        for path in manifest
            .lines()
            .filter_map(|line| line.strip_prefix("path = "))
        {
            let path = path.trim_matches('"');
            let source = fs::read_to_string(folder.join(path)).expect(path);
            assert!(source.lines().count() < 150, "{path} is too long");
            assert!(source.contains("\nExamples:"), "{path}: --help without");
            assert!(readme.contains(&format!("({path})")), "README: no {path}");
            programs += 1;
        }
        assert_eq!(programs, 22);
    }

    #[test]
    fn every_example_is_run() {
        let folders = fs::read_dir(workspace::root().join("examples")).expect("there are some");
        for folder in folders.map(|entry| entry.expect("readable").path()) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy();
            let known = name == "cortex-m4" || EXAMPLES.iter().any(|(known, _)| *known == name);
            assert!(
                known || !folder.join("check.py").exists(),
                "{name} is not run"
            );
        }
    }
}
