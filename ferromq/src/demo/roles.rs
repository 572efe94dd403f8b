//! What the two sides of each act say to each other.

use std::time::{Duration, Instant};

use ferromq::{AnySocket, Error, Message};

use super::act::{Act, Side};
use super::peer::Line;
use super::tally::{Counter, Noise, Tally};
use super::word::Report;
use crate::cli::Failure;

/// Messages that an act moves each way.
const MESSAGES: u64 = 5_000;
/// Longest body of these.
const LONGEST: u64 = 2_000;
/// Requests that a DEALER sends ahead.
const AHEAD: u64 = 100;
/// Size of a small message.
const SMALL: usize = 64;
/// How long small messages are sent.
const RUSH: Duration = Duration::from_secs(1);

const NEWS: &[u8] = b"news";

/// Plays one side of an act to its end.
pub(crate) fn play(
    act: Act,
    side: Side,
    socket: &AnySocket,
    line: &Line,
    size: usize,
) -> Result<Report, Failure> {
    match (act, side) {
        (Act::Pair, Side::Bind) => pair_first(socket),
        (Act::Pair, Side::Connect) => pair_second(socket),
        (Act::ReqRep, Side::Bind) => replier(socket),
        (Act::ReqRep, Side::Connect) => requester(socket),
        (Act::DealerRouter, Side::Bind) => router(socket),
        (Act::DealerRouter, Side::Connect) => dealer(socket),
        (Act::PubSub, Side::Bind) => publisher(socket, line),
        (Act::PubSub, Side::Connect) => subscriber(socket, line),
        (Act::XpubXsub, Side::Bind) => xpublisher(socket, line),
        (Act::XpubXsub, Side::Connect) => xsubscriber(socket, line),
        (Act::PushPull, Side::Bind) => sent(send_stream(socket, &[])?),
        (Act::PushPull, Side::Connect) => received(receive_stream(socket)?),
        (Act::Payload, Side::Bind) => payload_sender(socket, line, size),
        (Act::Payload, Side::Connect) => payload_receiver(socket, line),
        (Act::Rate, Side::Bind) => rush_sender(socket),
        (Act::Rate, Side::Connect) => rush_receiver(socket),
    }
}

/// Subscriptions are made before connecting.
pub(crate) fn subscribe(act: Act, socket: &AnySocket) -> Result<(), Failure> {
    if matches!(act, Act::PubSub | Act::XpubXsub) {
        socket.subscribe(NEWS)?;
    }
    Ok(())
}

fn pair_first(socket: &AnySocket) -> Result<Report, Failure> {
    let sent = send_stream(socket, &[])?;
    let (received, elapsed) = receive_stream(socket)?;
    Ok(Report {
        sent,
        received,
        elapsed,
    })
}

fn pair_second(socket: &AnySocket) -> Result<Report, Failure> {
    let (received, elapsed) = receive_stream(socket)?;
    let sent = send_stream(socket, &[])?;
    Ok(Report {
        sent,
        received,
        elapsed,
    })
}

fn replier(socket: &AnySocket) -> Result<Report, Failure> {
    let (mut requests, mut replies) = (Counter::default(), Counter::default());
    let mut noise = Noise::new(2);
    for _ in 0..MESSAGES {
        requests.add(&socket.recv()?);
        let reply = noise.body(LONGEST).into();
        replies.add(&reply);
        send(socket, reply)?;
    }
    Ok(Report {
        sent: replies.total(),
        received: requests.total(),
        elapsed: Duration::ZERO,
    })
}

fn requester(socket: &AnySocket) -> Result<Report, Failure> {
    let (mut requests, mut replies) = (Counter::default(), Counter::default());
    let mut noise = Noise::new(1);
    let mut started = None;
    for _ in 0..MESSAGES {
        let request = noise.body(LONGEST).into();
        requests.add(&request);
        send(socket, request)?;
        replies.add(&socket.recv()?);
        // The first round trip includes making the connection.
        started.get_or_insert_with(Instant::now);
    }
    let elapsed = started.map_or(Duration::ZERO, |started| started.elapsed());
    Ok(Report {
        sent: requests.total(),
        received: replies.total(),
        elapsed,
    })
}

