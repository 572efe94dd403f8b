//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
  cargo xtask test --rdma               real verbs, on soft-RoCE in a virtual machine
  cargo xtask interop reconnect         the pyzmq tests with `reconnect` in their names
  cargo xtask examples tokio            one example, against its peer
  cargo xtask manual                    make a site of docs/, without links to nowhere
  cargo xtask no-std                    build and run the program without std and alloc
  cargo xtask verify files              5 GiB sent, with kill -9 on the way
  cargo xtask fuzz --minutes 5          five minutes on each fuzz target
  cargo xtask bench --quick             the benchmarks, shortened
  cargo xtask mutants --resume          do the tests notice small mistakes in the code?
  cargo xtask guard --update            store what small messages cost now";

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Set up what the tests need, then run every group of tests.
    ///
    /// As root, or with passwordless sudo, missing Debian packages (g++,
    /// python3, python3-venv, qemu-system-arm, valgrind) are installed; pyzmq and MkDocs
    /// go into a virtual environment under target/. A group that cannot run here is skipped with
    /// the command that enables it; with CI=true a skipped group fails the run.
    #[command(after_help = "\
Examples:
  cargo xtask test
  cargo xtask test --only format --only clippy
  CI=true cargo xtask test              a skipped group is a failure
  cargo xtask test --rdma               all that runs on soft-RoCE: some minutes

The last line is `N passed, N failed, N skipped`, counting groups.")]
    Test {
        /// Run this group only; may be given several times.
        #[arg(long, value_enum)]
        only: Vec<GroupName>,
        /// Fail the run if this group is skipped; may be given several times.
        #[arg(long, value_enum, value_name = "GROUP")]
        require: Vec<GroupName>,
        /// Run only what is for real RDMA devices, in its long form: a machine with
        /// soft-RoCE is made of Debian's kernel and QEMU, in ~/.cache/ferromq-rdma-vm.
        #[arg(long, conflicts_with_all = ["only", "require"])]
        rdma: bool,
    },
    /// Run the long checks, which take minutes to hours.
    Verify(Verify),
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
    /// Count the lines that tests run through, into docs/reliability/coverage.json
    /// (needs Debian's llvm-19, which is installed where we may).
    Coverage,
    /// Make one small mistake at a time in wire and patterns; their tests have to notice.
    ///
    /// cargo-mutants makes them, in a copy below the target directory; it is installed
    /// there on first use. Once all are decided, docs/reliability/mutants.json is written.
    #[command(after_help = "\
Examples:
  cargo xtask mutants                   all of them: half an hour
  cargo xtask mutants --package wire --minutes 10
  cargo xtask mutants --resume          go on where the last run ended
  cargo xtask mutants --shard 0/4       a quarter of them, for one of four machines
  cargo xtask mutants --list-survivors  what no test noticed, and why")]
    Mutants(MutantsOptions),
    /// Count the instructions and allocations of small messages, and compare them
    /// with guard/figures.json (needs valgrind).
    #[command(after_help = "\
Examples:
  cargo xtask guard
  cargo xtask guard --update            store what is counted
  cargo xtask guard --keep /tmp/counted && callgrind_annotate /tmp/counted/out.112")]
    Guard {
        /// Store what is counted, with the compiler and the machine.
        #[arg(long)]
        update: bool,
        /// Leave callgrind's files in this new folder, one a batch.
        #[arg(long, value_name = "FOLDER")]
        keep: Option<PathBuf>,
    },
    /// Run the benchmarks.
    #[command(after_help = "\
