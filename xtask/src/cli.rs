//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Runs the tests, checks and benchmarks of FerroMQ.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                      everything, as CI runs it
  cargo xtask test --only clippy        one group
  cargo xtask interop reconnect         the pyzmq tests with `reconnect` in their names
  cargo xtask examples tokio            one example, against its peer
  cargo xtask manual                    make a site of docs/, without links to nowhere
  cargo xtask no-std                    build and run the program without std and alloc
  cargo xtask fuzz --minutes 5          five minutes on each fuzz target
  cargo xtask bench --quick             the benchmarks, shortened";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Set up what the tests need, then run every group of tests.
    ///
    /// As root, or with passwordless sudo, missing Debian packages (g++,
    /// python3, python3-venv, qemu-system-arm) are installed; pyzmq and MkDocs go into a
    /// virtual environment under target/. A group that cannot run here is skipped with
    /// the command that enables it; with CI=true a skipped group fails the run.
    #[command(after_help = "\
Examples:
  cargo xtask test
  cargo xtask test --only format --only clippy
  CI=true cargo xtask test              a skipped group is a failure

The last line is `N passed, N failed, N skipped`, counting groups.")]
    Test {
        /// Run this group only; may be given several times.
        #[arg(long, value_enum)]
        only: Vec<GroupName>,
    },
    /// Make a site of the manual, in target/manual.
    Manual,
    /// Build the freestanding program (no std, no allocator) and run it.
    NoStd,
    /// Run the interoperation tests with pyzmq.
    Interop {
        /// Run the tests with this text in their names only.
        filter: Option<String>,
    },
    /// Build the examples and run each against its peer.
    Examples {
        /// Run the examples with this text in their names only.
        filter: Option<String>,
    },
    /// Run the example that is firmware of a Cortex-M4 under QEMU.
    Firmware,
    /// Build the Python package's wheel into target/wheels.
    Wheel,
    /// Fuzz each target for a while (needs a C++ compiler).
    #[command(after_help = "\
Examples:
  cargo xtask fuzz --minutes 1
  cargo xtask fuzz frames --minutes 30  one target; fuzz/fuzz_targets has them all
  cargo xtask fuzz frames --input fuzz/artifacts/frames/crash-0123")]
    Fuzz {
        /// Minutes to spend on each target.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        minutes: u64,
        /// Run this input only, to see a failure again.
        #[arg(long, requires = "target")]
        input: Option<PathBuf>,
        /// The target to fuzz; all of them when left out.
        target: Option<String>,
    },
    /// Run the benchmarks.
    #[command(after_help = "\
Examples:
  cargo xtask bench
  cargo xtask bench --quick
  cargo xtask bench -- --help           the options of the benchmark program itself")]
    Bench {
        /// A short run that shows ratios only.
        #[arg(long)]
        quick: bool,
        /// Arguments for the benchmark program.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

/// The groups of `test`, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupName {
    /// `cargo fmt --check` over every package.
    Format,
    /// clippy with warnings as errors.
    Clippy,
    /// Unit, property and conformance tests.
    Tests,
    /// The examples in the documentation.
    Doctests,
    /// The documentation builds without warnings.
    Docs,
    /// The manual becomes a site without warnings.
    Manual,
    /// Models of the lock-free code, every interleaving.
    Loom,
    /// The program without std and alloc runs.
    NoStd,
    /// Real ZeroMQ (pyzmq) on the other end.
    Interop,
    /// The examples of embedding, each against its peer.
    Examples,
    /// The example that is firmware, under QEMU.
    Firmware,
    /// The Python package: built, tested against pyzmq, its types checked.
    Python,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_after_two_dashes_reach_the_benchmark() {
        let parsed = Arguments::try_parse_from(["xtask", "bench", "--quick", "--", "--help"]);
        let Ok(Arguments {
            task:
                Task::Bench {
                    quick: true,
                    arguments,
                },
        }) = parsed
        else {
            panic!("not a bench task: {parsed:?}");
        };
        assert_eq!(arguments, ["--help"]);
    }
}
