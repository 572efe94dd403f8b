//! The contenders: what a library has to do to be measured.
//!
//! A new contender is a file here that implements [`Peer`], a variant of
//! [`Contender`](crate::job::Contender), and a line in [`run`]. The traits are
//! generic parameters, never objects: 64-byte messages take tens of
//! nanoseconds, and an indirect call a message would be seen.

mod ferromq;
#[cfg(have_libzmq)]
mod libzmq;
mod raw;

use std::error::Error;

use crate::channel::Channel;
use crate::job::{Contender, Job, Role, Via};
use crate::{idle, worker};

/// Why a worker could not do its job. Shown to the user, never matched on.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// One library, as one process of a job uses it.
///
/// What binds gets an endpoint of its own choosing, and says where it listens;
/// what connects is told.
pub(crate) trait Peer {
    type Receiver: Receiver;
    type Sender: Sender;
    type Requester: Requester;
    type Replier: Replier;

    fn bind_receiver(job: &Job, endpoint: &str) -> Result<(Self::Receiver, String), Failure>;
    fn connect_sender(job: &Job, endpoint: &str) -> Result<Self::Sender, Failure>;
    fn bind_replier(job: &Job, endpoint: &str) -> Result<(Self::Replier, String), Failure>;
    fn connect_requester(job: &Job, endpoint: &str) -> Result<Self::Requester, Failure>;
}

/// The receiving end of `push-pull`.
pub(crate) trait Receiver {
    /// Waits for a message and returns its length in bytes.
    fn recv(&mut self) -> Result<usize, Failure>;
}

/// The sending end of `push-pull`.
pub(crate) trait Sender {
    /// Sends `body`, which is the same slice each time and lives as long as the
    /// process.
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure>;

    /// Makes sure that everything sent so far leaves without further calls.
    fn flush(&mut self) -> Result<(), Failure>;
}

/// The asking end of `req-rep`.
pub(crate) trait Requester {
    /// Sends a request, waits for the reply, and returns the reply's length.
    fn round_trip(&mut self, request: &'static [u8]) -> Result<usize, Failure>;
}

/// The answering end of `req-rep`.
pub(crate) trait Replier {
    /// Waits for a request, sends it back as the reply, and returns its length.
    fn serve(&mut self) -> Result<usize, Failure>;
}

/// A bound PULL whose idle connections are counted.
pub(crate) trait IdleServer: Sized {
    fn bind(endpoint: &str) -> Result<(Self, String), Failure>;
    fn recv(&mut self) -> Result<usize, Failure>;
}

/// Does one side of `job`, talking to the coordinator over `channel`.
pub(crate) fn run(job: &Job, role: Role, channel: &mut Channel) -> Result<(), Failure> {
    match job.contender {
        Contender::Raw => worker::run::<raw::Raw>(job, role, channel),
        #[cfg(have_libzmq)]
        Contender::Libzmq => worker::run::<libzmq::Libzmq<libzmq::Copying>>(job, role, channel),
        #[cfg(have_libzmq)]
        Contender::LibzmqZeroCopy => {
            worker::run::<libzmq::Libzmq<libzmq::Sharing>>(job, role, channel)
        }
        Contender::Ferromq => {
            worker::run::<ferromq::Ferromq<ferromq::Borrowing>>(job, role, channel)
        }
        Contender::FerromqZeroCopy => {
            worker::run::<ferromq::Ferromq<ferromq::Sharing>>(job, role, channel)
        }
        #[cfg(not(have_libzmq))]
        contender => Err(missing(contender)),
    }
}

/// Weighs `contender`'s idle connections, as the coordinator orders.
pub(crate) fn run_idle_server(contender: Contender, channel: &mut Channel) -> Result<(), Failure> {
    match contender {
        #[cfg(have_libzmq)]
        Contender::Libzmq => idle::serve::<libzmq::Bound>(channel),
        Contender::Ferromq => idle::serve::<ferromq::Bound>(channel),
        contender => Err(missing(contender)),
    }
}

/// Why `contender` cannot be measured by this build, if it cannot.
pub(crate) fn absence(contender: Contender) -> Option<String> {
    match contender {
        Contender::Libzmq | Contender::LibzmqZeroCopy if !cfg!(have_libzmq) => {
            Some(match option_env!("BENCH_LIBZMQ") {
                Some(reason) => format!("libzmq is left out: {reason}"),
                None => "libzmq is left out: built without the feature `libzmq`".to_owned(),
            })
        }
        _ => None,
    }
}

/// libzmq's version and how it was built.
pub(crate) fn libzmq_version() -> Option<String> {
    #[cfg(have_libzmq)]
    return Some(format!("{} ({})", libzmq::version(), env!("BENCH_LIBZMQ")));
    #[cfg(not(have_libzmq))]
    None
}

/// An endpoint that nobody else uses, for whoever binds.
pub(crate) fn fresh_endpoint(via: Via) -> String {
    match via {
        Via::Tcp => "tcp://127.0.0.1:*".to_owned(),
        Via::Ipc => {
            let name = format!("ferromq-bench-{}.ipc", std::process::id());
            format!("ipc://{}", std::env::temp_dir().join(name).display())
        }
    }
}

fn missing(contender: Contender) -> Failure {
    absence(contender)
        .unwrap_or_else(|| format!("{contender} cannot do this"))
        .into()
}
