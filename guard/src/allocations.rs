//! How often small messages allocate, in steady state: not at all.
//!
//! Receive blocks and long bodies are no part of it: they are mapped, and pooled
//! by the socket. Nor is what the I/O thread does. Over ipc and not tcp, which is
//! the same but for the kernel: TCP may deliver a burst in pieces, by the state of
//! its window, and messages that come alone cost more.

use std::backtrace::Backtrace;
use std::collections::{HashSet, VecDeque};
use std::fmt;

use ferromq::{AnySocket, Frame, Message, SocketType};

use crate::allocator;
use crate::pair::{Pair, Via};
use crate::sections::{Failure, SMALL};

/// Messages of a burst, fewer than a high-water mark.
const BURST: usize = 500;
/// Bursts that fill pools and grow queues to their size.
const WARM_UP: usize = 10;
/// Bursts that are counted.
const BURSTS: usize = 20;
/// How often they are, where there are too many: the steady state is the best of these. Once
/// in a while the system stops the I/O thread for so long that something has to wait where
/// nothing had to before, and grows for good.
const TRIES: usize = 4;
/// Allocations that are traced where there are too many.
const CULPRITS: usize = 16;

static BODY: [u8; SMALL] = [0x5a; SMALL];

/// Allocations of one message that there may be, and why.
mod allowed {
    pub(super) const NONE: f64 = 0.0;
    /// A message that lies alone in its receive block is copied out of it, so
    /// that a user who keeps it does not keep 128 KiB.
    pub(super) const ALONE: f64 = 1.0;
    /// A message of two frames is a vector.
    pub(super) const VECTOR: f64 = 1.0;
    /// A copy of each body.
    pub(super) const ROUND_TRIP: f64 = 2.0;
}

/// What one way of passing messages allocates.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    /// Of one message.
    counted: f64,
    allowed: f64,
    /// Who allocated, if too many did.
    culprits: Culprits,
}

impl Row {
    pub(crate) fn is_kept(&self) -> bool {
        self.counted <= self.allowed
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            counted,
            allowed,
            culprits,
        } = self;
        let verdict = match counted {
            _ if !self.is_kept() => "MORE",
            // The rest of an allowance for something that is gone.
            _ if *counted <= allowed - 1.0 => "less",
            _ => "",
        };
        write!(
            f,
            "{allowed:>9.1} {counted:>9.4} {verdict:<4} {name}\n{culprits}"
        )
    }
}

/// Those who allocated first, and who called them.
#[derive(Debug, Default)]
struct Culprits(Vec<Backtrace>);

impl fmt::Display for Culprits {
    /// The calls within this workspace, innermost first, without the guard's own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = HashSet::new();
        for calls in self.0.iter().map(ToString::to_string) {
            let calls = calls_of_ours(&calls);
            if told.insert(calls.clone()) {
                write!(f, "          allocated by\n{calls}")?;
            }
        }
        Ok(())
    }
}

fn calls_of_ours(backtrace: &str) -> String {
    let (mut function, mut calls) = ("", String::new());
    for line in backtrace.lines().map(str::trim) {
        match line.strip_prefix("at ") {
            None => function = line.split_once(": ").map_or(line, |(_, name)| name),
            Some(place) if place.contains("guard/src/") => {}
            Some(place) if place.starts_with("/rustc/") || !place.contains(".rs") => {}
            Some(place) => calls.push_str(&format!("            {function} at {place}\n")),
        }
    }
    calls
}

/// Passes messages in every way, and counts.
pub(crate) fn count() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for via in [Via::Ipc, Via::Inproc] {
        calls(via, &mut rows)?;
        for (from, to) in [
            (SocketType::Pub, SocketType::Sub),
            (SocketType::Dealer, SocketType::Router),
            (SocketType::Pair, SocketType::Pair),
        ] {
            let pair = Pair::new(from, to, via)?;
            let allowed = match to {
                SocketType::Router => allowed::VECTOR,
                _ => allowed::NONE,
            };
            let what = format!("{} to {}", from.name(), to.name());
            rows.push(row(via, &what, allowed, || burst(&pair, send, receive)));
        }
        let pair = Pair::new(SocketType::Req, SocketType::Rep, via)?;
        let work = || round_trips(&pair);
        rows.push(row(
            via,
            "REQ and REP, a round trip",
            allowed::ROUND_TRIP,
            work,
        ));
        rows.push(by_identity(via)?);
    }
    Ok(rows)
}

