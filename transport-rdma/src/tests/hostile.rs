//! Peers who do not keep to the rules of a link: row 69 of hostile input.

use std::io;

use ferromq_transport::{Link, LinkOptions, Listener, Transport};

use super::{Pair, connect, until};
use crate::credit::Kind;
use crate::hello::{Header, Hello};
use crate::sys::Slot;
use crate::verbs::{
    Access, Completion, Incoming, Outgoing, Piece, Provider, Queue, Region, Remote, Signal, Sizes,
    Store,
};
use crate::{Fabric, LinkError, Rdma, Status};

/// Slots that a link has by default.
const SLOTS: u16 = 32;

/// A queue in the hands of somebody who sends what he likes.
struct Hostile {
    queue: Box<dyn Queue>,
    memory: Slot,
    region: Region,
}

impl Hostile {
    /// Connects to `listener`, which accepts.
    fn meet(fabric: &Fabric, listener: &mut dyn Listener) -> (Self, Box<dyn Link>) {
        let sizes = Sizes {
            sends: 64,
            receives: 64,
            reads: 1,
            inline: 0,
            pieces: 1,
        };
        let at = listener.local_endpoint().to_string();
        let at = at.trim_start_matches("rdma://").parse().unwrap();
        let mut dialling = fabric.dial(at, None).unwrap();
        let mut queue = until("a way", || dialling.poll_routed(sizes).unwrap());
        let memory = Slot::cut(16 << 10, 1).unwrap().remove(0);
        let part = memory.part(0..16 << 10);
        let region = queue.register(part, Access::Local).unwrap().region;
        let hello = Hello {
            slots: SLOTS,
            slot_len: 8 << 10,
        };
        let receive = |work| Incoming {
            work,
            into: piece(region, 8 << 10, 8 << 10),
        };
        let receives: Vec<_> = (0..64).map(receive).collect();
        queue.post_receives(&receives).unwrap();
        queue.establish(&hello.encode()).unwrap();
        let link = until("a caller", || listener.accept().unwrap());
        until("the connection", || queue.poll_event());
        let hostile = Self {
            queue,
            memory,
            region,
        };
        (hostile, link)
    }

    /// Sends a message as it is.
    fn send(&mut self, message: &[u8]) {
        self.memory.bytes_mut()[..message.len()].copy_from_slice(message);
        let send = Outgoing {
            work: 1 << 56,
            from: piece(self.region, 0, message.len()),
            signal: Signal::Always,
            solicited: true,
        };
        self.queue.post_sends(&[send]).unwrap();
        // The next one is put into the same memory.
        let _ = self.outcome();
    }

    /// What became of what was sent last.
    fn outcome(&mut self) -> Result<u32, Status> {
        let mut place = [Completion::BLANK];
        until("a completion", || {
            let is_own = self.queue.poll(&mut place) == 1 && place[0].work == 1 << 56;
            is_own.then_some(place[0].outcome)
        })
    }
}

fn piece(region: Region, offset: usize, len: usize) -> Piece {
    Piece {
        region,
        offset,
        len,
    }
}

fn message(kind: Kind, credits: u16, claimed: u32, body: &[u8]) -> Vec<u8> {
    let len = claimed;
    [&Header { kind, credits, len }.encode()[..], body].concat()
}

