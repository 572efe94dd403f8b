//! What the program prints about itself: completions and manual pages.

use std::process::{Command, Stdio};

use crate::program::Program;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ferromq");

/// The verbs of `ferromq --help`, in its order.
fn verbs() -> Vec<String> {
    let help = Program::start("--help").end().well();
    let verbs = help.iter().skip_while(|line| *line != "Commands:").skip(1);
    verbs
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .filter(|verb| verb != "help")
        .collect()
}

fn completion(shell: &str) -> String {
    let lines = Program::start(&format!("completion {shell}")).end().well();
    lines.join("\n")
}

#[test]
fn bash_completes_verbs_options_and_values() {
    // The words of a command line, and what bash then offers for the last.
    let offers = |line: &str| {
        let script = "source <(\"$0\" completion bash); COMP_WORDS=($1 \"\"); \
                      [[ $1 == *' ' ]] || COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                      _ferromq ferromq \"${COMP_WORDS[COMP_CWORD]}\" \
                      \"${COMP_WORDS[COMP_CWORD - 1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["-c", script, PROGRAM, line])
            .stdout(Stdio::piped());
        Program::of(&mut bash).end().well()
    };
    assert_eq!(offers("ferromq pu"), ["push", "pull", "pub"]);
    assert_eq!(offers("ferromq sub --to"), ["--topic"]);
    assert_eq!(
        offers("ferromq pull --format "),
        ["text", "hex", "json", "raw"]
    );
}

#[test]
fn every_shell_knows_every_verb() {
    let verbs = verbs();
    assert!(verbs.contains(&"push".to_owned()), "{verbs:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = completion(shell);
        for verb in &verbs {
            assert!(script.contains(verb.as_str()), "{shell}: no {verb}");
        }
        assert!(
            !script.contains("demo-peer"),
            "{shell} offers a hidden verb"
        );
    }
    assert!(completion("zsh").starts_with("#compdef ferromq"));
    assert!(completion("fish").contains("complete -c ferromq"));
}

#[test]
fn an_unknown_shell_is_wrong_usage_that_lists_the_known() {
    let ended = Program::start("completion tcsh").end();
    assert_eq!(ended.code, Some(2));
    let told = ended.stderr.join("\n");
    assert!(told.contains("bash") && told.contains("fish"), "{told}");
}

#[test]
fn there_is_a_manual_page_for_every_verb() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages = directory.path().join("share/man1");
    let path = pages.to_str().expect("a path of text");
    Program::start_with(&["man", path]).end().well();

    let mut expected: Vec<String> = verbs()
        .iter()
        .map(|verb| format!("ferromq-{verb}.1"))
        .collect();
    expected.push("ferromq.1".into());
    expected.sort();
    let entries = std::fs::read_dir(&pages).expect("the directory was made");
    let mut written: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(written, expected);

    let push = std::fs::read_to_string(pages.join("ferromq-push.1")).expect("a page");
    for what in [
        ".TH ferromq-push 1",
        "fBferromq push",
        "\\-\\-connect",
        ".SH EXAMPLES",
        "  seq 1000 | ferromq push",
    ] {
        assert!(push.contains(what), "{what} is not in\n{push}");
    }
}

#[test]
fn the_page_of_the_program_names_all_verbs() {
    let page = Program::start("man").end().well().join("\n");
    for verb in verbs() {
        let reference = format!("ferromq\\-{}(1)", verb.replace('-', "\\-"));
        assert!(page.contains(&reference), "{reference} is not in\n{page}");
    }
    assert!(!page.contains("demo\\-peer"), "a hidden verb is shown");
}

#[test]
fn a_page_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("room");
    let path = file.to_str().expect("a path of text");
    let ended = Program::start_with(&["man", path]).end();
    let told = format!("ferromq: cannot write {path}: File exists (os error 17)");
    ended.with(1, &told);
}

#[test]
fn a_reader_that_went_is_no_failure() {
    for line in ["completion bash", "man"] {
        let script = format!("\"$0\" {line} | true; exit ${{PIPESTATUS[0]}}");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, PROGRAM]).stdout(Stdio::piped());
        Program::of(&mut bash).end().well();
    }
}
