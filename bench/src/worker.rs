//! A worker: one side of one job, a process of its own or, over inproc, a thread.

use std::iter;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::channel::{Answer, Channel, Order, Report};
use crate::coordinator::{Threads, introduce};
use crate::job::{Job, Placement, Role, Workload};
use crate::meter::Meter;
use crate::peers::{self, Failure, Kind, Peer};
use crate::statistics::round_trip;
use crate::{plain, sys, topics};

/// What a publisher says until everybody has heard it.
///
/// Its length is no job's, and no topic begins with a zero.
pub(crate) const HEARD: &[u8] = b"\0is anybody there?";
/// What nobody subscribed to.
const NOBODY: &[u8] = b"\x01 nobody listens";
/// How long it waits before it says so again.
const REPEAT: Duration = Duration::from_millis(1);

/// The entry point of `ferromq-bench worker`.
///
/// A failure goes to the coordinator, who says what could not be measured.
pub(crate) fn main(job: &Job, role: Role) -> Result<(), Failure> {
    let mut channel = Channel::over_pipes();
    let done = sys::raise_descriptor_limit()
        .map_err(Failure::from)
        .and_then(|_| pin(job, role))
        .and_then(|()| peers::run(job, role, &mut channel));
    done.or_else(|failure| channel.answer(Answer::Failed(failure.to_string())))
}

/// Does one side of `job`, or both, with the library `P`.
pub(crate) fn run<P: Peer>(job: &Job, role: Role, channel: &mut Channel) -> Result<(), Failure> {
    let context = P::context(job)?;
    match role {
        Role::Both => play_both::<P>(&context, job, channel),
        role => play::<P>(&context, job, role, channel),
    }
}

/// Does both sides, each in a thread.
fn play_both<P: Peer>(
    context: &P::Context,
    job: &Job,
    channel: &mut Channel,
) -> Result<(), Failure> {
    let mut threads = Threads::new();
    let mut reports = introduce(job, &mut threads, |threads, role| {
        let (context, job) = (context.clone(), job.clone());
        let mut channel = threads.channel(role);
        thread::spawn(move || {
            let played =
                pin(&job, role).and_then(|()| play::<P>(&context, &job, role, &mut channel));
            if let Err(failure) = played {
                // Nobody listens any more when the other side failed first.
                let _ = channel.answer(Answer::Failed(failure.to_string()));
            }
        });
        Ok(())
    })?;
    // Either of them measured the time of the whole process.
    if let Some(client) = reports.get_mut(&Role::Client) {
        client.cpu_seconds = 0.0;
    }
    channel.answer(Answer::AllDone(reports.into_iter().collect()))?;
    channel.await_end();
    Ok(())
}

fn play<P: Peer>(
    context: &P::Context,
    job: &Job,
    role: Role,
    channel: &mut Channel,
) -> Result<(), Failure> {
    use Workload::{Backlog, Clients, DealerRouter, Proxy, PubSub, PushPull, ReqRep, Topics};
    match (job.cell.workload, role) {
        (_, Role::Middle) => forward::<P>(context, job, channel),
        (PushPull | Proxy | Backlog, Role::Server) => receive::<P>(context, job, channel),
        (PushPull | Proxy | Backlog, _) => send::<P>(context, job, channel),
        (ReqRep, Role::Server) => reply::<P>(context, Kind::Rep, job, channel),
        (ReqRep, _) => request::<P>(context, job, channel),
        (DealerRouter | Clients, Role::Server) => reply::<P>(context, Kind::Router, job, channel),
        (DealerRouter, _) => pipeline::<P>(context, job, channel),
        (PubSub | Topics, Role::Server) => publish::<P>(context, job, channel),
        (Clients, _) => plain::ask(job, channel),
        (PubSub | Topics, _) if job.cell.has_plain_peers() => plain::subscribe(job, channel),
        (PubSub | Topics, _) => subscribe::<P>(context, job, channel),
    }
}

fn bind<P: Peer>(
    context: &P::Context,
    kind: Kind,
    job: &Job,
    channel: &mut Channel,
) -> Result<P, Failure> {
    let endpoint = peers::fresh_endpoint(job, "server");
    let (socket, endpoint) = P::bind(context, kind, &endpoint, job)?;
    channel.answer(Answer::Bound(endpoint))?;
    Ok(socket)
}

fn receive<P: Peer>(context: &P::Context, job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let mut receiver: P = bind(context, Kind::Pull, job, channel)?;
    let size = job.cell.shape.size;
    if job.cell.workload == Workload::Backlog {
        await_begin(channel)?;
    }
    receiver.recv_all(job.warm_up, size)?;
    let meter = Meter::start();
    receiver.recv_all(job.count, size)?;
    finish(&mut receiver, meter.stop()?, channel)
}

