//! What an idle connection costs: the memory of a PULL that many are connected
//! to and nobody talks to.
//!
//! The connections come from another process, which makes bare ZMTP handshakes,
//! so that its own sockets do not count. Kernel memory is not counted.

use std::io::Write;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::channel::{Answer, Channel, Order, Weight};
use crate::coordinator::{Company, Pair, this_program, unexpected};
use crate::job::{Cell, Contender, Job, Placement, Role, Shape, Via, Workload};
use crate::peers::{self, Failure, Kind, Peer};
use crate::plain::{Stream, framed, shake_hands};
use crate::progress::Progress;
use crate::sys;

/// For all of the connections, each of which takes a fraction of a millisecond.
const PATIENCE: Duration = Duration::from_secs(60);
/// Descriptors that a process has besides the connections.
const OTHER_DESCRIPTORS: u64 = 64;
/// Length of the message that is sent over each connection.
const MESSAGE_LEN: usize = 64;

/// One contender with one number of connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IdleRow {
    pub(crate) contender: Contender,
    pub(crate) connections: usize,
    #[serde(flatten)]
    pub(crate) figures: Option<IdleFigures>,
    pub(crate) trouble: Option<String>,
}

/// Bytes that the process grew by for each connection.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct IdleFigures {
    /// After the handshake, nothing sent.
    pub(crate) idle: Weight,
    /// After one message over each connection, idle again.
    pub(crate) used: Weight,
}

/// Seconds that weighing one contender takes, and each of its connections.
const COST: (f64, f64) = (0.5, 200e-6);

/// Who is weighed, with how many connections.
pub(crate) fn plan(contenders: &[Contender], numbers: &[usize]) -> Vec<(Contender, usize)> {
    let mut planned = Vec::new();
    for connections in numbers.iter().copied() {
        let has_connections = |who: &Contender| {
            use Contender::{Ferromq, Libzmq, LibzmqSystem, Omq, Rzmq, Zeromq};
            match who {
                // It does not get to ten thousand.
                Rzmq => connections <= 1_000,
                Ferromq | Libzmq | LibzmqSystem | Omq | Zeromq => true,
                _ => false,
            }
        };
        let able = contenders.iter().copied().filter(has_connections);
        planned.extend(able.map(|contender| (contender, connections)));
    }
    planned
}

/// About how long it takes, in seconds.
pub(crate) fn cost(planned: &[(Contender, usize)]) -> f64 {
    let cost = |(_, connections): &(Contender, usize)| COST.0 + COST.1 * *connections as f64;
    planned.iter().map(cost).sum()
}

/// Weighs each contender with each number of connections.
pub(crate) fn weigh(planned: &[(Contender, usize)], progress: &Progress) -> Vec<IdleRow> {
    let mut rows: Vec<IdleRow> = Vec::new();
    for (contender, connections) in planned.iter().copied() {
        progress.tell(&format!("{connections} idle connections: {contender}"));
        let failed = |row: &IdleRow| row.contender == contender && row.figures.is_none();
        let weighed = match rows.iter().any(failed) {
            true => Err("left out: it failed with fewer".into()),
            false => weigh_one(contender, connections),
        };
        let trouble = weighed.as_ref().err().map(|failure| failure.to_string());
        rows.push(IdleRow {
            contender,
            connections,
            figures: weighed.ok(),
            trouble,
        });
        progress.done(cost(&[(contender, connections)]));
    }
    rows
}

fn weigh_one(contender: Contender, connections: usize) -> Result<IdleFigures, Failure> {
    let limit = sys::raise_descriptor_limit()?;
    if limit < connections as u64 + OTHER_DESCRIPTORS {
        return Err(format!("this user may open {limit} descriptors a process").into());
    }
    let mut pair = Pair::new(PATIENCE);
    let name = contender.argument();
    pair.spawn(
        Role::Server,
        this_program()?.args(["idle-server", "--contender", &name]),
    )?;
    let endpoint = match pair.next_answer()? {
        (_, Answer::Bound(endpoint)) => endpoint,
        (role, answer) => return Err(unexpected(role, &answer)),
    };
    let before = weight(&mut pair)?;
    let number = connections.to_string();
    pair.spawn(
        Role::Client,
        this_program()?.args(["idle-client", "--connections", &number]),
    )?;
    pair.order(Role::Client, &Order::Connect(endpoint))?;
    await_ready(&mut pair)?;
    let idle = weight(&mut pair)?;
    pair.order(Role::Client, &Order::SendEach)?;
    await_ready(&mut pair)?;
    pair.order(Role::Server, &Order::Receive(connections))?;
    await_ready(&mut pair)?;
    let used = weight(&mut pair)?;
    pair.end()?;
    let each = |after: u64, before: u64| after.saturating_sub(before) / connections as u64;
    let each = |after: Weight| Weight {
        resident: each(after.resident, before.resident),
        heap: each(after.heap, before.heap),
    };
    Ok(IdleFigures {
        idle: each(idle),
        used: each(used),
    })
}