fn router(socket: &AnySocket) -> Result<Report, Failure> {
    let (mut requests, mut replies) = (Counter::default(), Counter::default());
    let mut noise = Noise::new(2);
    for _ in 0..MESSAGES {
        let mut request = socket.recv()?;
        let identity = request.pop_front().unwrap_or_default();
        requests.add(&request);
        let mut reply = Message::from(noise.body(LONGEST));
        replies.add(&reply);
        reply.push_front(identity);
        send(socket, reply)?;
    }
    Ok(Report {
        sent: replies.total(),
        received: requests.total(),
        elapsed: Duration::ZERO,
    })
}

/// Sends requests of two frames, up to [`AHEAD`] before their replies.
fn dealer(socket: &AnySocket) -> Result<Report, Failure> {
    let (mut requests, mut replies) = (Counter::default(), Counter::default());
    let mut noise = Noise::new(1);
    let mut started = None;
    for number in 0..MESSAGES + AHEAD {
        if number < MESSAGES {
            let body = noise.body(LONGEST);
            let request = Message::from([number.to_le_bytes().to_vec(), body]);
            requests.add(&request);
            send(socket, request)?;
        }
        if number >= AHEAD {
            replies.add(&socket.recv()?);
            started.get_or_insert_with(Instant::now);
        }
    }
    let elapsed = started.map_or(Duration::ZERO, |started| started.elapsed());
    Ok(Report {
        sent: requests.total(),
        received: replies.total(),
        elapsed,
    })
}

/// Publishes a topic without news until the subscriber hears it, then the
/// news, with as much between that nobody subscribed to.
fn publisher(socket: &AnySocket, line: &Line) -> Result<Report, Failure> {
    while !line.may_go(Duration::from_millis(2)) {
        send(socket, NEWS.into())?;
    }
    let mut counter = Counter::default();
    let mut noise = Noise::new(1);
    for _ in 0..MESSAGES {
        let news = Message::from([NEWS, &noise.body(LONGEST)]);
        counter.add(&news);
        send(socket, news)?;
        send(socket, Message::from([&b"rumour"[..], b"is not asked for"]))?;
    }
    sent(counter.total())
}

fn subscriber(socket: &AnySocket, line: &Line) -> Result<Report, Failure> {
    socket.recv()?;
    line.ready()?;
    let mut counter = Counter::default();
    let mut started = None;
    let mut left = MESSAGES;
    while left > 0 {
        let message = socket.recv()?;
        // Not one of those that tell only that we are heard.
        if message.len() > 1 {
            counter.add(&message);
            started.get_or_insert_with(Instant::now);
            left -= 1;
        }
    }
    received((
        counter.total(),
        started.map_or(Duration::ZERO, |started| started.elapsed()),
    ))
}

/// Publishes when the subscription has come, and takes a message from the
/// subscriber, as only an XPUB does.
fn xpublisher(socket: &AnySocket, line: &Line) -> Result<Report, Failure> {
    let subscription = Message::from([&b"\x01"[..], NEWS].concat());
    if socket.recv()? != subscription {
        return Err(Failure::Demo(
            "something else came than the subscription".into(),
        ));
    }
    let sent = send_stream(socket, NEWS)?;
    let mut thanks = Counter::default();
    thanks.add(&socket.recv()?);
    line.ready()?;
    Ok(Report {
        sent,
        received: thanks.total(),
        elapsed: Duration::ZERO,
    })
}

fn xsubscriber(socket: &AnySocket, line: &Line) -> Result<Report, Failure> {
    let (received, elapsed) = receive_stream(socket)?;
    let thanks = Message::from("thanks");
    let mut counter = Counter::default();
    counter.add(&thanks);
    send(socket, thanks)?;
    // Leaving cancels the subscription, which is news to an XPUB as well.
    line.wait_go()?;
    Ok(Report {
        sent: counter.total(),
        received,
        elapsed,
    })
}

