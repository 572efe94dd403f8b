//! A worker process: one side of one job.

use std::time::{Duration, Instant};

use crate::channel::{Answer, Channel, Order, Report};
use crate::job::{Job, Placement, Role, Workload};
use crate::peers::{self, Failure, Peer, Receiver, Replier, Requester, Sender};
use crate::statistics::round_trip;
use crate::sys;

/// The entry point of `ferromq-bench worker`.
///
/// A failure goes to the coordinator, who says what could not be measured.
pub(crate) fn main(job: &Job, role: Role) -> Result<(), Failure> {
    let mut channel = Channel;
    let done = pin(job, role).and_then(|()| peers::run(job, role, &mut channel));
    done.or_else(|failure| channel.answer(&Answer::Failed(failure.to_string())))
}

/// Does one side of `job` with the library `P`.
pub(crate) fn run<P: Peer>(job: &Job, role: Role, channel: &mut Channel) -> Result<(), Failure> {
    match (job.cell.workload, role) {
        (Workload::PushPull, Role::Server) => receive::<P>(job, channel),
        (Workload::PushPull, Role::Client) => send::<P>(job, channel),
        (Workload::ReqRep, Role::Server) => reply::<P>(job, channel),
        (Workload::ReqRep, Role::Client) => request::<P>(job, channel),
    }
}

fn receive<P: Peer>(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let endpoint = peers::fresh_endpoint(job.cell.via);
    let (mut receiver, endpoint) = P::bind_receiver(job, &endpoint)?;
    channel.answer(&Answer::Bound(endpoint))?;
    let mut take = |count| -> Result<(), Failure> {
        for _ in 0..count {
            check_size(receiver.recv()?, job)?;
        }
        Ok(())
    };
    take(job.warm_up)?;
    let meter = Meter::start();
    take(job.count)?;
    finish(meter.stop()?, channel)
}

fn send<P: Peer>(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let mut sender = P::connect_sender(job, &await_endpoint(channel)?)?;
    let body = body(job);
    for _ in 0..job.warm_up {
        sender.send(body)?;
    }
    let meter = Meter::start();
    for _ in 0..job.count {
        sender.send(body)?;
    }
    sender.flush()?;
    // The library's own threads may still be sending: their time counts too.
    await_finish(channel)?;
    finish(meter.stop()?, channel)
}

fn reply<P: Peer>(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let endpoint = peers::fresh_endpoint(job.cell.via);
    let (mut replier, endpoint) = P::bind_replier(job, &endpoint)?;
    channel.answer(&Answer::Bound(endpoint))?;
    let mut serve = |count| -> Result<(), Failure> {
        for _ in 0..count {
            check_size(replier.serve()?, job)?;
        }
        Ok(())
    };
    serve(job.warm_up)?;
    let meter = Meter::start();
    serve(job.count)?;
    // The last reply may leave after the call that sent it.
    await_finish(channel)?;
    finish(meter.stop()?, channel)
}

fn request<P: Peer>(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let mut requester = P::connect_requester(job, &await_endpoint(channel)?)?;
    let body = body(job);
    for _ in 0..job.warm_up {
        check_size(requester.round_trip(body)?, job)?;
    }
    let mut times = Vec::with_capacity(job.count as usize);
    let meter = Meter::start();
    for _ in 0..job.count {
        let start = Instant::now();
        let len = requester.round_trip(body)?;
        times.push(start.elapsed());
        check_size(len, job)?;
    }
    let mut report = meter.stop()?;
    report.round_trip = round_trip(&mut times);
    finish(report, channel)
}

/// Reports, and holds the socket that the caller owns until nobody needs it.
fn finish(report: Report, channel: &mut Channel) -> Result<(), Failure> {
    channel.answer(&Answer::Done(report))?;
    channel.await_end();
    Ok(())
}

/// Wall and CPU time since a moment.
struct Meter {
    start: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Self {
        Self {
            start: Instant::now(),
            cpu: sys::cpu_time(),
        }
    }

    fn stop(self) -> Result<Report, Failure> {
        let seconds = self.start.elapsed().as_secs_f64();
        let cpu_seconds = sys::cpu_time().saturating_sub(self.cpu).as_secs_f64();
        let peak_rss_bytes = sys::status_bytes("VmHWM")?;
        Ok(Report {
            seconds,
            cpu_seconds,
            peak_rss_bytes,
            round_trip: None,
        })
    }
}

/// The message that is sent again and again, in memory of its own.
///
/// Leaked: zero-copy senders hold on to it for as long as they like.
fn body(job: &Job) -> &'static [u8] {
    vec![0x5a; job.cell.size].leak()
}

fn check_size(len: usize, job: &Job) -> Result<(), Failure> {
    if len == job.cell.size {
        return Ok(());
    }
    Err(format!(
        "a message of {len} bytes arrived instead of {} bytes",
        job.cell.size
    )
    .into())
}

/// Takes this process, and the threads that it will have, to its core.
fn pin(job: &Job, role: Role) -> Result<(), Failure> {
    let cores = sys::allowed_cores()?;
    let core = match (job.cell.placement, role) {
        (Placement::Unpinned, _) => return Ok(()),
        (Placement::OneCore, _) | (Placement::CoreEach, Role::Server) => cores.first(),
        (Placement::CoreEach, Role::Client) => cores.get(1),
    };
    let core = core.ok_or("there is no second core")?;
    Ok(sys::pin_to(*core)?)
}

fn await_endpoint(channel: &mut Channel) -> Result<String, Failure> {
    match channel.order()? {
        Order::Connect(endpoint) => Ok(endpoint),
        order => Err(unexpected(&order)),
    }
}

fn await_finish(channel: &mut Channel) -> Result<(), Failure> {
    match channel.order()? {
        Order::Finish => Ok(()),
        order => Err(unexpected(&order)),
    }
}

fn unexpected(order: &Order) -> Failure {
    format!("unexpected order {order:?}").into()
}
