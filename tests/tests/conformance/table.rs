//! `docs/CONFORMANCE.md` names tests that exist, and all that should be there.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use ferromq_tests::{project, quoted, rows_of, tests_in, tests_of};

/// Where the tests of whole sockets and transports are.
const SOURCES: [&str; 8] = [
    "tests/tests/conformance",
    "tests/tests/hostile",
    "tests/tests/interop",
    "runtime-mio/tests",
    "transport-tcp/tests",
    "transport-rdma/src/tests",
    "wire/src/curve",
    "runtime-mio/src/security",
];

/// What the table has to have a row for.
const SECTIONS: [(&str, RangeInclusive<u32>); 13] = [
    ("A", 1..=11),
    ("B", 12..=22),
    ("C", 23..=32),
    ("D", 33..=46),
    ("E", 47..=52),
    ("F", 53..=69),
    ("G", 70..=83),
    ("H", 84..=98),
    ("I", 99..=115),
    ("HOSTILE ", 1..=60),
    ("HOSTILE ", 70..=70),
    ("HOSTILE ", 79..=79),
    ("X", 1..=5),
];

/// The rows of the document: their names, and the tests of each; `None` for
/// what is said not to be built.
fn rows() -> BTreeMap<String, Option<Vec<String>>> {
    let text = std::fs::read_to_string(project("docs/CONFORMANCE.md")).expect("the document");
    let mut rows = BTreeMap::new();
    for row in rows_of(&text, 3) {
        let [row, behaviour, tests] = &row[..] else {
            continue;
        };
        assert!(!behaviour.is_empty(), "{row} says nothing");
        let tests = (tests != "not built").then(|| quoted(tests));
        let earlier = rows.insert(row.clone(), tests);
        assert!(earlier.is_none(), "{row} is there twice");
    }
    rows
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

#[test]
fn every_hostile_test_is_in_the_row_of_its_number() {
    let rows = rows();
    for test in tests_of(SOURCES[1]) {
        let Some((number, _)) = test.strip_prefix("row_").and_then(|it| it.split_once('_')) else {
            continue;
        };
        let row = format!("HOSTILE {}", number.trim_start_matches('0'));
        let named = rows.get(&row).and_then(Option::as_ref);
        let named = named.is_some_and(|tests| tests.contains(&test));
        assert!(named, "{row} does not name {test}");
    }
}
