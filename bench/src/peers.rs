//! The contenders: what a library has to do to be measured.
//!
//! A new contender is a file here that implements [`Peer`], a variant of
//! [`Contender`], and a line in [`run`]. The trait is a generic parameter, never
//! an object: 64-byte messages take tens of nanoseconds, and an indirect call a
//! message would be seen.

mod ferromq;
#[cfg(feature = "peers")]
mod iceoryx2;
mod keys;
mod libzmq;
mod memcpy;
mod nng;
#[cfg(feature = "peers")]
mod omq;
mod raw;
#[cfg(feature = "peers")]
mod runtime;
#[cfg(feature = "peers")]
mod rzmq;
mod words;
#[cfg(feature = "peers")]
mod zeromq;

use std::error::Error;
use std::iter;
use std::time::{Duration, Instant};

use crate::channel::Channel;
use crate::job::{Cell, Contender, Job, Mechanism, Placement, Role, Via, Workload};
use crate::{idle, worker};

/// Why a worker could not do its job. Shown to the user, never matched on.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The sockets that the workloads are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Push,
    Pull,
    Req,
    Rep,
    Pub,
    Sub,
    Dealer,
    Router,
}

/// Which end of its connections a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Binds,
    Connects,
}

/// A socket of one library.
///
/// The loops are the library's own, because an asynchronous one must not enter
/// its runtime once a message; those here do for all others.
pub(crate) trait Peer: Sized {
    /// What the sockets of a process share.
    type Context: Clone + Send + 'static;

