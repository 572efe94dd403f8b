//! `ferromq demo`: every pattern between real processes, checked and timed.
//!
//! ```text
//!             conductor (this process): starts, relays, compares, prints
//!               │ stdin: go            ▲ stdout: endpoint, ready, report
//!               ▼                      │
//!   demo-peer --side bind  ◄ tcp, ipc, shm ►  demo-peer --side connect
//! ```
//! Both peers count and hash what they send and what they receive; the
//! conductor compares. A peer ends by itself when the conductor is gone, so
//! that nothing is left behind however the demonstration ends.

mod act;
mod conductor;
mod memory;
mod peer;
mod process;
mod roles;
mod table;
mod tally;
mod word;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use act::{Act, Side};
use conductor::Conductor;
use table::Table;

use crate::cli::{Failure, size};

pub(crate) use peer::run as peer;

/// Arguments of `ferromq demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Size of the large payload (K, M and G: 1024-fold)
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = size)]
    size: usize,
}

/// Arguments of the hidden verb `demo-peer`.
#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    #[arg(long)]
    act: Act,
    #[arg(long)]
    side: Side,
    #[arg(long)]
    endpoint: String,
    #[arg(long)]
    size: usize,
}

/// What the acts run over.
const TRANSPORTS: &[&str] = match cfg!(target_os = "linux") {
    true => &["tcp", "ipc", "shm"],
    false => &["tcp", "ipc"],
};

/// Runs every act over every transport.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let directory = Directory::make()?;
    let mut conductor = Conductor::new()?;
    let mut table = Table::start(Act::ALL.len() * TRANSPORTS.len())?;
    let size = memory::affordable(args.size);
    if size < args.size {
        let (wanted, size) = (table::bytes(args.size as u64), table::bytes(size as u64));
        table.note(&format!(
            "  free memory does not hold {wanted} twice: {size} instead"
        ))?;
    }
    for act in Act::ALL {
        for &transport in TRANSPORTS {
            let endpoint = match transport {
                "tcp" => "tcp://127.0.0.1:*".to_owned(),
                "ipc" => directory.endpoint(act),
                other => format!("{other}://*"),
            };
            table.working(act, transport);
            let outcome = conductor.perform(act, &endpoint, size);
            let outcome = outcome.map_err(|failure| in_row(act, transport, failure))?;
            table.row(act, transport, &outcome)?;
        }
    }
    table.finish(started.elapsed())
}

fn in_row(act: Act, transport: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Demo(cause) => Failure::Demo(format!("{act} over {transport}: {cause}")),
        other => other,
    }
}

/// A private directory for ipc endpoints; removed with what is left in it.
struct Directory(PathBuf);

impl Directory {
    /// Makes a directory of a name that is free: one may be left from a
    /// demonstration that was killed.
    fn make() -> Result<Self, Failure> {
        let id = std::process::id();
        let mut names = (0..100).map(|n| std::env::temp_dir().join(format!("ferromq-{id}-{n}")));
        let made = names.find_map(|path| match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Some(Ok(Self(path))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
            Err(error) => Some(Err(error)),
        });
        made.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))
            .map_err(Failure::system("make a directory for ipc endpoints"))
    }

    fn endpoint(&self, act: Act) -> String {
        format!("ipc://{}", self.0.join(act.word()).display())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