fn send<P: Peer>(context: &P::Context, job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let endpoint = await_endpoint(channel)?;
    let mut sender = P::connect(context, Kind::Push, &endpoint, job)?;
    let body = body(job);
    sender.send_all(iter::repeat_n(body, job.warm_up as usize))?;
    let mut meter = Meter::start();
    sender.send_all(iter::repeat_n(body, job.count as usize))?;
    if job.cell.workload == Workload::Backlog {
        meter.split();
        channel.answer(Answer::Ready)?;
    }
    // The library's own threads may still be sending: their time counts too.
    sender.meanwhile(|| await_finish(channel))?;
    finish(&mut sender, meter.stop()?, channel)
}

/// The proxy between the two, until the coordinator has what it wants.
fn forward<P: Peer>(context: &P::Context, job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let back = await_endpoint(channel)?;
    let front = peers::fresh_endpoint(job, "middle");
    let (context, job) = (context.clone(), job.clone());
    let (tell, bound) = mpsc::channel::<Result<String, Failure>>();
    thread::spawn(move || {
        let failed = (|| {
            let (front, endpoint) = P::bind(&context, Kind::Pull, &front, &job)?;
            let back = P::connect(&context, Kind::Push, &back, &job)?;
            let _ = tell.send(Ok(endpoint));
            P::forward(front, back)
        })();
        if let Err(failure) = failed {
            let _ = tell.send(Err(failure));
        }
    });
    channel.answer(Answer::Bound(bound.recv()??))?;
    let meter = Meter::start();
    await_finish(channel)?;
    channel.answer(Answer::Done(meter.stop()?))?;
    channel.await_end();
    // The proxy runs until the process ends.
    Ok(())
}

fn reply<P: Peer>(
    context: &P::Context,
    kind: Kind,
    job: &Job,
    channel: &mut Channel,
) -> Result<(), Failure> {
    let mut replier: P = bind(context, kind, job, channel)?;
    let size = job.cell.shape.size;
    replier.answer_all(job.warm_up, size)?;
    let meter = Meter::start();
    replier.answer_all(job.count, size)?;
    replier.flush()?;
    // The last reply may leave after the call that sent it.
    replier.meanwhile(|| await_finish(channel))?;
    finish(&mut replier, meter.stop()?, channel)
}

fn request<P: Peer>(context: &P::Context, job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let endpoint = await_endpoint(channel)?;
    let mut requester = P::connect(context, Kind::Req, &endpoint, job)?;
    let body = body(job);
    requester.ask_all(body, &mut Vec::with_capacity(job.warm_up as usize))?;
    let mut times = Vec::with_capacity(job.count as usize);
    let meter = Meter::start();
    requester.ask_all(body, &mut times)?;
    let mut report = meter.stop()?;
    report.round_trip = round_trip(&mut times);
    finish(&mut requester, report, channel)
}

fn pipeline<P: Peer>(
    context: &P::Context,
    job: &Job,
    channel: &mut Channel,
) -> Result<(), Failure> {
    let endpoint = await_endpoint(channel)?;
    let mut dealer = P::connect(context, Kind::Dealer, &endpoint, job)?;
    let (body, window) = (body(job), job.cell.shape.load);
    dealer.pipeline(body, job.warm_up, window)?;
    let meter = Meter::start();
    dealer.pipeline(body, job.count, window)?;
    finish(&mut dealer, meter.stop()?, channel)
}

fn publish<P: Peer>(context: &P::Context, job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let mut publisher: P = bind(context, Kind::Pub, job, channel)?;
    // Until all have connected. Some libraries take subscriptions in only when
    // they are called, and greeting thousands each millisecond would be all
    // that they do.
    let peers = job.cell.shape.peers as u32;
    let pause = REPEAT * (peers / 50).max(1);
    match job.cell.workload {
        Workload::Topics => repeat(&mut publisher, NOBODY, REPEAT, channel)?,
        _ => repeat(&mut publisher, HEARD, pause, channel)?,
    }
    // Until all have heard it.
    repeat(&mut publisher, HEARD, pause, channel)?;
    let bodies = topics::bodies(&job.cell);
    let mut bodies = bodies.iter().copied().cycle();
    publisher.send_all(bodies.by_ref().take(job.warm_up as usize))?;
    let mut meter = Meter::start();
    publisher.send_all(bodies.take(job.count as usize))?;
    meter.split();
    publisher.meanwhile(|| await_finish(channel))?;
    finish(&mut publisher, meter.stop()?, channel)?;
    if job.cell.is_heavy() {
        // Some take minutes to forget a million subscriptions of a thousand.
        std::process::exit(0);
    }
    Ok(())
}

