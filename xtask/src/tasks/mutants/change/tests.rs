use std::fs;
use std::process::Command;

use super::*;
use crate::process;

const SOURCE: &str = "\
// Füße: columns count characters.
const fn limit() -> u32 { 7 + 1 }

pub fn larger(a: u32, b: u32) -> u32 {
    // The larger one.
    if a > b { a } else { b }
}

fn main() {
    /* ü */ let sum = larger(2, 1) + limit();
    std::process::exit(sum as i32)
}
";

fn span(start: (usize, usize), end: (usize, usize)) -> Span {
    let place = |(line, column)| Place { line, column };
    Span {
        start: place(start),
        end: place(end),
    }
}

fn change(function: Span, span: Span, replacement: &str) -> Change {
    Change {
        function,
        span,
        replacement: replacement.to_owned(),
    }
}

/// Of `larger`: its result, its operator, what does not compile; of `main`, and of `limit`.
fn changes() -> [Change; 5] {
    let larger = span((4, 1), (7, 2));
    let main = span((9, 1), (12, 2));
    [
        change(larger, span((6, 5), (6, 30)), "0"),
        change(larger, span((6, 10), (6, 11)), "<"),
        change(larger, span((6, 5), (6, 30)), "nothing"),
        change(main, span((10, 36), (10, 37)), "*"),
        change(span((2, 1), (2, 34)), span((2, 29), (2, 30)), "-"),
    ]
}

fn rewritten(numbers: &[u32]) -> Rewritten {
    let changes = changes();
    let numbered: Vec<(u32, &Change)> = numbers
        .iter()
        .map(|number| (*number, &changes[*number as usize - 1]))
        .collect();
    let chosen = "std::env::args().nth(1).map_or(0, |it| it.parse::<u32>().unwrap())";
    rewrite(SOURCE, &numbered, chosen)
}

#[test]
fn one_program_makes_each_mistake_that_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, program) = (folder.path().join("main.rs"), folder.path().join("main"));
    fs::write(&source, rewritten(&[1, 2, 4]).text).expect("written");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition=2024", "-o"]).arg(&program);
    let compiled = process::run(rustc.arg(&source)).expect("rustc runs");
    assert!(compiled.succeeded, "{}", compiled.lines.join("\n"));
    let ends_with = |number: &str| {
        let status = Command::new(&program).arg(number).status();
        status.expect("it runs").code()
    };
    assert_eq!(ends_with("0"), Some(10), "without a mistake");
    assert_eq!(ends_with("1"), Some(8), "a result");
    assert_eq!(ends_with("2"), Some(9), "an operator");
    assert_eq!(ends_with("4"), Some(16), "another function");
}

#[test]
fn a_constant_function_stays_as_it_is() {
    let rewritten = rewritten(&[1, 5]);
    assert_eq!(rewritten.numbers().collect::<Vec<_>>(), [1]);
    assert!(rewritten.text.contains("const fn limit() -> u32 { 7 + 1 }"));
}

#[test]
fn a_function_with_a_type_for_each_copy_stays_as_it_is() {
    let source = "fn a() -> impl Fn() -> u32 {\n    || 1\n}\n";
    let result = change(span((1, 1), (3, 2)), span((2, 5), (2, 9)), "|| 2");
    let rewritten = rewrite(source, &[(1, &result)], "0");
    assert_eq!((rewritten.numbers().count(), &*rewritten.text), (0, source));
}

#[test]
fn a_function_within_another_stays_as_it_is() {
    let source = "fn a() -> u32 {\n    fn b() -> u32 { 1 }\n    b()\n}\n";
    let outer = change(span((1, 1), (4, 2)), span((3, 5), (3, 8)), "2");
    let inner = change(span((2, 5), (2, 24)), span((2, 21), (2, 22)), "3");
    let rewritten = rewrite(source, &[(1, &outer), (2, &inner)], "0");
    assert_eq!(rewritten.numbers().collect::<Vec<_>>(), [1]);
}

#[test]
fn who_is_to_blame_for_a_line_is_known() {
    let rewritten = rewritten(&[1, 2, 3, 4]);
    let line = |text: &str| {
        let lines = rewritten.text.lines();
        1 + lines.take_while(|line| !line.contains(text)).count()
    };
    let blame = |text| rewritten.to_blame(line(text));
    assert_eq!(blame("nothing"), Some(Blame::Itself(3)));
    assert_eq!(blame("if a < b"), Some(Blame::Itself(2)));
    assert_eq!(blame("if a > b"), Some(Blame::OneOf(&[1, 2, 3])));
    assert_eq!(blame("larger(2, 1) +"), Some(Blame::OneOf(&[4])));
    assert_eq!(blame("Füße"), None);
}

#[test]
fn a_change_is_read_as_it_is_listed() {
    let place = |line, column| serde_json::json!({"line": line, "column": column});
    let of = |start, end| serde_json::json!({"start": start, "end": end});
    let mut listed = serde_json::json!({
        "function": {"span": of(place(4, 1), place(7, 2))},
        "span": of(place(6, 10), place(6, 11)),
        "replacement": "<",
    });
    assert_eq!(Change::listed(&listed).as_ref(), Some(&changes()[1]));
    listed["function"] = Value::Null;
    assert_eq!(Change::listed(&listed), None);
}