Examples:
  cargo xtask bench
  cargo xtask bench --quick
  cargo xtask bench --python            the Python package beside pyzmq: two minutes, and the build
  cargo xtask bench -- --help           the options of the benchmark program itself")]
    Bench {
        /// A short run that shows ratios only.
        #[arg(long)]
        quick: bool,
        /// Compare the Python package with pyzmq instead, by python/benches/compare.py;
        /// without arguments for it the table in docs/PYTHON.md is written.
        #[arg(long, conflicts_with = "quick")]
        python: bool,
        /// Arguments for the benchmark program.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask verify                    all of them: an hour on two cores
  cargo xtask verify files              one group
  cargo xtask verify files --size 512MiB --kills 3
  cargo xtask verify simulation --schedules 1000000
  cargo xtask verify soak --soak-seconds 3600
  TMPDIR=/with/room cargo xtask verify files

A group that passes writes its figures to docs/reliability and the table in
docs/RELIABILITY.md; one that fails stops no other.
The last line is `N passed, N failed, N skipped`, counting groups.")]
pub(crate) struct Verify {
    /// Run these groups only.
    #[arg(value_name = "GROUP")]
    pub(crate) groups: Vec<LongGroup>,
    /// Make the same choices as the run that printed this seed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) files: FilesOptions,
    #[command(flatten)]
    pub(crate) simulation: SimulationOptions,
    #[command(flatten)]
    pub(crate) endurance: EnduranceOptions,
    #[command(flatten)]
    pub(crate) repeated: RepeatedOptions,
}

/// The groups of `verify`, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LongGroup {
    /// A large file arrives whole over tcp and ipc while sender and receiver are
    /// killed and started again.
    Files,
    /// Whole sockets over a virtual network and clock keep their promises in
    /// millions of schedules.
    Simulation,
    /// Tensors of torch and tensorflow, which are installed, through the Python package.
    Tensors,
    /// 10,000 connections to one socket: what an idle one costs, that all are served,
    /// and that nothing of them is left.
    Connections,
    /// Peers are killed with `kill -9`, again and again: nothing is lost uncounted, and
    /// memory and descriptors stay as they are.
    Kills,
    /// No descriptors, to accept or to connect: nobody is lost, and nothing spins.
    Descriptors,
    /// A listener goes and comes back, with a thousand connectors.
    Storm,
    /// Minutes of clients of every pattern that come and go: memory stays as it is.
    Soak,
    /// The models of the lock-free code, with one preemption more than in `test`.
    Loom,
    /// The hostile rows, several times over.
    Hostile,
    /// The tests of runtime and transports under AddressSanitizer and LeakSanitizer.
    Sanitizers,
    /// The tests of CURVE with the system's libsodium.
    Libsodium,
    /// Every fuzz target.
    Fuzz,
}

/// Options of the groups that last.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of connections, kills, storm and soak")]
pub(crate) struct EnduranceOptions {
    /// Connections at a time.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) connections: u64,
    /// Peers to kill over tcp and ipc, in all ways in which they meet.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(160..))]
    pub(crate) peers_killed: u64,
    /// Peers to kill over shm.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(80..))]
    pub(crate) peers_killed_over_shm: u64,
    /// Connectors whose listener goes.
    #[arg(long, default_value_t = 1000)]
    pub(crate) connectors: u64,
    /// Seconds to soak.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(10..))]
    pub(crate) soak_seconds: u64,
}

/// Options of the groups that do again, or for longer, what other tasks do.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of loom, hostile and fuzz")]
pub(crate) struct RepeatedOptions {
    /// Seconds for each model, which ends then wherever it is.
    #[arg(long, default_value_t = 45)]
    pub(crate) model_seconds: u64,
    /// How often the hostile rows are tried.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// Minutes for each fuzz target.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) fuzz_minutes: u64,
}

/// Options of `mutants`.
#[derive(Debug, Args)]
pub(crate) struct MutantsOptions {
    /// Mutate this package only; may be given twice.
    #[arg(long, value_enum)]
    package: Vec<MutatedPackage>,
    /// Try the mutants of one part only: `K/N`, K from 0 to N-1.
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub(crate) shard: Option<Shard>,
    /// Skip what an earlier run has decided for the same source.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Begin no more after this many minutes.
    #[arg(long)]
    pub(crate) minutes: Option<u64>,
    /// Store the figures even if some mutants are undecided: those that were tried are a
    /// sample of each file's then.
    #[arg(long)]
    pub(crate) store: bool,
    /// Only show what survived, with its explanation in tests/mutants/survivors.md.
    #[arg(long, conflicts_with_all = ["shard", "resume", "minutes", "store"])]
    pub(crate) list_survivors: bool,
}

impl MutantsOptions {
    /// Those that were named; all when none was.
    pub(crate) fn packages(&self) -> Vec<MutatedPackage> {
        let named = |package: &MutatedPackage| self.package.contains(package);
        let all = MutatedPackage::ALL.into_iter();
        all.filter(|package| self.package.is_empty() || named(package))
            .collect()
    }
}

