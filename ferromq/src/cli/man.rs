//! `ferromq man`: manual pages, made of the same words as `--help`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::args::Cli;
use super::error::Failure;

pub(crate) const HELP: &str = "\
Without a directory the page ferromq(1) goes to standard output. With one, it
and a page for each verb are written there, ferromq.1, ferromq-push.1 and so on.

Examples:
  ferromq man | man -l -
  ferromq man ~/.local/share/man/man1";

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write all pages into this directory, which is made where it is missing
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
}

/// Prints one page, or writes them all.
pub(crate) fn print(args: &ManArgs) -> Result<(), Failure> {
    let mut program = Cli::command().disable_help_subcommand(true);
    // Gives the verbs their full names.
    program.build();
    match &args.directory {
        Some(directory) => write_all(&program, directory),
        None => io::stdout()
            .write_all(page(&program).as_bytes())
            .map_err(Failure::output),
    }
}

fn write_all(program: &Command, directory: &Path) -> Result<(), Failure> {
    let failed = |file: &Path, cause| Failure::File {
        file: file.display().to_string(),
        cause,
    };
    std::fs::create_dir_all(directory).map_err(|cause| failed(directory, cause))?;
    let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
    for command in std::iter::once(program).chain(verbs) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let file = directory.join(format!("{name}.1"));
        std::fs::write(&file, page(command)).map_err(|cause| failed(&file, cause))?;
    }
    Ok(())
}

fn page(command: &Command) -> String {
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .expect("memory takes what is written");
    // What stands behind the options of our verbs is notes and examples.
    String::from_utf8_lossy(&page).replacen(".SH EXTRA\n", ".SH EXAMPLES\n", 1)
}