    fn context(job: &Job) -> Result<Self::Context, Failure>;
    /// A socket that listens, and where.
    fn bind(
        context: &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<(Self, String), Failure>;
    fn connect(
        context: &Self::Context,
        kind: Kind,
        endpoint: &str,
        job: &Job,
    ) -> Result<Self, Failure>;

    /// Sends `body`, which lives as long as the process.
    fn send(&mut self, body: &'static [u8]) -> Result<(), Failure>;
    /// Waits for a message and returns its length in bytes.
    fn recv(&mut self) -> Result<usize, Failure>;
    /// REP, ROUTER: waits for a request, sends it back, and returns its length.
    fn answer(&mut self) -> Result<usize, Failure>;

    /// SUB: asks for messages that begin with `prefix`.
    fn subscribe(&mut self, prefix: &'static [u8]) -> Result<(), Failure>;

    /// Makes sure that everything sent so far leaves without further calls.
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Passes messages on from `front`, a PULL, to `back`, a PUSH, for ever.
    fn forward(_front: Self, _back: Self) -> Result<(), Failure> {
        Err("it has no proxy".into())
    }

    /// Does `wait` while what was sent goes on its way.
    fn meanwhile<T: Send>(&mut self, wait: impl FnOnce() -> T + Send) -> T {
        wait()
    }

    fn send_all(&mut self, bodies: impl Iterator<Item = &'static [u8]>) -> Result<(), Failure> {
        for body in bodies {
            self.send(body)?;
        }
        self.flush()
    }

    /// Receives `count` messages, which must be of `size` bytes.
    fn recv_all(&mut self, count: u64, size: usize) -> Result<(), Failure> {
        for _ in 0..count {
            check_size(self.recv()?, size)?;
        }
        Ok(())
    }

    /// REQ: asks `times.capacity()` times, and notes how long each took.
    fn ask_all(&mut self, body: &'static [u8], times: &mut Vec<Duration>) -> Result<(), Failure> {
        while times.len() < times.capacity() {
            let start = Instant::now();
            self.send(body)?;
            let len = self.recv()?;
            times.push(start.elapsed());
            check_size(len, body.len())?;
        }
        Ok(())
    }

    fn answer_all(&mut self, count: u64, size: usize) -> Result<(), Failure> {
        for _ in 0..count {
            check_size(self.answer()?, size)?;
        }
        Ok(())
    }

    /// DEALER: asks `count` times, `window` of which may be under way at once.
    fn pipeline(&mut self, body: &'static [u8], count: u64, window: usize) -> Result<(), Failure> {
        let ahead = count.min(window as u64);
        self.send_all(iter::repeat_n(body, ahead as usize))?;
        for _ in ahead..count {
            check_size(self.recv()?, body.len())?;
            self.send(body)?;
        }
        self.flush()?;
        self.recv_all(ahead, body.len())
    }
}

/// Does one side of `job`, talking to the coordinator over `channel`.
pub(crate) fn run(job: &Job, role: Role, channel: &mut Channel) -> Result<(), Failure> {
    match job.contender {
        Contender::Raw | Contender::RawBusy => worker::run::<raw::Raw>(job, role, channel),
        Contender::Memcpy => worker::run::<memcpy::Memcpy>(job, role, channel),
        Contender::Words => worker::run::<words::Words>(job, role, channel),
        Contender::Libzmq | Contender::LibzmqSystem => {
            worker::run::<libzmq::Libzmq<libzmq::Copying>>(job, role, channel)
        }
        Contender::LibzmqZeroCopy => {
            worker::run::<libzmq::Libzmq<libzmq::Sharing>>(job, role, channel)
        }
        Contender::Nng => worker::run::<nng::Nng>(job, role, channel),
        #[cfg(feature = "peers")]
        Contender::Omq => worker::run::<omq::Omq>(job, role, channel),
        #[cfg(feature = "peers")]
        Contender::Zeromq => worker::run::<zeromq::Zeromq>(job, role, channel),
        #[cfg(feature = "peers")]
        Contender::Rzmq => worker::run::<rzmq::Rzmq>(job, role, channel),
        #[cfg(feature = "peers")]
        Contender::Iceoryx2 => worker::run::<iceoryx2::Iceoryx2>(job, role, channel),
        #[cfg(not(feature = "peers"))]
        Contender::Omq | Contender::Zeromq | Contender::Rzmq | Contender::Iceoryx2 => {
            Err(absence(job.contender).unwrap_or_default().into())
        }
        Contender::Ferromq => {
            worker::run::<ferromq::Ferromq<ferromq::Borrowing>>(job, role, channel)
        }
        Contender::FerromqZeroCopy if job.cell.via == Via::Shm => {
            worker::run::<ferromq::Ferromq<ferromq::Loaning>>(job, role, channel)
        }
        Contender::FerromqZeroCopy => {
            worker::run::<ferromq::Ferromq<ferromq::Sharing>>(job, role, channel)
        }
    }
}

/// Weighs `contender`'s idle connections, as the coordinator orders.
pub(crate) fn run_idle_server(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    match job.contender {
        Contender::Libzmq | Contender::LibzmqSystem => {
            idle::serve::<libzmq::Libzmq<libzmq::Copying>>(job, channel)
        }
        #[cfg(feature = "peers")]
        Contender::Omq => idle::serve::<omq::Omq>(job, channel),
        #[cfg(feature = "peers")]
        Contender::Zeromq => idle::serve::<zeromq::Zeromq>(job, channel),
        #[cfg(feature = "peers")]
        Contender::Rzmq => idle::serve::<rzmq::Rzmq>(job, channel),
        Contender::Ferromq => idle::serve::<ferromq::Ferromq<ferromq::Borrowing>>(job, channel),
        contender => Err(format!("{contender} has no idle connections to weigh").into()),
    }
}

/// Why `contender` cannot be measured by this build on this machine, if so.
pub(crate) fn absence(contender: Contender) -> Option<String> {
    match contender {
        Contender::Libzmq | Contender::LibzmqZeroCopy if !cfg!(have_libzmq) => {
            Some(match option_env!("BENCH_LIBZMQ") {
                Some(reason) => format!("left out: {reason}"),
                None => "left out: built without the feature `libzmq`".to_owned(),
            })
        }
        Contender::LibzmqSystem => libzmq::absence_of_system(),
        Contender::Nng => nng::absence(),
        Contender::Omq | Contender::Zeromq | Contender::Rzmq | Contender::Iceoryx2
            if !cfg!(feature = "peers") =>
        {
            Some("left out: built without the feature `peers`".to_owned())
        }
        _ => None,
    }
}

/// Why `contender` has no row in `cell`, if it has none; `None` also of those
/// that cannot be measured at all.
pub(crate) fn inability(contender: Contender, cell: &Cell) -> Option<&'static str> {
    use Contender::{
        Iceoryx2, LibzmqZeroCopy, Memcpy, Nng, Omq, Raw, RawBusy, Rzmq, Words, Zeromq,
    };
    use Workload::{Backlog, Clients, DealerRouter, Proxy, PubSub, PushPull, ReqRep, Topics};
    if cell.mechanism == Mechanism::Curve && !speaks_curve(contender) {
        return Some("not measured with CURVE, or it has none");
    }
    match (contender, cell.workload) {
        (Raw | RawBusy | Nng | Zeromq, _) if cell.via == Via::Inproc => {
            Some("it has no inproc, or none between two sockets")
        }
        (other, _) if cell.has_loans_only() && other != Contender::FerromqZeroCopy => {
            Some("it copies them")
        }
        (Memcpy, PushPull) if cell.via == Via::Shm && cell.shape.size >= 64 << 10 => None,
        (Memcpy, _) => Some("only for long bodies through shared memory"),
        (Words, ReqRep)
            if cell.via == Via::Shm
                && cell.shape.size <= 1 << 10
                && cell.shape.size.is_multiple_of(8)
                && cell.placement != Placement::Contended =>
        {
            None
        }
        (Words, _) => Some("only for short round trips through shared memory"),
        (RawBusy, ReqRep) if cell.placement.has_cores_to_burn() => None,
        (RawBusy, _) => Some("only for round trips, and only with a core to burn"),
        (other, _) if cell.via == Via::TcpSwitched && other != Contender::Ferromq => {
            Some("it stays where it is")
        }
        (Iceoryx2, _) if cell.via != Via::Shm => Some("it has shared memory only"),
        (Iceoryx2, _) if !cell.placement.has_cores_to_burn() => {
            Some("it polls: only with a core to burn")
        }
        (Iceoryx2, PushPull | ReqRep) => None,
        (Iceoryx2, _) => Some("not measured"),
        (Raw, Topics | Backlog) => Some("it has no subscriptions and no queue"),
        (LibzmqZeroCopy, _) => None,
        (Nng, PubSub | Topics) => Some("its PUB drops what a subscriber has no room for"),
        (Nng, Clients | DealerRouter | Backlog | Proxy) => Some("it has no ROUTER"),
        (Zeromq, PubSub | Topics) => Some("its PUB drops what a subscriber has no room for"),
        (Omq | Zeromq | Rzmq, Proxy) => Some("not measured"),
        (Rzmq, Clients) if cell.shape.peers > 1_000 => {
            Some("it does not get to ten thousand connections")
        }
        (Omq | Rzmq, Topics) if cell.shape.load > 10_000 => Some("not measured"),
        _ => None,
    }
}

fn speaks_curve(contender: Contender) -> bool {
    matches!(
        contender,
        Contender::Libzmq | Contender::LibzmqSystem | Contender::Ferromq
    )
}

/// The contenders' versions, and how they were built or found.
pub(crate) fn versions() -> Vec<(&'static str, String)> {
    let mut versions = vec![("libzmq", libzmq::version())];
    if let Some(version) = libzmq::system_version() {
        versions.push(("Debian's libzmq", version));
    }
    if let Some(version) = nng::version() {
        versions.push(("libnng", version));
    }
    for (name, version) in [
        ("iceoryx2", option_env!("BENCH_ICEORYX2_VERSION")),
        ("omq-tokio", option_env!("BENCH_OMQ_TOKIO_VERSION")),
        ("zeromq", option_env!("BENCH_ZEROMQ_VERSION")),
        ("rzmq", option_env!("BENCH_RZMQ_VERSION")),
    ] {
        if cfg!(feature = "peers") {
            versions.push((name, version.unwrap_or("unknown").to_owned()));
        }
    }
    versions
}

/// An endpoint that nobody else uses, for whoever binds.
pub(crate) fn fresh_endpoint(job: &Job, name: &str) -> String {
    match job.cell.via {
        Via::Tcp | Via::TcpSwitched => "tcp://127.0.0.1:*".to_owned(),
        Via::Shm
            if matches!(
                job.contender,
                Contender::Ferromq | Contender::FerromqZeroCopy
            ) =>
        {
            "shm://*".to_owned()
        }
        Via::Shm if job.contender == Contender::Omq => {
            format!("shm://@ferromq-bench-{name}-{}", std::process::id())
        }
        // The name of a service.
        Via::Shm if job.contender == Contender::Iceoryx2 => {
            format!("ferromq-bench-{name}-{}", std::process::id())
        }
        Via::Ipc | Via::Shm => {
            let name = format!("ferromq-bench-{name}-{}.ipc", std::process::id());
            format!("ipc://{}", std::env::temp_dir().join(name).display())
        }
        Via::Inproc => format!("inproc://{name}"),
    }
}

/// Fails when a message of another length arrived than was sent.
#[inline]
pub(crate) fn check_size(len: usize, size: usize) -> Result<(), Failure> {
    if len == size {
        return Ok(());
    }
    Err(format!("a message of {len} bytes arrived instead of {size} bytes").into())
}