/// What a link gives until it ends: its bytes, and why.
fn ending(link: &mut dyn Link) -> (Vec<u8>, LinkError) {
    let mut bytes = Vec::new();
    let error = until("the end", || {
        let mut buf = [0; 100];
        match link.read(&mut buf) {
            Ok(0) => panic!("it ended in order"),
            Ok(read) => bytes.extend(&buf[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Some(error),
        }
        None
    });
    let own = error.get_ref().and_then(|it| it.downcast_ref());
    (bytes, *own.expect("an error of ours"))
}

/// A listener, and an honest pair of links of it.
fn scene() -> (Fabric, Box<dyn Listener>, Pair) {
    let fabric = Fabric::new().unwrap();
    let rdma = Rdma::over(&fabric).build();
    let at = "rdma://127.0.0.1:*".parse().unwrap();
    let mut listener = rdma.bind(&at, &LinkOptions::default()).unwrap();
    let pair = connect(&rdma, &mut *listener);
    (fabric, listener, pair)
}

fn talk((a, b): &mut Pair) {
    until("room", || a.write(b"still").ok());
    let mut buf = [0; 16];
    let read = until("input", || b.read(&mut buf).ok());
    assert_eq!(&buf[..read], b"still");
}

#[test]
fn row_69_who_overruns_a_queue_ends_his_own_link() {
    let (fabric, mut listener, mut others) = scene();
    let (mut hostile, mut link) = Hostile::meet(&fabric, &mut *listener);
    for byte in 0..=SLOTS {
        hostile.send(&message(Kind::Data, 0, 1, &[byte as u8]));
    }
    let (bytes, error) = ending(&mut *link);
    assert_eq!(error, LinkError::Overrun { slots: SLOTS });
    let granted: Vec<_> = (0..SLOTS as u8).collect();
    assert_eq!(bytes, granted);
    talk(&mut others);
}

#[test]
fn row_69_a_device_refuses_what_there_is_no_receive_for() {
    let (fabric, mut listener, mut others) = scene();
    let (mut hostile, _link) = Hostile::meet(&fabric, &mut *listener);
    let one = message(Kind::Data, 0, 1, b"x");
    hostile.memory.bytes_mut()[..one.len()].copy_from_slice(&one);
    let send = Outgoing {
        work: 1 << 56,
        from: piece(hostile.region, 0, one.len()),
        signal: Signal::Always,
        solicited: true,
    };
    hostile.queue.post_sends(&[send; 64]).unwrap();
    let refused = until("a refusal", || hostile.outcome().err());
    assert_eq!(refused, Status::ReceiverNotReady);
    talk(&mut others);
}

#[test]
fn row_69_messages_without_sense_end_their_link() {
    let (fabric, mut listener, mut others) = scene();
    let length = |len, claimed| LinkError::Length { len, claimed };
    let credits = |returned| LinkError::Credits { returned, spent: 0 };
    let mut unknown = message(Kind::Data, 0, 1, b"x");
    unknown[0] = 9;
    let cases: [(Vec<u8>, LinkError); 7] = [
        (message(Kind::Data, 0, 2, b"x"), length(9, 2)),
        (message(Kind::Data, 0, 0, b""), length(8, 0)),
        (message(Kind::End, 0, 1, b"x"), length(9, 1)),
        (b"short".to_vec(), length(5, 0)),
        (unknown, LinkError::Kind { kind: 9 }),
        (message(Kind::Data, 1, 1, b"x"), credits(1)),
        (message(Kind::Credits, 0, 0, b""), credits(0)),
    ];
    for (bytes, wanted) in cases {
        let (mut hostile, mut link) = Hostile::meet(&fabric, &mut *listener);
        hostile.send(&bytes);
        assert_eq!(ending(&mut *link), (Vec::new(), wanted));
        talk(&mut others);
    }
}

#[test]
fn row_69_a_write_that_takes_room_for_a_message_ends_its_link() {
    let (fabric, mut listener, mut others) = scene();
    // Without a byte no key is needed; with some, one that we gave.
    for len in [0, 9] {
        let (mut hostile, mut link) = Hostile::meet(&fabric, &mut *listener);
        let memory = link.memory().unwrap();
        let loan = memory.lender().loan(100).unwrap();
        let opened = memory.open(loan).unwrap_or_else(|_| panic!("not opened"));
        // A message as it would be, for whoever looks for one.
        let message = message(Kind::Data, 0, 1, b"x");
        hostile.memory.bytes_mut()[..message.len()].copy_from_slice(&message);
        let store = Store {
            work: 1 << 56,
            from: vec![piece(hostile.region, 0, len)],
            to: Remote {
                address: opened.offset,
                key: opened.key as u32,
            },
            immediate: Some(7),
        };
        hostile.queue.post_write(store).unwrap();
        let wanted = LinkError::Immediate { value: 7 };
        assert_eq!(ending(&mut *link), (Vec::new(), wanted));
        talk(&mut others);
    }
}

#[test]
fn row_69_who_does_not_greet_is_turned_away() {
    let (fabric, mut listener, mut others) = scene();
    let at = listener.local_endpoint().to_string();
    let at = at.trim_start_matches("rdma://").parse().unwrap();
    let mut dialling = fabric.dial(at, None).unwrap();
    let sizes = Sizes {
        sends: 1,
        receives: 1,
        reads: 1,
        inline: 0,
        pieces: 1,
    };
    let mut queue = until("a way", || dialling.poll_routed(sizes).unwrap());
    queue.establish(b"GET / HTTP/1.1").unwrap();
    let event = until("an answer", || {
        assert!(listener.accept().unwrap().is_none());
        queue.poll_event()
    });
    assert!(matches!(event, crate::verbs::Event::Rejected { .. }));
    talk(&mut others);
}