/// The payload is hashed once it is across: hashing takes the processor that
/// the transfer is to show.
fn payload_sender(socket: &AnySocket, line: &Line, size: usize) -> Result<Report, Failure> {
    let payload = Message::from(Noise::new(1).bytes(size));
    send(socket, "the payload comes".into())?;
    send(socket, payload.clone())?;
    line.wait_go()?;
    sent(Tally::of_payload(payload.frame(0).ok_or_else(empty)?))
}

fn payload_receiver(socket: &AnySocket, line: &Line) -> Result<Report, Failure> {
    socket.recv()?;
    let started = Instant::now();
    let payload = socket.recv()?;
    let elapsed = started.elapsed();
    line.ready()?;
    received((
        Tally::of_payload(payload.frame(0).ok_or_else(empty)?),
        elapsed,
    ))
}

/// Numbers small messages for [`RUSH`]; the end is a shorter one.
fn rush_sender(socket: &AnySocket) -> Result<Report, Failure> {
    let mut body = [0; SMALL];
    let mut number = 0_u64;
    let started = Instant::now();
    while started.elapsed() < RUSH {
        for _ in 0..1024 {
            body[..8].copy_from_slice(&number.to_le_bytes());
            socket.send_bytes(&body)?;
            number += 1;
        }
    }
    send(socket, "end".into())?;
    sent(numbered(number))
}

/// Checks that no number is missing and none comes twice.
fn rush_receiver(socket: &AnySocket) -> Result<Report, Failure> {
    let mut batch = Vec::with_capacity(1024);
    let mut expected = 0_u64;
    let mut started = None;
    loop {
        socket.recv_batch(&mut batch, 1024)?;
        let started = *started.get_or_insert_with(Instant::now);
        for message in batch.drain(..) {
            let body = message.frame(0).ok_or_else(empty)?;
            if body.len() != SMALL {
                return received((numbered(expected), started.elapsed()));
            }
            if body[..8] != expected.to_le_bytes() {
                return Err(Failure::Demo(format!(
                    "message {expected} is not where it belongs"
                )));
            }
            expected += 1;
        }
    }
}

fn numbered(messages: u64) -> Tally {
    Tally {
        messages,
        bytes: messages * SMALL as u64,
        ..Tally::default()
    }
}

/// Sends [`MESSAGES`] bodies, after `topic` if there is one.
fn send_stream(socket: &AnySocket, topic: &[u8]) -> Result<Tally, Failure> {
    let mut counter = Counter::default();
    let mut noise = Noise::new(1);
    for _ in 0..MESSAGES {
        let mut message = Message::from(noise.body(LONGEST));
        if !topic.is_empty() {
            message.push_front(topic);
        }
        counter.add(&message);
        send(socket, message)?;
    }
    Ok(counter.total())
}

/// Receives [`MESSAGES`]; the time is from the first to the last.
fn receive_stream(socket: &AnySocket) -> Result<(Tally, Duration), Failure> {
    let mut counter = Counter::default();
    counter.add(&socket.recv()?);
    let started = Instant::now();
    for _ in 1..MESSAGES {
        counter.add(&socket.recv()?);
    }
    let elapsed = started.elapsed();
    Ok((counter.total(), elapsed))
}

fn send(socket: &AnySocket, message: Message) -> Result<(), Failure> {
    socket
        .send(message)
        .map_err(|refused| Error::from(refused).into())
}

fn sent(sent: Tally) -> Result<Report, Failure> {
    Ok(Report {
        sent,
        ..Report::default()
    })
}

fn received((received, elapsed): (Tally, Duration)) -> Result<Report, Failure> {
    Ok(Report {
        received,
        elapsed,
        ..Report::default()
    })
}

fn empty() -> Failure {
    Failure::Demo("a message without frames came".into())
}