/// Says the same until the coordinator's next order.
fn repeat<P: Peer>(
    publisher: &mut P,
    body: &'static [u8],
    pause: Duration,
    channel: &mut Channel,
) -> Result<(), Failure> {
    while channel.try_order()?.is_none() {
        publisher.send(body)?;
        publisher.flush()?;
        publisher.meanwhile(|| thread::sleep(pause));
    }
    Ok(())
}

/// All subscribers, each with a thread.
fn subscribe<P: Peer>(
    context: &P::Context,
    job: &Job,
    channel: &mut Channel,
) -> Result<(), Failure> {
    let endpoint = await_endpoint(channel)?;
    let (tell, told) = mpsc::channel();
    for _ in 0..job.cell.shape.peers {
        let (context, endpoint, job) = (context.clone(), endpoint.clone(), job.clone());
        let tell = tell.clone();
        thread::spawn(move || {
            let listened = listen::<P>(&context, &endpoint, &job, &tell);
            if let Err(failure) = listened {
                let _ = tell.send(Err(failure));
            }
        });
    }
    channel.answer(Answer::Ready)?;
    for _ in 0..job.cell.shape.peers {
        told.recv()??;
    }
    channel.answer(Answer::Ready)?;
    let meter = Meter::start();
    let mut longest = Duration::ZERO;
    for _ in 0..job.cell.shape.peers {
        longest = longest.max(told.recv()??);
    }
    let mut report = meter.stop()?;
    // The warm-up's share of the time is left out, as everywhere.
    report.cpu_seconds *= job.count as f64 / (job.count + job.warm_up) as f64;
    report.seconds = longest.as_secs_f64();
    channel.answer(Answer::Done(report))?;
    channel.await_end();
    Ok(())
}

/// One subscriber: tells when it heard the publisher, and how long it listened.
fn listen<P: Peer>(
    context: &P::Context,
    endpoint: &str,
    job: &Job,
    tell: &mpsc::Sender<Result<Duration, Failure>>,
) -> Result<(), Failure> {
    let mut subscriber = P::connect(context, Kind::Sub, endpoint, job)?;
    subscriber.subscribe(b"")?;
    subscriber.recv()?;
    tell.send(Ok(Duration::ZERO))?;
    let size = job.cell.shape.size;
    while subscriber.recv()? == HEARD.len() {}
    subscriber.recv_all(job.warm_up - 1, size)?;
    let start = Instant::now();
    subscriber.recv_all(job.count, size)?;
    tell.send(Ok(start.elapsed()))?;
    loop {
        // The socket stays open until the process ends.
        thread::park();
    }
}

/// Reports, and holds the socket until nobody needs it.
fn finish(socket: &mut impl Peer, report: Report, channel: &mut Channel) -> Result<(), Failure> {
    channel.answer(Answer::Done(report))?;
    socket.meanwhile(|| channel.await_end());
    Ok(())
}

/// The message that is sent again and again, in memory of its own.
///
/// Leaked: zero-copy senders hold on to it for as long as they like.
fn body(job: &Job) -> &'static [u8] {
    vec![0x5a; job.cell.shape.size].leak()
}

/// Takes this thread, and the threads that it will make, to its core.
fn pin(job: &Job, role: Role) -> Result<(), Failure> {
    let cores = sys::allowed_cores()?;
    let beside_a_proxy = job.cell.workload == Workload::Proxy && role != Role::Middle;
    let core = match (job.cell.placement, role) {
        (Placement::Unpinned, _) => return Ok(()),
        // Each thread goes to its own.
        (Placement::CoreEach | Placement::Contended, Role::Both) => return Ok(()),
        (Placement::CoreEach | Placement::Contended, Role::Client) => cores.get(1),
        // The proxy has a core, the two ends share the other.
        (Placement::CoreEach | Placement::Contended, _) if beside_a_proxy => cores.get(1),
        (Placement::OneCore | Placement::CoreEach | Placement::Contended, _) => cores.first(),
    };
    let core = core.ok_or("there is no second core")?;
    Ok(sys::pin_to(*core)?)
}

pub(crate) fn await_endpoint(channel: &mut Channel) -> Result<String, Failure> {
    match channel.order()? {
        Order::Connect(endpoint) => Ok(endpoint),
        order => Err(unexpected(&order)),
    }
}

fn await_begin(channel: &mut Channel) -> Result<(), Failure> {
    match channel.order()? {
        Order::Begin => Ok(()),
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
