//! `ferromq completion`: the shell completes verbs and options.

use std::io::{self, Write};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::error::Failure;

pub(crate) const HELP: &str = "\
Put what it prints where the shell looks for completions, once, or let the
shell read it each time it starts.

Examples:
  ferromq completion bash > ~/.local/share/bash-completion/completions/ferromq
  ferromq completion zsh > ~/.zfunc/_ferromq
  ferromq completion fish > ~/.config/fish/completions/ferromq.fish
  source <(ferromq completion bash)";

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// For this shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Prints the completions of one shell.
pub(crate) fn print(args: &CompletionArgs) -> Result<(), Failure> {
    // To memory first: clap_complete panics when the reader of a pipe is gone.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut shown(), "ferromq", &mut script);
    io::stdout().write_all(&script).map_err(Failure::output)
}

/// The command line without the verbs that `--help` does not show either:
/// clap_complete would offer them.
fn shown() -> Command {
    let program = Cli::command();
    let verbs = program.get_subcommands().filter(|verb| !verb.is_hide_set());
    Command::new("ferromq")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommands(verbs.cloned())
}
