//! `ferromq receive`: whatever is sent, into one directory.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use ferromq::Error;
use ferromq::files::{Event, Existing, Incoming, Receiver, ReceiverOptions, RefusalCode};
use signal_hook::consts::SIGXFSZ;

use super::progress::{Bar, Bars, Whole};
use super::{ReceiveFilesArgs, close_now, close_on_signal, printable};
use crate::cli::error::Failure;
use crate::cli::trouble::Told;
use crate::cli::{interrupt, trouble};

/// Receives until `--count` is reached.
pub(crate) fn receive(args: &ReceiveFilesArgs) -> Result<(), Failure> {
    // A file beyond the limit of this process is to be refused, not to end us.
    let caught = signal_hook::flag::register(SIGXFSZ, Arc::default());
    caught.map_err(Failure::system("catch a signal"))?;
    let security = args.security.load()?;
    let mut receiver = open(args)?;
    let socket = receiver.socket().clone();
    let observer = trouble::observe(socket.monitor(), Told::Paths.or_this(args.verbose))?;
    security.before_bind(socket.as_ref(), &args.at)?;
    let mut bound = Vec::new();
    for given in &args.at {
        match socket.bind(given) {
            Ok(endpoint) => bound.push(endpoint.to_string()),
            Err(error) => {
                close_now(socket.as_ref(), &bound);
                return Err(error.into());
            }
        }
    }
    close_on_signal(socket.as_ref(), &bound)?;
    let new = bound
        .iter()
        .zip(&args.at)
        .filter(|(bound, given)| bound != given);
    for (bound, _) in new.filter(|_| !args.verbose) {
        trouble::say(format_args!("listening on {bound}"));
    }
    let mut progress = Received::new(args.count);
    let done = receiver.run(|event| progress.see(event));
    close_now(socket.as_ref(), &bound);
    // Until the last answers have left.
    let _ = observer.join();
    progress.outcome(done, args)
}

fn open(args: &ReceiveFilesArgs) -> Result<Receiver, Failure> {
    let existing = match args.force {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    let options = ReceiverOptions::new()
        .existing(existing)
        .timeout(args.timeout);
    let directory = |failed| match failed {
        Error::System { cause, .. } => Failure::Directory {
            directory: args.into.display().to_string(),
            cause,
        },
        other => other.into(),
    };
    Receiver::new(&args.path.context()?, &args.into, options).map_err(directory)
}

/// What was received so far.
struct Received {
    bars: Bars,
    open: HashMap<u64, (Bar, u64)>,
    left: u64,
    /// What ends the command.
    failure: Option<Failure>,
    refused: bool,
}

impl Received {
    fn new(count: Option<u64>) -> Self {
        Self {
            bars: Bars::new(),
            open: HashMap::new(),
            left: count.unwrap_or(u64::MAX),
            failure: None,
            refused: false,
        }
    }

    fn see(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Began { file, from } => {
                let bar = self.bars.add(&named(file), file.size);
                bar.resume_at(*from);
                self.open.insert(file.number, (bar, *from));
            }
            Event::Advanced { file, written } => {
                if let Some((bar, _)) = self.open.get(&file.number) {
                    bar.set(*written, file.size);
                }
            }
            Event::Received { file, sha256 } => return self.received(file, sha256),
            Event::Refused {
                name,
                file,
                refusal,
                ..
            } => {
                if let Some(file) = file {
                    self.open.remove(&file.number);
                }
                // Our own trouble, not something that a sender did.
                self.refused |= refusal.code == RefusalCode::Storage;
                let name = match name.is_empty() {
                    true => "a nameless file".to_owned(),
                    false => printable(name),
                };
                self.bars.say(&format!("{name}: refused: {refusal}"));
            }
            Event::Left { file } => {
                self.open.remove(&file.number);
                let line = format!("{}: left by its sender before it was whole", named(file));
                self.bars.say(&line);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn received(&mut self, file: &Incoming, sha256: &[u8; 32]) -> ControlFlow<()> {
        let (from, elapsed) = match self.open.remove(&file.number) {
            Some((bar, from)) => (from, bar.elapsed()),
            // Nothing was sent of it.
            None => (file.size, Default::default()),
        };
        let whole = Whole {
            name: &named(file),
            size: file.size,
            from,
            sha256,
        };
        if let Err(failure) = self.bars.print(&whole.line(elapsed)) {
            self.failure = Some(failure);
            return ControlFlow::Break(());
        }
        self.left -= 1;
        match self.left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn outcome(self, done: Result<(), Error>, args: &ReceiveFilesArgs) -> Result<(), Failure> {
        if let Some(signal) = interrupt::interrupted() {
            return Err(signal);
        }
        match (done, args.timeout) {
            (Err(Error::TimedOut), Some(timeout)) => {
                return Err(Failure::TimedOut {
                    waited_for: "no sender said anything",
                    timeout,
                    place: args.at.join(", "),
                });
            }
            (done, _) => done?,
        }
        match (self.failure, self.refused) {
            (Some(failure), _) => Err(failure),
            (None, true) => Err(Failure::Told),
            (None, false) => Ok(()),
        }
    }
}

fn named(file: &Incoming) -> String {
    printable(file.name.as_bytes())
}
