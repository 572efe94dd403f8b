//! Whole sockets: a small message through a pair of them, both driven by one
//! thread. What the I/O thread does is not counted, and there is nothing for it
//! to do.

use std::hint::black_box;
use std::time::Duration;

use ferromq::{AnySocket, Message, SocketType};

use super::{Failure, SMALL, several_cores};
use crate::meter::{Meter, section};
use crate::pair::{Pair, Via};

/// Messages of a burst: fewer bytes than leave by themselves, and fewer than a
/// high-water mark.
const BURST: u32 = 500;
/// Messages in front of it that are written one by one, until the socket sees
/// that it is a burst.
const PRELUDE: u32 = 40;
/// Lone messages of a batch: fewer than make a burst.
const LONE: u32 = 16;
/// After so long a pause a message is a lone one, by the slow clock.
const PAUSE: Duration = Duration::from_millis(5);

const BODY: [u8; SMALL] = [0x5a; SMALL];

pub(super) fn run() -> Result<(), Failure> {
    for via in [Via::Tcp, Via::Inproc] {
        one_way(SocketType::Push, SocketType::Pull, via)?;
        if several_cores() {
            round_trip(SocketType::Req, SocketType::Rep, via)?;
        }
    }
    one_way(SocketType::Pub, SocketType::Sub, Via::Tcp)?;
    one_way(SocketType::Dealer, SocketType::Router, Via::Tcp)?;
    by_identity()
}

/// Lone messages, then bursts.
fn one_way(from: SocketType, to: SocketType, via: Via) -> Result<(), Failure> {
    let pair = Pair::new(from, to, via)?;
    let name = |what: &str, socket: &AnySocket, verb: &str| {
        let socket_type = socket.socket_type().name();
        format!("{}: {socket_type} {verb} {what}", via.name())
    };
    let (lone, burst) = ("a lone message", "one of a burst");
    section(&name(lone, &pair.from, "sends"), LONE, |meter| {
        pair.lone(meter, Counted::Send)
    });
    if several_cores() {
        section(&name(lone, &pair.to, "receives"), LONE, |meter| {
            pair.lone(meter, Counted::Receive)
        });
    }
    section(&name(lone, &pair.to, "tries to receive"), LONE, |meter| {
        pair.lone(meter, Counted::Try)
    });
    section(&name(burst, &pair.from, "sends"), BURST, |meter| {
        pair.burst(meter, Counted::Send);
    });
    section(
        &name(burst, &pair.to, "receives"),
        BURST + PRELUDE,
        |meter| pair.burst(meter, Counted::Receive),
    );
    Ok(())
}

/// Request and reply: all four calls together, and each of them.
fn round_trip(from: SocketType, to: SocketType, via: Via) -> Result<(), Failure> {
    let pair = Pair::new(from, to, via)?;
    let calls = ["REQ asks", "REP hears", "REP answers", "REQ hears"];
    let via = via.name();
    section(
        &format!("{via}: REQ and REP, a round trip"),
        LONE,
        |meter| {
            std::thread::sleep(PAUSE);
            meter.count(|| (0..LONE).for_each(|_| pair.ask(&|_, call| call())));
        },
    );
    for (counted, name) in calls.iter().enumerate() {
        section(&format!("{via}: {name}"), LONE, |meter| {
            std::thread::sleep(PAUSE);
            for _ in 0..LONE {
                pair.ask(&|index, call| match index == counted {
                    true => meter.count(call),
                    false => call(),
                });
            }
        });
    }
    Ok(())
}

/// A ROUTER answers a DEALER's messages, a burst of them.
fn by_identity() -> Result<(), Failure> {
    let Pair { from, to, .. } = &Pair::new(SocketType::Dealer, SocketType::Router, Via::Tcp)?;
    send(from);
    let request = to.recv()?;
    let identity: &[u8] = request.frame(0).ok_or("a ROUTER names its peer")?;
    let answer = || {
        let sent = to.send_parts(black_box(&[identity, &BODY]));
        sent.expect("the DEALER is there, and has room");
    };
    section("tcp: ROUTER sends one of a burst", BURST, |meter| {
        (0..PRELUDE).for_each(|_| answer());
        to.flush().expect("open");
        meter.count(|| {
            (0..BURST).for_each(|_| answer());
            to.flush().expect("open");
        });
        (0..PRELUDE + BURST).for_each(|_| receive(from));
    });
    Ok(())
}

/// Which call's instructions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Send,
    Receive,
    /// Of a receive that may not wait: it asks the kernel what there is.
    Try,
}

impl Pair {
    /// A request and its reply; `each` makes the calls, by their number.
    #[inline(always)]
    fn ask(&self, each: &impl Fn(usize, &dyn Fn())) {
        each(0, &|| send(&self.from));
        each(1, &|| receive(&self.to));
        each(2, &|| send(&self.to));
        each(3, &|| receive(&self.from));
    }

    /// Messages that are received before the next is sent.
    fn lone(&self, meter: &Meter, counted: Counted) {
        std::thread::sleep(PAUSE);
        for _ in 0..LONE {
            match counted {
                Counted::Send => meter.count(|| send(&self.from)),
                _ => send(&self.from),
            }
            match counted {
                Counted::Send => receive(&self.to),
                Counted::Receive => meter.count(|| receive(&self.to)),
                Counted::Try => meter.count(|| try_receive(&self.to)),
            }
        }
    }

    /// Messages that are sent together, and the write in which they leave.
    fn burst(&self, meter: &Meter, counted: Counted) {
        let burst = || {
            (0..BURST).for_each(|_| send(&self.from));
            self.from.flush().expect("open");
        };
        let all = || (0..PRELUDE + BURST).for_each(|_| receive(&self.to));
        (0..PRELUDE).for_each(|_| send(&self.from));
        self.from.flush().expect("open");
        match counted {
            Counted::Send => {
                meter.count(burst);
                all();
            }
            _ => {
                burst();
                meter.count(all);
            }
        }
    }
}

// Never inlined, all three: what becomes of the calls in them is not to depend on
// the loops around them.

#[inline(never)]
fn send(socket: &AnySocket) {
    let sent = socket.send_bytes(black_box(&BODY));
    sent.expect("the peer is there, and has room");
}

/// Receives, and drops what came.
#[inline(never)]
fn receive(socket: &AnySocket) {
    looked_at(socket.recv().expect("it was sent"));
}

#[inline(never)]
fn try_receive(socket: &AnySocket) {
    // Loopback delivers before the write returns; nearly always.
    let message = socket.try_recv().or_else(|_| socket.recv());
    looked_at(message.expect("it was sent"));
}

#[inline(always)]
fn looked_at(message: Message) {
    let body = message.parts().last();
    assert_eq!(body.map(|body| body.len()), Some(SMALL));
}

#[cfg(test)]
mod tests {
    #[test]
    fn sections_run_outside_valgrind_too() {
        super::run().expect("runs");
    }
}
