//! Real sockets under what lasts: thousands of connections, peers that are killed, no
//! descriptors, listeners that go, and minutes of everything at once.
//!
//! ```text
//!   check ── tcp, ipc, shm ──── sockets ──▶ peers: this program again, in processes
//!     │                                             that can be killed
//!     └─▶ figures: what was done, and what it cost
//! ```
//!
//! `cargo xtask verify` runs them. A check ends with 0, with 1 and what is wrong, or
//! with 77 where it cannot run here, and why.

mod body;
mod child;
mod connections;
mod descriptors;
mod figures;
mod flat;
mod kills;
mod meter;
mod random;
mod soak;
mod storm;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand};

use crate::figures::Figures;

/// What [`meter::Usage`] counts.
#[global_allocator]
static ALLOCATOR: ferromq_tests::Counting = ferromq_tests::Counting;

/// What ends a check early: its text is what there is to show for it.
type Failure = Box<dyn std::error::Error>;

/// How long a single wait goes on before the check has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a check ended that did not fail.
enum Outcome {
    Passed(Figures),
    /// It cannot run here: why.
    Skipped(String),
}

/// Checks what lasts: crowds, kill -9, exhaustion, storms, soaking.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    check: Check,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Make the same choices as the run that printed this seed.
    #[arg(long, global = true, default_value_t = 0)]
    seed: u64,
    /// Write the figures to this file, as an array of pairs.
    #[arg(long, global = true)]
    figures: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Check {
    /// Thousands of connections to one socket.
    Connections {
        #[arg(long, default_value_t = 10_000)]
        count: usize,
    },
    /// Peers that are killed, again and again.
    Kills {
        /// Over tcp and ipc together.
        #[arg(long, default_value_t = 400)]
        count: u64,
        /// Over shm.
        #[arg(long, default_value_t = 1000)]
        over_shm: u64,
    },
    /// No descriptors, for accepting and for connecting.
    Descriptors,
    /// All patterns, and clients that come and go, for minutes.
    Soak {
        #[arg(long, default_value_t = 300)]
        seconds: u64,
    },
    /// A listener that goes and comes back.
    Storm {
        #[arg(long, default_value_t = 1000)]
        connectors: u64,
    },
    /// The other end of a check.
    #[command(hide = true)]
    Peer {
        #[command(subcommand)]
        role: Role,
    },
}

#[derive(Debug, Subcommand)]
enum Role {
    Crowd {
        port: String,
        count: usize,
    },
    Taker {
        verb: String,
        endpoint: String,
        ledger: PathBuf,
    },
    Giver {
        verb: String,
        endpoint: String,
        seed: u64,
    },
    Asking {
        endpoint: String,
        others: u64,
    },
    Taking,
    Storm {
        endpoint: String,
        connectors: u64,
    },
}

fn main() -> ExitCode {
    let Arguments { check, common } = Arguments::parse();
    if let Check::Peer { role } = check {
        return match play(role) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => {
                eprintln!("peer: {failure}");
                ExitCode::FAILURE
            }
        };
    }
    end_after(longest(&check));
    let outcome = run(check, common.seed).and_then(|outcome| {
        if let (Outcome::Passed(figures), Some(file)) = (&outcome, &common.figures) {
            figures.write(file)?;
        }
        Ok(outcome)
    });
    match outcome {
        Ok(Outcome::Passed(figures)) => {
            figures.tell();
            ExitCode::SUCCESS
        }
        Ok(Outcome::Skipped(why)) => {
            println!("skipped: {why}");
            ExitCode::from(SKIPPED)
        }
        Err(failure) => {
            println!("FAILED: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What a check ends with that cannot run here, as automake's do.
const SKIPPED: u8 = 77;

/// What a check may take: many times what it takes on two busy cores.
fn longest(check: &Check) -> Duration {
    let seconds = match check {
        Check::Kills { count, over_shm } => count.saturating_add(*over_shm),
        Check::Soak { seconds } => *seconds,
        _ => 0,
    };
    SPARE.saturating_add(Duration::from_secs(seconds))
}

/// What it may take besides.
const SPARE: Duration = Duration::from_secs(600);

/// Ends the process then, whoever waits in it: a call that never returns is a failure too.
/// Its peers end with it, as nobody tells them anything any more.
fn end_after(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        println!("FAILED: no end after {} s", time.as_secs());
        std::process::exit(1);
    });
}

fn run(check: Check, seed: u64) -> Result<Outcome, Failure> {
    match check {
        Check::Connections { count } => connections::check(count),
        Check::Kills { count, over_shm } => kills::check(count, over_shm, seed),
        Check::Descriptors => descriptors::check(),
        Check::Soak { seconds } => soak::check(Duration::from_secs(seconds), seed),
        Check::Storm { connectors } => storm::check(connectors),
        Check::Peer { .. } => Err("a peer is no check".into()),
    }
}

fn play(role: Role) -> Result<(), Failure> {
    match role {
        Role::Crowd { port, count } => connections::peer(&port, count),
        Role::Taker {
            verb,
            endpoint,
            ledger,
        } => kills::taker(&verb, &endpoint, &ledger),
        Role::Giver {
            verb,
            endpoint,
            seed,
        } => kills::giver(&verb, &endpoint, seed),
        Role::Asking { endpoint, others } => descriptors::asking(&endpoint, others),
        Role::Taking => descriptors::taking(),
        Role::Storm {
            endpoint,
            connectors,
        } => storm::peer(&endpoint, connectors),
    }
}

/// Calls `condition` until it holds, a hundred times a second.
fn until(what: &str, mut condition: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let started = Instant::now();
    while !condition()? {
        if started.elapsed() > PATIENCE {
            return Err(format!("waited in vain until {what}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_check_may_take_longer_than_it_is_told_to() {
        let soak = Check::Soak { seconds: 300 };
        assert_eq!(longest(&soak), SPARE + Duration::from_secs(300));
        let endless = Check::Soak { seconds: u64::MAX };
        assert_eq!(longest(&endless), Duration::MAX);
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
