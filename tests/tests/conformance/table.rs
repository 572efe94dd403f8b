//! `docs/CONFORMANCE.md` names tests that exist, and all that should be there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Where the tests of whole sockets and transports are.
const SOURCES: [&str; 6] = [
    "tests/tests/conformance",
    "tests/tests/interop",
    "runtime-mio/tests",
    "transport-tcp/tests",
    "wire/src/curve",
    "runtime-mio/src/security",
];

/// What the table has to have a row for.
const SECTIONS: [(&str, RangeInclusive<u32>); 11] = [
    ("A", 1..=11),
    ("B", 12..=22),
    ("C", 23..=32),
    ("D", 33..=46),
    ("E", 47..=52),
    ("F", 53..=69),
    ("G", 70..=83),
    ("H", 84..=98),
    ("I", 99..=115),
    ("HOSTILE ", 1..=39),
    ("X", 1..=5),
];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The rows of the document: their names, and the tests of each; `None` for
/// what is said not to be built.
fn rows() -> BTreeMap<String, Option<Vec<String>>> {
    let text = std::fs::read_to_string(project("docs/CONFORMANCE.md")).expect("the document");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, row, behaviour, tests, _] = cells[..] else {
            continue;
        };
        if row == "Row" || row.starts_with('-') {
            continue;
        }
        assert!(!behaviour.is_empty(), "{row} says nothing");
        let named = tests.split('`').skip(1).step_by(2).map(str::to_owned);
        let tests = (tests != "not built").then(|| named.collect());
        let earlier = rows.insert(row.to_owned(), tests);
        assert!(earlier.is_none(), "{row} is there twice");
    }
    rows
}

fn files_below(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory of tests") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The names of the tests in a source file: functions behind `#[test]`, and
/// scenarios that a macro makes two tests of.
fn tests_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(function) = line.strip_prefix("fn ") {
            let name = function.split(['(', '<']).next().unwrap_or_default();
            if is_test || function.contains("(endpoint) {") {
                found.push(name.to_owned());
            }
            is_test = false;
        }
    }
    found
}

fn tests_of(folder: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    files_below(&project(folder), &mut files);
    let read = |file: &PathBuf| std::fs::read_to_string(file).expect("a source file");
    files
        .iter()
        .flat_map(|file| tests_in(&read(file)))
        .collect()
}

#[test]
fn every_test_that_the_table_names_exists() {
    let existing: BTreeSet<String> = SOURCES.into_iter().flat_map(tests_of).collect();
    for (row, tests) in rows() {
        let Some(tests) = tests else { continue };
        assert!(!tests.is_empty(), "{row} has no test");
        for test in tests {
            assert!(
                existing.contains(&test),
                "{row} names {test}, which is gone"
            );
        }
    }
}

#[test]
fn every_conformance_test_is_in_the_table() {
    let named: BTreeSet<String> = rows().into_values().flatten().flatten().collect();
    let about_the_table = tests_in(include_str!("table.rs"));
    for test in tests_of(SOURCES[0]) {
        let placed = named.contains(&test) || about_the_table.contains(&test);
        assert!(placed, "{test} is in no row");
    }
}

#[test]
fn every_row_is_in_the_table() {
    let rows = rows();
    for (section, numbers) in SECTIONS {
        for number in numbers {
            let row = format!("{section}{number}");
            assert!(rows.contains_key(&row), "{row} is missing");
        }
    }
}
