//! `ferromq send` and `ferromq receive`: files over the sockets of this
//! program.

mod progress;
mod receive;
mod send;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ferromq::AnySocket;

use super::args::{PathArgs, endpoint, seconds};
use super::error::Failure;
use super::security::SecurityArgs;
use super::{interrupt, text};

pub(crate) use receive::receive;
pub(crate) use send::send;

/// Arguments of `ferromq send`.
#[derive(Debug, Args)]
pub(crate) struct SendFilesArgs {
    /// Files to send, each under the last component of its path
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where the receiver is, e.g. tcp://host:5560, ipc:///tmp/files
    #[arg(long, value_name = "ENDPOINT", value_parser = endpoint)]
    to: String,
    /// Fail with exit code 1 when no receiver answers for so long
    /// [default: wait for ever, also for one that went away]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    path: PathArgs,
    /// Tell on standard error what happens to connections
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    security: SecurityArgs,
}

/// Arguments of `ferromq receive`.
#[derive(Debug, Args)]
pub(crate) struct ReceiveFilesArgs {
    /// Listen here, e.g. tcp://*:5560, tcp://127.0.0.1:*, ipc:///tmp/files;
    /// repeatable
    #[arg(long, value_name = "ENDPOINT", required = true, value_parser = endpoint)]
    at: Vec<String>,
    /// Existing directory to put the files into
    #[arg(long, value_name = "DIRECTORY")]
    into: PathBuf,
    /// Let files take the place of others of the same name
    #[arg(long)]
    force: bool,
    /// End after so many files [default: go on until Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Fail with exit code 1 when no sender says anything for so long
    /// [default: wait for ever]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    #[command(flatten)]
    path: PathArgs,
    /// Tell on standard error what happens to connections
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    security: SecurityArgs,
}

/// Closes the socket on a signal, after its endpoints: an `ipc://` endpoint
/// has a file.
fn close_on_signal(socket: &AnySocket, bound: &[String]) -> Result<(), Failure> {
    let (socket, bound) = (socket.clone(), bound.to_owned());
    interrupt::on_signal(move || close_now(&socket, &bound))
}

fn close_now(socket: &AnySocket, bound: &[String]) {
    for endpoint in bound {
        // Nothing to do about one that is gone already.
        let _ = socket.unbind(endpoint);
    }
    socket.close();
}

/// Bytes from anywhere, fit for a terminal: a name, or what a peer explains.
fn printable(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    // A Vec takes everything.
    let _ = text::escape(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