/// A package in which mistakes are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MutatedPackage {
    /// The codec.
    Wire,
    /// The socket types.
    Patterns,
}

impl MutatedPackage {
    pub(crate) const ALL: [Self; 2] = [Self::Wire, Self::Patterns];

    /// As cargo has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wire => "ferromq-wire",
            Self::Patterns => "ferromq-patterns",
        }
    }

    /// Below the root of the repository.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Patterns => "patterns",
        }
    }

    /// The file that the compiler is given.
    pub(crate) fn root(self) -> String {
        format!("{}/src/lib.rs", self.folder())
    }
}

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 0.
    pub(crate) at: usize,
    /// At least 1.
    pub(crate) of: usize,
}

fn shard(text: &str) -> Result<Shard, String> {
    let (at, of) = text.split_once('/').ok_or("not K/N")?;
    let number = |text: &str| text.parse().map_err(|_| format!("not a number: {text}"));
    let (at, of) = (number(at)?, number(of)?);
    match at < of {
        true => Ok(Shard { at, of }),
        false => Err(format!(
            "the last of {of} parts is {}",
            of.saturating_sub(1)
        )),
    }
}

/// Options of the group `simulation`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of simulation")]
pub(crate) struct SimulationOptions {
    /// Schedules to run.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) schedules: u64,
}

/// Options of the group `files`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of files")]
pub(crate) struct FilesOptions {
    /// Size of the file: bytes, or with KiB, MiB or GiB. Twice that is needed on
    /// the disk.
    #[arg(long, default_value = "5GiB", value_parser = size)]
    pub(crate) size: u64,
    /// How often a process is killed in each transfer.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) kills: u32,
}

/// Bytes, from a number with or without a unit.
fn size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1_u64 << 30)];
    let unit = units
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    let number: u64 = number
        .trim_end()
        .parse()
        .map_err(|_| "not a number of bytes, KiB, MiB or GiB")?;
    let size = number.checked_mul(bytes).ok_or("too large")?;
    match size {
        // Less is over before anybody can be killed.
        0..SIZE_MIN => Err(format!("less than {SIZE_MIN} bytes")),
        size => Ok(size),
    }
}

const SIZE_MIN: u64 = 1 << 20;

/// The groups of `test`, in the order in which they run.
///
/// The simulation runs beside them all, the last two beside those from `loom` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
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
    /// Whole sockets over a virtual network and clock: as many schedules as two
    /// cores do in 90 s.
    Simulation,
    /// The program without std and alloc runs.
    NoStd,
    /// Real ZeroMQ (pyzmq) on the other end.
    Interop,
    /// The examples of embedding, each against its peer.
    Examples,
    /// The example that is firmware, under QEMU.
    Firmware,
    /// What small messages cost in instructions and allocations, against what they did.
    Guard,
    /// The Python package: built, tested against pyzmq, its types checked.
    Python,
    /// Verbs, on soft-RoCE in a virtual machine; `--rdma` has the long form.
    Rdma,
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
    fn sizes_have_units() {
        assert_eq!(size("5GiB"), Ok(5 << 30));
        assert_eq!(size("64 MiB"), Ok(64 << 20));
        assert_eq!(size("2000000"), Ok(2_000_000));
        for wrong in ["", "GiB", "5GB", "1023KiB", "-1MiB", "99999999999999999999"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size("18446744073709551615GiB"), Err("too large".into()));
    }

    #[test]
    fn shards_are_counted_from_0() {
        assert_eq!(shard("3/4"), Ok(Shard { at: 3, of: 4 }));
        for wrong in ["", "3", "4/4", "0/0", "-1/4", "a/b"] {
            assert!(shard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn arguments_after_two_dashes_reach_the_benchmark() {
        let parsed = Arguments::try_parse_from(["xtask", "bench", "--quick", "--", "--help"]);
        let Ok(Arguments {
            task:
                Task::Bench {
                    quick: true,
                    arguments,
                    ..
                },
        }) = parsed
        else {
            panic!("not a bench task: {parsed:?}");
        };
        assert_eq!(arguments, ["--help"]);
    }
}
