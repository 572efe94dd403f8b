//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::job::{Cell, Contender, Job, Mechanism, Placement, Role, Shape, Via, Workload};
use crate::measure::Effort;
use crate::plan::Plan;

/// Measures FerroMQ beside plain sockets and other libraries, in turn, in one run.
///
/// Without a subcommand everything is measured: the workloads, the memory of idle
/// connections, the system calls of a round trip, and what growth costs. That takes
/// 20 to 25 minutes on two idle cores; with --quick, which leaves growth out, 3.
///
/// A whole run has 5 rounds, each of 0.2 s a contender, in turn. PUSH/PULL of 64 B to
/// 10 MiB, REQ/REP, PUB to 8 and DEALER/ROUTER are measured on one core, with a core
/// each, and unpinned, and REQ/REP while others keep every core busy; other sizes,
/// fan-out to 100 and 1,000, subscriptions, clients, the proxy and CURVE with a core each.
/// What takes seconds to connect is measured over a fixed number of messages. Who is
/// missing, or fails, is a line; the others go on.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) selection: Selection,
}

/// A part of the benchmark, or a process that it starts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Only the workloads' table.
    Workloads(Selection),
    /// Only the memory of idle connections.
    Idle(Selection),
    /// Only the system calls of a round trip.
    Syscalls(Selection),
    /// Time and memory as peers, subscriptions, sizes and queues grow.
    Growth(Selection),
    /// Makes tables and charts of results that were written with --json; of what
    /// several files have, the last one's counts.
    Render {
        /// The results.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        pages: Pages,
    },
    /// One side of a job; the coordinator starts it.
    #[command(hide = true)]
    Worker {
        #[arg(long)]
        role: Role,
        #[arg(long, value_parser = parse_json::<Job>)]
        job: Job,
    },
    /// Counts a program's system calls; the coordinator starts it.
    #[command(hide = true)]
    Trace {
        #[arg(long)]
        tally: PathBuf,
        #[arg(last = true)]
        program: Vec<OsString>,
    },
    /// The bound PULL; the coordinator starts it.
    #[command(hide = true)]
    IdleServer {
        #[arg(long)]
        contender: Contender,
    },
    /// The connections to it; the coordinator starts it.
    #[command(hide = true)]
    IdleClient {
        #[arg(long)]
        connections: usize,
    },
}

/// What to measure, and how thoroughly.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selection {
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// Only messages of these lengths in bytes; a suffix KiB or MiB is
    /// understood.
    #[arg(long, value_delimiter = ',', value_parser = parse_size)]
    size: Vec<usize>,
    /// Only over these transports.
    #[arg(long, value_delimiter = ',')]
    via: Vec<Via>,
    /// Only connections secured like this.
    #[arg(long, value_delimiter = ',')]
    mechanism: Vec<Mechanism>,
    /// Only with the processes placed like this.
    #[arg(long, value_delimiter = ',')]
    placement: Vec<Placement>,
    /// Only these contenders.
    #[arg(long, value_delimiter = ',')]
    contender: Vec<Contender>,
    /// Rounds, each of which runs every contender once [default: 5, with
    /// --quick 3].
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds that a run should measure [default: 0.2, with --quick 0.1].
    #[arg(long)]
    seconds: Option<f64>,
    /// Fewer and shorter rounds of fewer workloads: those that goals are about.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Numbers of idle connections [default: 1000,10000, with --quick 10000].
    #[arg(long, value_delimiter = ',')]
    connections: Vec<usize>,
    /// Round trips whose system calls are counted [default: 10000, or 500 where they have to
    /// be traced].
    #[arg(long)]
    round_trips: Option<u64>,
    /// Writes the results to this file as well.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pages: Pages,
}

/// Where the results are written besides.
#[derive(Clone, Debug, Args)]
pub(crate) struct Pages {
    /// Writes tables in Markdown and charts in SVG to this directory as well.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) docs: Option<PathBuf>,
    /// Writes the goals into this page as well, between the marks that it has.
    #[arg(long, value_name = "FILE")]
    pub(crate) goals: Option<PathBuf>,
}

impl Selection {
    pub(crate) fn plan(&self) -> Plan {
        if self.quick { Plan::Quick } else { Plan::Full }
    }

    pub(crate) fn effort(&self) -> Effort {
        let usual = self.plan().effort();
        Effort {
            rounds: self.rounds.unwrap_or(usual.rounds).max(1),
            seconds: self.seconds.unwrap_or(usual.seconds),
            ..usual
        }
    }

