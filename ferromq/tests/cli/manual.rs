//! What the manual shows on a shell happens so.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::Program;

/// Commands of a page, each with the output that stands below it.
fn shown(page: &str) -> Vec<(String, Vec<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/manual")
        .join(page);
    let text = std::fs::read_to_string(path).expect("the page");
    let shown = text.split("\n```sh\n").skip(1).filter_map(|rest| {
        let (commands, rest) = rest.split_once("\n```\n")?;
        let output = rest.strip_prefix("\n```text\n")?.split_once("\n```\n")?.0;
        Some((
            commands.to_owned(),
            output.lines().map(str::to_owned).collect(),
        ))
    });
    shown.collect()
}

#[test]
fn what_the_guide_shows_is_what_comes() {
    let shown = shown("guide.md");
    assert_eq!(shown.len(), 5, "a block of commands lost its output");
    let program = Path::new(env!("CARGO_BIN_EXE_ferromq"));
    let programs = program.parent().expect("a directory").display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    for (commands, output) in shown {
        let directory = tempfile::tempdir().expect("a directory");
        let mut shell = Command::new("sh");
        shell
            .args(["-e", "-c", &commands])
            .current_dir(directory.path())
            .env("PATH", &path)
            .stdout(Stdio::piped());
        let ended = Program::of(&mut shell).end();
        assert_eq!(
            (ended.code, &ended.stdout),
            (Some(0), &output),
            "{commands}\n{:?}",
            ended.stderr
        );
    }
}
