//! How many system calls a round trip takes, both sides together.
//!
//! Each worker is started by a process that counts its system calls, once for
//! a short job and once for a long one. The difference leaves starting,
//! connecting and closing out, without marks in the program.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::coordinator::{self, this_program};
use crate::job::{Cell, Contender, Job, Placement, Role, Shape, Via, Workload};
use crate::peers::{self, Failure};
use crate::progress::Progress;
use crate::sys::perf::SystemCalls;
use crate::sys::ptrace;

/// The most that FerroMQ may take: a send, a receive and a wait each, and the
/// background thread's now and then.
pub(crate) const GOAL: f64 = 6.5;

/// Round trips of the short job, and of the long one beyond them unless they are given.
const COUNTED: (u64, u64) = (500, 10_000);
/// The same where each call takes as long as a round trip does else: libzmq makes 46.
const TRACED: (u64, u64) = (100, 500);

/// One contender's count.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SyscallRow {
    pub(crate) contender: Contender,
    pub(crate) via: Via,
    pub(crate) placement: Placement,
    pub(crate) per_round_trip: Option<f64>,
    pub(crate) method: Method,
    pub(crate) trouble: Option<String>,
}

/// How system calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    /// By the kernel's counter, at full speed.
    Counter,
    /// By tracing, as anybody may. Each call takes some 30 us then, and what
    /// happens by the clock is seen as much more often a round trip.
    Trace,
}

impl Method {
    /// The better one of those that this user may use.
    fn available() -> Self {
        match SystemCalls::start() {
            Ok(_) => Self::Counter,
            Err(_) => Self::Trace,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Counter => "at full speed",
            Self::Trace => "traced",
        })
    }
}

impl SyscallRow {
    /// Whether the goal is about this row.
    pub(crate) fn is_the_goals(&self) -> bool {
        self.contender == Contender::Ferromq
            && self.via == Via::Tcp
            && self.placement == Placement::OneCore
    }
}

/// Over which transports whose are counted.
pub(crate) fn plan(contenders: &[Contender], vias: &[Via]) -> Vec<(Via, Contender)> {
    let mut planned = Vec::new();
    for via in vias.iter().copied().filter(|via| *via != Via::Inproc) {
        // On one core nobody can poll for what the other one has to do.
        let able = |who: &&Contender| peers::inability(**who, &cell(via)).is_none();
        let counted = |who: &&Contender| !who.is_zero_copy() && able(who);
        let counted = contenders.iter().filter(counted);
        planned.extend(counted.map(|contender| (via, *contender)));
    }
    planned
}

/// What is counted over `via`.
fn cell(via: Via) -> Cell {
    let shape = Shape::of_size(64);
    Cell::new(Workload::ReqRep, shape, via, Placement::OneCore)
}

/// About how long counting one contender's takes, in seconds.
pub(crate) const COST: f64 = 0.8;

/// Counts over `round_trips` of each contender, or as many as suit the way of counting,
/// both processes on one core.
///
/// On one core, because there a wait is a wait: with a core each, how often a
/// spinning side looks before the answer is there is a matter of luck.
pub(crate) fn count(
    planned: &[(Via, Contender)],
    round_trips: Option<u64>,
    progress: &Progress,
) -> Vec<SyscallRow> {
    let method = Method::available();
    let (few, more) = match method {
        Method::Counter => COUNTED,
        Method::Trace => TRACED,
    };
    let more = round_trips.unwrap_or(more);
    let mut rows = Vec::new();
    for (via, contender) in planned.iter().copied() {
        progress.tell(&format!(
            "system calls of a round trip over {via}: {contender}"
        ));
        let cell = cell(via);
        let counted = count_one(cell, contender, few, more);
        let trouble = counted
            .as_ref()
            .err()
            .map(|failure: &Failure| failure.to_string());
        rows.push(SyscallRow {
            contender,
            via,
            placement: cell.placement,
            per_round_trip: counted.ok(),
            method,
            trouble,
        });
        progress.done(COST);
    }
    rows
}

fn count_one(cell: Cell, contender: Contender, few: u64, more: u64) -> Result<f64, Failure> {
    let total = |count| {
        let job = Job {
            cell,
            contender,
            warm_up: 0,
            count,
        };
        let tallies = Tallies::new();
        coordinator::run_under(&job, |role| tallies.launcher(role))?;
        tallies.sum()
    };
    let short = total(few)?;
    let long = total(few + more)?;
    Ok((long as f64 - short as f64) / more as f64)
}

/// The files in which the traced workers' counts arrive.
struct Tallies {
    stem: PathBuf,
}

impl Tallies {
    fn new() -> Self {
        let name = format!("ferromq-bench-{}-calls", std::process::id());
        Self {
            stem: std::env::temp_dir().join(name),
        }
    }

    /// `ferromq-bench trace --tally FILE -- ferromq-bench`.
    fn launcher(&self, role: Role) -> Result<Command, Failure> {
        let mut command = this_program()?;
        command
            .arg("trace")
            .arg("--tally")
            .arg(self.file(role))
            .arg("--");
        command.arg(std::env::current_exe()?);
        Ok(command)
    }

    fn sum(&self) -> Result<u64, Failure> {
        let read = |role| -> Result<u64, Failure> {
            let text = fs::read_to_string(self.file(role))?;
            Ok(text.trim().parse()?)
        };
        Ok(read(Role::Server)? + read(Role::Client)?)
    }

    fn file(&self, role: Role) -> PathBuf {
        self.stem.with_extension(role.to_string())
    }
}

impl Drop for Tallies {
    fn drop(&mut self) {
        for role in [Role::Server, Role::Client] {
            // Absent when the worker failed.
            let _ = fs::remove_file(self.file(role));
        }
    }
}

/// The entry point of `ferromq-bench trace`: runs `program`, writes its number
/// of system calls to `tally`, and returns its exit code.
///
/// The number may include a few of this process: the same ones each time.
pub(crate) fn trace(program: &[OsString], tally: &Path) -> Result<i32, Failure> {
    let (name, arguments) = program.split_first().ok_or("no program to trace")?;
    let mut command = Command::new(name);
    command.args(arguments);
    let (calls, exit_code) = match SystemCalls::start() {
        Ok(mut counter) => {
            let status = command.status()?;
            (counter.read()?, status.code().unwrap_or(1))
        }
        Err(_) => {
            let traced = ptrace::count_system_calls(&mut command)?;
            (traced.system_calls, traced.exit_code)
        }
    };
    fs::write(tally, calls.to_string())?;
    Ok(exit_code)
}
