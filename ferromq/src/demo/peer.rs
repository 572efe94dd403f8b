//! The process of one side: its socket, and its line to the conductor.

use std::io::{BufRead, Write};
use std::process::exit;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ferromq::{Context, Options};

use super::PeerArgs;
use super::act::{Act, Side};
use super::roles;
use super::word::{GO, Report, Word};
use crate::cli::Failure;

/// Longest wait for the other side: it stays below the conductor's patience,
/// so that the side that misses something says so.
const PATIENCE: Duration = Duration::from_secs(45);

/// The standard streams of a peer, as its line to the conductor.
pub(crate) struct Line {
    go: Receiver<()>,
}

/// `ferromq demo-peer`: plays one side and reports.
pub(crate) fn run(args: &PeerArgs) -> Result<(), Failure> {
    let line = Line::open()?;
    let word = match play(args, &line) {
        Ok(report) => Word::Report(report),
        Err(failure) => Word::Failed(failure.to_string()),
    };
    tell(&word)
}

fn play(args: &PeerArgs, line: &Line) -> Result<Report, Failure> {
    let context = Context::new()?;
    let socket = context.any_socket(args.act.socket_type(args.side), options(args.act))?;
    match args.side {
        Side::Bind => {
            let bound = socket.bind(&args.endpoint)?;
            tell(&Word::Endpoint(bound.to_string()))?;
        }
        Side::Connect => {
            roles::subscribe(args.act, &socket)?;
            socket.connect(&args.endpoint)?;
        }
    }
    let report = roles::play(args.act, args.side, &socket, line, args.size)?;
    // The drop of the last handle waits until everything has left.
    drop((socket, context));
    Ok(report)
}

fn options(act: Act) -> Options {
    // Each row is about the transport that it names.
    let options = Options::new()
        .switch(false)
        .send_timeout(Some(PATIENCE))
        .receive_timeout(Some(PATIENCE))
        .linger(Some(PATIENCE));
    match act {
        // What a subscriber is too slow for would be dropped, as it should be;
        // here everything is to arrive.
        Act::PubSub | Act::XpubXsub => options.send_high_water_mark(0).receive_high_water_mark(0),
        _ => options,
    }
}

impl Line {
    fn open() -> Result<Self, Failure> {
        let (told, go) = mpsc::channel();
        let listen = move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if line == GO {
                    let _ = told.send(());
                }
            }
            // The conductor is gone, and with it the reason to go on.
            exit(1);
        };
        let started = thread::Builder::new()
            .name("conductor".into())
            .spawn(listen);
        started.map_err(Failure::system("start a thread"))?;
        Ok(Self { go })
    }

    /// Lets the other side go on.
    pub(crate) fn ready(&self) -> Result<(), Failure> {
        tell(&Word::Ready)
    }

    /// Whether the other side is ready, waiting at most so long.
    pub(crate) fn may_go(&self, timeout: Duration) -> bool {
        match self.go.recv_timeout(timeout) {
            Ok(()) => true,
            // The listening thread ends with the process.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Waits until the other side is ready.
    pub(crate) fn wait_go(&self) -> Result<(), Failure> {
        match self.may_go(PATIENCE) {
            true => Ok(()),
            false => Err(Failure::Demo("the other side was never ready".into())),
        }
    }
}

fn tell(word: &Word) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{word}").map_err(Failure::output)
}
