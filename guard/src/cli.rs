//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// How to store the figures.
pub(crate) const UPDATE: &str = "cargo xtask guard --update";
/// How to see who executes the instructions.
pub(crate) const PROFILE: &str = "cargo xtask guard --keep FOLDER";

/// Counts instructions and allocations of small messages.
#[derive(Debug, Parser)]
#[command(name = "ferromq-guard")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Compare with what is stored.
    Check {
        /// Leave callgrind's files in this new folder, one a batch, for callgrind_annotate.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Count instructions and store the figures.
    Update {
        /// As with check.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Count allocations only; needs no valgrind.
    Allocations,
    /// Run the sections: what runs under callgrind.
    #[command(hide = true)]
    Count,
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        super::Arguments::command().debug_assert();
    }
}
