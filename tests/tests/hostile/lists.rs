//! The lists of rows in `docs/RELIABILITY.md` are made of the tests' names:
//!
//! ```sh
//! FERROMQ_WRITE_LISTS=1 cargo test -p ferromq-tests --test hostile lists
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

use ferromq_tests::{project, quoted, rows_of, tests_in, tests_of};

const PAGE: &str = "docs/RELIABILITY.md";
const WRITE: &str = "FERROMQ_WRITE_LISTS";

/// The rows of hostile input that there are.
const HOSTILE: u32 = 79;

/// Those that no peer can reach, and why.
const UNREACHABLE: [(u32, &str); 3] = [
    (71, "a torn write of a journal: no journal is built"),
    (72, "a full disk: no journal is built"),
    (73, "a coordinator of an old term: no cluster is built"),
];

/// The sections of the conformance list.
const SECTIONS: [(char, &str); 9] = [
    ('A', "Greeting and version"),
    ('B', "Framing"),
    ('C', "NULL handshake and metadata"),
    ('D', "PLAIN, CURVE, ZAP"),
    ('E', "Heartbeats"),
    ('F', "REQ, REP, DEALER, ROUTER"),
    ('G', "PUB, SUB, XPUB, XSUB"),
    ('H', "PUSH, PULL, PAIR, queues, lifetime"),
    ('I', "The draft types"),
];

/// The tests of each row of hostile input: `row_07_versions_above_3`.
fn hostile_tests() -> BTreeMap<u32, Vec<String>> {
    let mut rows: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let of_lists: BTreeSet<String> = tests_in(include_str!("lists.rs")).into_iter().collect();
    let of_queues = tests_in(include_str!("../../../transport-rdma/src/tests/hostile.rs"));
    let sockets = tests_of("tests/tests/hostile");
    for test in sockets.difference(&of_lists).chain(&of_queues) {
        let number = test
            .strip_prefix("row_")
            .and_then(|rest| rest.split('_').next());
        let number = number.and_then(|digits| digits.parse().ok());
        let number = number.unwrap_or_else(|| panic!("{test} is no row_NN_what"));
        rows.entry(number).or_default().push(test.clone());
    }
    rows
}

fn hostile_list() -> String {
    let tests = hostile_tests();
    let unreachable: BTreeMap<u32, &str> = UNREACHABLE.into_iter().collect();
    let mut list = String::from("| Row | Test |\n|---|---|\n");
    let mut reasons = String::from("\n| Row | No test, because |\n|---|---|\n");
    for row in 1..=HOSTILE {
        match (tests.get(&row), unreachable.get(&row)) {
            (Some(tests), None) => {
                for test in tests {
                    let _ = writeln!(list, "| {row} | `{test}` |");
                }
            }
            (None, Some(why)) => {
                let _ = writeln!(reasons, "| {row} | {why} |");
            }
            (Some(_), Some(_)) => panic!("row {row} is tested and said to be out of reach"),
            (None, None) => panic!("row {row} has neither test nor reason"),
        }
    }
    list + &reasons
}

/// The rows that a name begins with: `c23_c24_either_side` has two.
fn rows_in(name: &str) -> impl Iterator<Item = String> + '_ {
    let is_row = |part: &&str| {
        let mut characters = part.chars();
        characters
            .next()
            .is_some_and(|first| first.is_ascii_lowercase())
            && part.len() > 1
            && characters.all(|digit| digit.is_ascii_digit())
    };
    let rows = name.split('_').take_while(is_row);
    rows.map(|row| {
        format!(
            "{}{}",
            row[..1].to_uppercase(),
            row[1..].trim_start_matches('0')
        )
    })
}

/// Which tests there are of each row: by their own names, and by the table of
/// conformance where they have others.
fn conformance_tests() -> BTreeMap<String, BTreeSet<String>> {
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for test in tests_of("tests/tests/conformance") {
        for row in rows_in(&test) {
            rows.entry(row).or_default().insert(test.clone());
        }
    }
    let page = fs::read_to_string(project("docs/CONFORMANCE.md")).expect("the page");
    for row in rows_of(&page, 3) {
        let named = quoted(&row[2]);
        rows.entry(row[0].clone()).or_default().extend(named);
    }
    rows
}

fn conformance_list() -> String {
    let tests = conformance_tests();
    let mut list = String::from("| Section | Rows, and how many tests each has |\n|---|---|\n");
    let mut next = 1..;
    for (letter, title) in SECTIONS {
        let mut rows: Vec<(u32, usize)> = tests
            .iter()
            .filter_map(|(row, tests)| {
                let number = row.strip_prefix(letter)?.parse().ok()?;
                Some((number, tests.len()))
            })
            .collect();
        rows.sort_unstable();
        let untested = rows.iter().find(|(_, tests)| *tests == 0);
        assert_eq!(untested, None, "of section {letter}");
        for (row, _) in &rows {
            assert_eq!(
                Some(*row),
                next.next(),
                "of section {letter}: none is left out"
            );
        }
        let rows: Vec<String> = rows
            .iter()
            .map(|(row, tests)| format!("{letter}{row}: {tests}"))
            .collect();
        let _ = writeln!(list, "| {letter}. {title} | {} |", rows.join(", "));
    }
    list
}

/// The page with this list in the place that is marked for it.
fn with_list(page: &str, name: &str, list: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name}: begin -->"),
        format!("<!-- {name}: end -->"),
    );
    let (before, rest) = page.split_once(&begin).expect("the place is marked");
    let (_, after) = rest.split_once(&end).expect("the end of it, too");
    format!("{before}{begin}\n\n{list}\n{end}{after}")
}

#[test]
fn the_lists_in_reliability_are_those_of_the_tests() {
    let page = fs::read_to_string(project(PAGE)).expect("the page");
    let made = with_list(&page, "hostile rows", &hostile_list());
    let made = with_list(&made, "conformance rows", &conformance_list());
    if std::env::var_os(WRITE).is_some() {
        fs::write(project(PAGE), &made).expect("the page");
    }
    let stale = page != made && std::env::var_os(WRITE).is_none();
    assert!(
        !stale,
        "the lists in {PAGE} are not those of the tests: write them with {WRITE}=1"
    );
}

#[test]
fn rows_are_read_off_names() {
    let rows = |name| rows_in(name).collect::<Vec<_>>();
    assert_eq!(rows("a01_a02_our_greeting"), ["A1", "A2"]);
    assert_eq!(rows("i100_clients_send_one_frame"), ["I100"]);
    assert_eq!(rows("d_addresses_are_looked_at"), Vec::<String>::new());
}
