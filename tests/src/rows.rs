//! The names of the project's tests, as its sources have them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file or folder of the project.
#[must_use]
pub fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The names of all tests in the Rust files of a folder.
///
/// # Panics
///
/// If there is no such folder, or a file in it cannot be read.
#[must_use]
pub fn tests_of(folder: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    files_below(&project(folder), &mut files);
    let read = |file: &PathBuf| fs::read_to_string(file).expect("a source file");
    files
        .iter()
        .flat_map(|file| tests_in(&read(file)))
        .collect()
}

/// The names of the tests in a source file: functions behind `#[test]`, and
/// scenarios that a macro makes two tests of.
#[must_use]
pub fn tests_in(source: &str) -> Vec<String> {
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

/// The rows of the tables in a page that have so many cells, without headings:
/// the cells.
#[must_use]
pub fn rows_of(page: &str, cells: usize) -> Vec<Vec<String>> {
    let split = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = page.lines().filter(|line| line.starts_with('|')).map(split);
    let heading = |row: &Vec<String>| row[0] == "Row" || row[0].starts_with('-');
    rows.filter(|row| row.len() == cells && !heading(row))
        .collect()
}

/// What a cell has between backticks.
#[must_use]
pub fn quoted(cell: &str) -> Vec<String> {
    let odd = cell.split('`').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}

fn files_below(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of tests") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_what_is_behind_the_attribute() {
        let source = "#[test]\nfn a01_one() {\n}\nfn helper() {}\n    fn two(endpoint) {\n";
        assert_eq!(tests_in(source), ["a01_one", "two"]);
    }

    #[test]
    fn rows_are_cells_without_headings() {
        let page = "| Row | What |\n|---|---|\n| A1 | `x` and `y` |\n| only one |\ntext\n";
        let rows = rows_of(page, 2);
        assert_eq!(rows, [["A1", "`x` and `y`"]]);
        assert_eq!(quoted(&rows[0][1]), ["x", "y"]);
    }
}