/// PUSH to PULL by each of the calls that there are.
fn calls(via: Via, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let pair = Pair::new(SocketType::Push, SocketType::Pull, via)?;
    let mut add = |what: &str, allowed: f64, work: &mut dyn FnMut()| {
        rows.push(row(via, &format!("PUSH to PULL, {what}"), allowed, work));
    };
    add("one at a time", allowed::ALONE, &mut || {
        for _ in 0..BURST {
            send(&pair.from);
            receive(&pair.to);
        }
    });
    let allowed = allowed::NONE;
    add("send_bytes and recv", allowed, &mut || {
        burst(&pair, send, receive);
    });
    add("send and recv_timeout", allowed, &mut || {
        let send = |socket: &AnySocket| socket.send(Frame::from_static(&BODY)).expect("room");
        burst(&pair, send, |socket| {
            looked_at(&socket.recv_timeout(PATIENCE).expect("it was sent"));
        });
    });
    add("try_send and try_recv", allowed, &mut || {
        let send = |socket: &AnySocket| socket.try_send(Frame::from_static(&BODY)).expect("room");
        burst(&pair, send, try_receive);
    });
    let (mut outgoing, mut incoming) = (VecDeque::with_capacity(BURST), Vec::new());
    incoming.reserve(BURST);
    add("send_batch and recv_batch", allowed, &mut || {
        outgoing.extend((0..BURST).map(|_| Message::from(Frame::from_static(&BODY))));
        while !outgoing.is_empty() {
            pair.from.send_batch(&mut outgoing).expect("room");
        }
        pair.from.flush().expect("open");
        while incoming.len() < BURST {
            let most = BURST - incoming.len();
            pair.to
                .recv_batch(&mut incoming, most)
                .expect("it was sent");
        }
        incoming.drain(..).for_each(|message| looked_at(&message));
    });
    Ok(())
}

/// A ROUTER that answers.
fn by_identity(via: Via) -> Result<Row, Failure> {
    let pair = Pair::new(SocketType::Dealer, SocketType::Router, via)?;
    send(&pair.from);
    let request = pair.to.recv()?;
    let identity: &[u8] = request.frame(0).ok_or("a ROUTER names its peer")?;
    Ok(row(
        via,
        "ROUTER to DEALER, send_parts",
        allowed::NONE,
        || {
            for _ in 0..BURST {
                let sent = pair.to.send_parts(&[identity, &BODY]);
                sent.expect("the DEALER is there, and has room");
            }
            pair.to.flush().expect("open");
            (0..BURST).for_each(|_| receive(&pair.from));
        },
    ))
}

fn row(via: Via, what: &str, allowed: f64, mut work: impl FnMut()) -> Row {
    (0..WARM_UP).for_each(|_| work());
    let mut try_it = || {
        let before = allocator::taken();
        (0..BURSTS).for_each(|_| work());
        (allocator::taken() - before) as f64 / (BURST * BURSTS) as f64
    };
    let mut counted = try_it();
    for _ in 1..TRIES {
        if counted > allowed {
            counted = counted.min(try_it());
        }
    }
    let mut row = Row {
        name: format!("{}: {what}", via.name()),
        counted,
        allowed,
        culprits: Culprits::default(),
    };
    if !row.is_kept() {
        row.culprits = Culprits(allocator::takers(CULPRITS, || {
            (0..BURSTS).for_each(|_| work());
        }));
    }
    row
}

fn burst(pair: &Pair, send: impl Fn(&AnySocket), receive: impl Fn(&AnySocket)) {
    (0..BURST).for_each(|_| send(&pair.from));
    pair.from.flush().expect("open");
    (0..BURST).for_each(|_| receive(&pair.to));
}

fn round_trips(Pair { from, to, .. }: &Pair) {
    for _ in 0..BURST {
        send(from);
        receive(to);
        send(to);
        receive(from);
    }
}

fn send(socket: &AnySocket) {
    let sent = socket.send_bytes(&BODY);
    sent.expect("the peer is there, and has room");
}

fn receive(socket: &AnySocket) {
    looked_at(&socket.recv().expect("it was sent"));
}

fn try_receive(socket: &AnySocket) {
    // What is still on its way is waited for.
    let message = socket.try_recv().or_else(|_| socket.recv());
    looked_at(&message.expect("it was sent"));
}

fn looked_at(message: &Message) {
    let body = message.parts().last();
    assert_eq!(body.map(|body| body.len()), Some(SMALL));
}

/// Nothing takes that long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_do_not_allocate() {
        for row in count().expect("runs") {
            assert!(row.is_kept(), "{row}");
        }
    }

    #[test]
    fn what_is_allocated_once_is_no_steady_state() {
        let mut kept = None;
        let mut bursts = 0;
        let row = row(Via::Ipc, "planted", allowed::NONE, || {
            bursts += 1;
            if bursts == WARM_UP + 5 {
                kept = Some(std::hint::black_box(Box::new(1)));
            }
        });
        assert!(kept.is_some() && row.is_kept(), "{row}");
    }

    #[test]
    fn one_allocation_a_burst_is_noticed() {
        let row = row(Via::Ipc, "planted", allowed::NONE, || {
            drop(std::hint::black_box(Box::new(std::hint::black_box(1))));
        });
        assert!(!row.is_kept());
        let text = row.to_string();
        assert!(
            text.contains("MORE") && text.contains("allocated by"),
            "{text}"
        );
    }

    #[test]
    fn of_a_backtrace_the_calls_of_ours_are_told() {
        let backtrace = "   0: alloc\n             at /rustc/0/alloc.rs:95:9\n   \
            1: copied\n             at ./runtime-mio/src/memory/raw/heap.rs:28:48\n   \
            2: row\n             at ./guard/src/allocations.rs:1:2\n   3: _start\n";
        let told = calls_of_ours(backtrace);
        assert_eq!(
            told.trim(),
            "copied at ./runtime-mio/src/memory/raw/heap.rs:28:48"
        );
    }
}