    /// The selected cells, in the order of the table.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::new();
        for workload in all_unless_named(&self.workload) {
            for mechanism in self.mechanisms() {
                for via in self.vias() {
                    for shape in self.shapes(workload, via, mechanism) {
                        let cell = Cell {
                            mechanism,
                            ..Cell::new(workload, shape, via, Placement::CoreEach)
                        };
                        let placements = self.placements(&cell).iter();
                        cells.extend(placements.map(|placement| Cell {
                            placement: *placement,
                            ..cell
                        }));
                    }
                }
            }
        }
        cells
    }

    /// The usual shapes, or those of the sizes that were named.
    fn shapes(&self, workload: Workload, via: Via, mechanism: Mechanism) -> Vec<Shape> {
        let usual = self.plan().shapes(workload, via, mechanism);
        if self.size.is_empty() {
            return usual.to_vec();
        }
        let mut shapes = Vec::new();
        for size in self.size.iter().copied() {
            for shape in usual {
                let shape = Shape { size, ..*shape };
                if !shapes.contains(&shape) {
                    shapes.push(shape);
                }
            }
        }
        shapes
    }

    fn placements(&self, cell: &Cell) -> &[Placement] {
        match self.placement.is_empty() {
            true => self.plan().placements(cell),
            false => &self.placement,
        }
    }

    fn mechanisms(&self) -> Vec<Mechanism> {
        match self.mechanism.is_empty() {
            true => self.plan().mechanisms().to_vec(),
            false => self.mechanism.clone(),
        }
    }

    pub(crate) fn vias(&self) -> Vec<Via> {
        all_unless_named(&self.via)
    }

    /// All that were selected.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        all_unless_named(&self.contender)
    }

    /// Those who take part in a cell.
    pub(crate) fn contenders_of(&self, cell: &Cell) -> Vec<Contender> {
        let mut contenders = self.contenders();
        if self.contender.is_empty() {
            contenders.retain(|who| self.plan().asks(*who, cell));
        }
        contenders
    }

    /// Those whose memory and system calls are counted.
    pub(crate) fn counted_contenders(&self) -> Vec<Contender> {
        let mut contenders = self.contenders();
        if self.quick && self.contender.is_empty() {
            let goals = [Contender::Raw, Contender::Libzmq, Contender::Ferromq];
            contenders.retain(|who| goals.contains(who));
        }
        contenders
    }

    pub(crate) fn connections(&self) -> &[usize] {
        match (self.connections.is_empty(), self.quick) {
            (false, _) => &self.connections,
            (true, true) => &[10_000],
            (true, false) => &[1_000, 10_000],
        }
    }

    pub(crate) fn round_trips(&self) -> Option<u64> {
        self.round_trips.map(|round_trips| round_trips.max(1))
    }
}

fn all_unless_named<T: ValueEnum + Clone>(named: &[T]) -> Vec<T> {
    if named.is_empty() {
        T::value_variants().to_vec()
    } else {
        named.to_vec()
    }
}

fn parse_size(text: &str) -> Result<usize, String> {
    let (digits, scale) = match text.strip_suffix("KiB") {
        Some(digits) => (digits, 1 << 10),
        None => match text.strip_suffix("MiB") {
            Some(digits) => (digits, 1 << 20),
            None => (text, 1),
        },
    };
    let number: usize = digits.trim().parse().map_err(|error| format!("{error}"))?;
    number
        .checked_mul(scale)
        .ok_or_else(|| format!("{text} is too long"))
}

fn parse_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_may_have_a_unit() {
        assert_eq!(parse_size("64"), Ok(64));
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("10 MiB"), Ok(10 << 20));
        assert!(parse_size("ten").is_err());
        assert!(parse_size("18446744073709551615KiB").is_err());
    }

    #[test]
    fn everything_is_selected_unless_something_is_named() {
        let cli = Cli::parse_from(["ferromq-bench", "--via", "ipc", "--rounds", "0"]);
        assert_eq!(cli.selection.vias(), [Via::Ipc]);
        assert_eq!(cli.selection.effort().rounds, 1);
        let cells = cli.selection.cells();
        assert!(cells.iter().all(|cell| cell.via == Via::Ipc));
        let round_trips = cells
            .iter()
            .filter(|cell| cell.workload == Workload::ReqRep);
        assert_eq!(round_trips.count(), 4, "one for each placement");
        assert!(cells.iter().any(|cell| cell.workload == Workload::PubSub));
    }

    #[test]
    fn a_named_size_is_measured_once_in_each_placement() {
        let cells = |placement: &str| {
            let arguments = "ferromq-bench --size 32 --workload push-pull --mechanism null";
            let rest = ["--via", "tcp", "--placement", placement];
            let cli = Cli::parse_from(arguments.split(' ').chain(rest));
            cli.selection.cells().len()
        };
        assert_eq!(cells("one-core"), 1);
        assert_eq!(cells("one-core,core-each,unpinned"), 3);
    }
}
