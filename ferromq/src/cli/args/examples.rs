//! The commands that help and manual show are commands that the program knows.

use std::path::Path;

use clap::{CommandFactory, Parser};

use super::Cli;

/// The words of each command called `ferromq` in a line for a shell: enough of a
/// shell for what is shown.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quoted) = (None::<String>, false);
    for character in line.chars().chain([' ']) {
        match character {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            _ if quoted => word.get_or_insert_default().push(character),
            '#' if word.is_none() => break,
            ' ' => commands
                .last_mut()
                .into_iter()
                .for_each(|it| it.extend(word.take())),
            '|' | '&' | ';' | '(' | ')' => {
                commands
                    .last_mut()
                    .into_iter()
                    .for_each(|it| it.extend(word.take()));
                commands.push(Vec::new());
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    let known = commands.into_iter().filter_map(|words| {
        // Behind variables, up to a redirection.
        let words = words.into_iter().skip_while(|word| word.contains('='));
        let words: Vec<_> = words
            .take_while(|word| !word.starts_with(['<', '>']))
            .collect();
        (words.first()? == "ferromq").then_some(words)
    });
    known.collect()
}

/// Checks every command in this text; answers how many there were.
fn check(text: &str) -> usize {
    let mut seen = 0;
    // A command may go on in the next line.
    for line in text.replace("\\\n", " ").lines() {
        for words in commands(line) {
            if let Err(error) = Cli::try_parse_from(&words) {
                assert!(!error.use_stderr(), "{line}\n{error}");
            }
            seen += 1;
        }
    }
    seen
}

#[test]
fn a_line_is_taken_apart_as_a_shell_does() {
    let line = "A=1 ferromq rep --exec 'tr a-z A-Z' > x & seq 3 | ferromq push # ferromq x";
    let taken = commands(line);
    let expected: [&[&str]; 2] = [
        &["ferromq", "rep", "--exec", "tr a-z A-Z"],
        &["ferromq", "push"],
    ];
    assert_eq!(taken, expected);
}

#[test]
fn the_examples_of_every_verb_are_commands_of_ours() {
    let mut program = Cli::command();
    program.build();
    for verb in program.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let help = verb
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let examples = help.split("Examples:").nth(1).unwrap_or_default();
        assert!(check(examples) > 0 || verb.get_name() == "help", "{help}");
    }
}

#[test]
fn the_commands_in_the_pages_are_commands_of_ours() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/manual"] {
        let entries = std::fs::read_dir(root.join(folder)).expect("a folder of pages");
        let files = entries.map(|entry| entry.expect("an entry").path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|it| it == "md")));
    }
    let mut seen = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a page");
        let blocks = text.split("\n```sh\n").skip(1);
        let blocks = blocks.filter_map(|rest| rest.split("\n```").next());
        for block in blocks {
            // What runs from a checkout is the same command.
            let block = block.replace("cargo run --release -- ", "ferromq ");
            seen += check(&block);
        }
    }
    assert!(seen > 15, "{seen} commands");
}