/// What the server holds, once that has stopped changing.
///
/// A client knows that the server has said READY, not that the server has
/// finished with the connection.
fn weight(pair: &mut Pair) -> Result<Weight, Failure> {
    let mut weigh = || -> Result<Weight, Failure> {
        pair.order(Role::Server, &Order::Weigh)?;
        match pair.next_answer()? {
            (_, Answer::Weight(weight)) => Ok(weight),
            (role, answer) => Err(unexpected(role, &answer)),
        }
    };
    let mut last = weigh()?;
    loop {
        thread::sleep(Duration::from_millis(100));
        let now = weigh()?;
        if now.heap == last.heap && now.resident == last.resident {
            return Ok(now);
        }
        last = now;
    }
}

fn await_ready(pair: &mut Pair) -> Result<(), Failure> {
    match pair.next_answer()? {
        (_, Answer::Ready) => Ok(()),
        (role, answer) => Err(unexpected(role, &answer)),
    }
}

/// The entry point of `ferromq-bench idle-server`.
pub(crate) fn server_main(contender: Contender) -> Result<(), Failure> {
    let job = Job {
        cell: Cell::new(
            Workload::PushPull,
            Shape::of_size(MESSAGE_LEN),
            Via::Tcp,
            Placement::Unpinned,
        ),
        contender,
        warm_up: 0,
        count: 0,
    };
    let mut channel = Channel::over_pipes();
    let served = sys::raise_descriptor_limit()
        .map_err(Failure::from)
        .and_then(|_| peers::run_idle_server(&job, &mut channel));
    served.or_else(|failure| channel.answer(Answer::Failed(failure.to_string())))
}

/// Weighs and receives as it is told.
pub(crate) fn serve<P: Peer>(job: &Job, channel: &mut Channel) -> Result<(), Failure> {
    let context = P::context(job)?;
    let (mut server, endpoint) = P::bind(&context, Kind::Pull, "tcp://127.0.0.1:*", job)?;
    channel.answer(Answer::Bound(endpoint))?;
    while let Ok(order) = server.meanwhile(|| channel.order()) {
        match order {
            Order::Weigh => {
                let resident = sys::status_bytes("RssAnon")?;
                let heap = sys::heap_bytes();
                channel.answer(Answer::Weight(Weight { resident, heap }))?;
            }
            Order::Receive(count) => {
                server.recv_all(count as u64, MESSAGE_LEN)?;
                channel.answer(Answer::Ready)?;
            }
            order => return Err(format!("unexpected order {order:?}").into()),
        }
    }
    Ok(())
}

/// The entry point of `ferromq-bench idle-client`.
pub(crate) fn client_main(connections: usize) -> Result<(), Failure> {
    let mut channel = Channel::over_pipes();
    let done = hold_connections(connections, &mut channel);
    done.or_else(|failure| channel.answer(Answer::Failed(failure.to_string())))
}

fn hold_connections(connections: usize, channel: &mut Channel) -> Result<(), Failure> {
    sys::raise_descriptor_limit()?;
    let Order::Connect(endpoint) = channel.order()? else {
        return Err("told to do something before anything is connected".into());
    };
    let connect = |_| -> Result<Stream, Failure> {
        let mut stream = Stream::connect(&endpoint)?;
        shake_hands(&mut stream, "PUSH")?;
        Ok(stream)
    };
    let mut streams = (0..connections)
        .map(connect)
        .collect::<Result<Vec<Stream>, Failure>>()?;
    channel.answer(Answer::Ready)?;
    let frame = framed(&[0x5a; MESSAGE_LEN]);
    while let Ok(Order::SendEach) = channel.order() {
        streams
            .iter_mut()
            .try_for_each(|stream| stream.write_all(&frame))?;
        channel.answer(Answer::Ready)?;
    }
    Ok(())
}
