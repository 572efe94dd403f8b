//! `inspect`: the sockets of a running process, live on a terminal, as a table,
//! or as lines of JSON.
//!
//! ```text
//!  target ─▶ Sampler ── a report each interval, with rates ──┬─▶ screen  terminal
//!            asks the process                                ├─▶ plain   table
//!                                                            └─▶ JSON lines
//! ```

mod columns;
mod plain;
mod sampler;
mod screen;
mod shown;
mod target;

use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use clap::Args;
use ferromq::status::{Report, StatusError, serving_processes};

use super::args::seconds;
use super::error::Failure;
use super::interrupt;
use sampler::Sampler;
use target::Target;

/// The examples at the end of the verb's help.
pub(crate) const HELP: &str = "\
A process shows its sockets to its own user when it was started to: --status on
this program's verbs, FERROMQ_STATUS=1 in the environment of any FerroMQ program,
or Context::serve_status in its code. Without a terminal, and with --once or
--count, plain tables; rates are those of the interval before.

Keys: up and down select a socket, s sorts by the next column, p or space pauses,
page up and down move through the peers, q ends.

Examples:
  ferromq inspect
  ferromq inspect 4711
  ferromq inspect 4711 --once
  ferromq inspect /run/broker.sock --json --interval 5 | jq .sockets[].queue_out";

/// Shortest interval: the process answers no more often.
const SHORTEST: Duration = Duration::from_millis(50);

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The process, by its id, or by the path or ipc:// endpoint where it shows
    /// its status [default: list the processes that do]
    #[arg(value_name = "PID|ENDPOINT", value_parser = target::parse)]
    target: Option<Target>,
    /// Print one table, of the first interval
    #[arg(long, conflicts_with_all = ["json", "count"])]
    once: bool,
    /// Print a line of JSON each interval (docs/STATUS.md says what is in it)
    #[arg(long)]
    json: bool,
    /// Time between two looks
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "1")]
    interval: Duration,
    /// End after so many tables or lines
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// `inspect`.
pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let Some(target) = &args.target else {
        return list();
    };
    let interval = args.interval.max(SHORTEST);
    let sampler = Sampler::new(target.endpoint()?)?;
    let live = !args.json && !args.once && args.count.is_none();
    if live && std::io::stdout().is_terminal() {
        return screen::run(sampler, interval);
    }
    // Without a terminal, a table; lines go on until they are enough.
    let count = match args.json {
        true => args.count.unwrap_or(u64::MAX),
        false => args.count.unwrap_or(1),
    };
    let write = if args.json { json } else { plain::table };
    sample(sampler, interval, count, write)
}

/// Writes `count` reports, one an interval.
fn sample(
    mut sampler: Sampler,
    interval: Duration,
    count: u64,
    write: fn(&Report) -> Vec<u8>,
) -> Result<(), Failure> {
    let (ended, end) = mpsc::channel();
    interrupt::on_signal(move || {
        let _ = ended.send(());
    })?;
    for _ in 0..count {
        // The signal's thread keeps its end for as long as it lives.
        if end.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
            return Err(interrupt::interrupted().unwrap_or(Failure::Told));
        }
        let text = write(&sampler.next()?);
        let mut out = std::io::stdout().lock();
        out.write_all(&text)
            .and_then(|()| out.flush())
            .map_err(Failure::output)?;
    }
    Ok(())
}

fn json(report: &Report) -> Vec<u8> {
    // Numbers and text: there is nothing that JSON cannot hold.
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The processes that can be inspected, a line each.
fn list() -> Result<(), Failure> {
    let found = serving_processes();
    if found.is_empty() {
        return Err(Failure::NothingServed);
    }
    let mut text = String::from("PID      PROGRAM          SOCKETS  ENDPOINT\n");
    for (pid, endpoint) in found {
        let (program, sockets) = match Sampler::new(endpoint.clone()) {
            Ok(sampler) => {
                let report = sampler.first();
                (
                    shown::text(&report.program),
                    report.sockets.len().to_string(),
                )
            }
            // A process that is stopped, for example.
            Err(StatusError::Silent { .. }) => ("?".into(), "?".into()),
            // It has ended meanwhile.
            Err(_) => continue,
        };
        text += &format!("{pid:<8} {program:<16} {sockets:>7}  {endpoint}\n");
    }
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).map_err(Failure::output)
}
