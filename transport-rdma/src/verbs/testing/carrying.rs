//! What it takes to carry a payload beside a stream of messages, in each way there is.
//! docs/RDMA.md has the figures, and what was chosen.

use super::{End, Notify, Signal};
use crate::sys::Slot;
use crate::verbs::{Access, Completion, Fetch, Piece, Region, Remote, Store};

/// Who moves the bytes, and how the other one hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The sender says where they are, the receiver reads them and gives a token back.
    Read,
    /// The sender asks for room, writes, and says so in a message.
    Write,
    /// The same, said by the write itself.
    WriteWithNumber,
    /// The same into room that the receiver offered before it knew what for.
    WriteAhead,
}

/// What one side had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Requests to its device, and those that were signalled or failed.
    pub(crate) posts: u32,
    pub(crate) completions: u32,
    /// Room for messages that was used up: so many credits of the other side's.
    pub(crate) receives: u32,
    /// Bytes that it registered for the other side.
    pub(crate) opened: usize,
}

/// An end that counts.
struct Side {
    end: End,
    payload: Slot,
    own: Region,
    cost: Cost,
}

impl Side {
    fn new(mut end: End, len: usize, byte: u8) -> Self {
        let mut payload = Slot::cut(len, 1).unwrap().remove(0);
        payload.bytes_mut().fill(byte);
        let part = payload.part(0..len);
        let own = end.queue.register(part, Access::Local).unwrap().region;
        for work in 0..2 {
            end.receive(RECEIVE + work, 16);
        }
        let cost = Cost {
            posts: 0,
            completions: 0,
            receives: 0,
            opened: 0,
        };
        Self {
            end,
            payload,
            own,
            cost,
        }
    }

    /// Opens the payload to the other side.
    fn open(&mut self, access: Access) -> Remote {
        let part = self.payload.part(0..self.payload.len());
        self.cost.opened += part.len;
        self.end.queue.register(part, access).unwrap().remote
    }

    fn say(&mut self) {
        self.cost.posts += 1;
        self.end.send(SEND, 8, Signal::OnFailure).unwrap();
    }

    fn own(&self) -> Piece {
        Piece {
            region: self.own,
            offset: 0,
            len: self.payload.len(),
        }
    }

    fn read(&mut self, from: Remote) {
        let (work, into) = (SEND, self.own());
        self.cost.posts += 1;
        let fetch = Fetch { work, into, from };
        self.end.queue.post_read(fetch).unwrap();
        self.hear();
    }

    fn write(&mut self, to: Remote, immediate: Option<u32>) {
        let (work, from) = (SEND, vec![self.own()]);
        self.cost.posts += 1;
        let store = Store {
            work,
            from,
            to,
            immediate,
        };
        self.end.queue.post_write(store).unwrap();
    }

    /// Waits for a completion.
    fn hear(&mut self) -> Completion {
        let completion = self.end.completion();
        assert!(completion.outcome.is_ok(), "{completion:?}");
        self.cost.completions += 1;
        self.cost.receives += u32::from(completion.work >= RECEIVE);
        completion
    }
}

/// Carries `len` bytes, and says what it took: the sender, the receiver.
pub(crate) fn carry(ends: (End, End), way: Way, len: usize) -> [Cost; 2] {
    let (mut sender, mut receiver) = (Side::new(ends.0, len, 7), Side::new(ends.1, len, 0));
    match way {
        Way::Read => {
            let there = sender.open(Access::RemoteRead);
            sender.say();
            receiver.hear();
            receiver.read(there);
            receiver.say();
            sender.hear();
        }
        Way::Write | Way::WriteWithNumber | Way::WriteAhead => {
            if way != Way::WriteAhead {
                sender.say();
                receiver.hear();
            }
            let there = receiver.open(Access::RemoteWrite);
            receiver.say();
            sender.hear();
            sender.write(there, (way != Way::Write).then_some(1));
            if way == Way::Write {
                sender.say();
            }
            let told = receiver.hear();
            assert_eq!(told.immediate.is_some(), way != Way::Write);
            sender.hear();
        }
    }
    // Nothing more comes.
    for side in [&mut sender, &mut receiver] {
        side.end.queue.arm(Notify::Any).unwrap();
        assert_eq!(side.end.queue.poll(&mut [Completion::BLANK]), 0);
    }
    let Side { end, payload, .. } = receiver;
    drop(end);
    assert!(payload.bytes().iter().all(|byte| *byte == 7));
    [sender.cost, receiver.cost]
}

/// The table of docs/RDMA.md.
pub(crate) fn ways_cost_what_is_said_of_them(connected: impl Fn() -> (End, End)) {
    const LEN: usize = 1 << 20;
    let cost = |posts, completions, receives, opened| Cost {
        posts,
        completions,
        receives,
        opened,
    };
    for (way, sender, receiver) in [
        (Way::Read, cost(1, 1, 1, LEN), cost(2, 2, 1, 0)),
        (Way::Write, cost(3, 2, 1, 0), cost(1, 2, 2, LEN)),
        (Way::WriteWithNumber, cost(2, 2, 1, 0), cost(1, 2, 2, LEN)),
        (Way::WriteAhead, cost(1, 2, 1, 0), cost(1, 1, 1, LEN)),
    ] {
        assert_eq!(carry(connected(), way, LEN), [sender, receiver], "{way:?}");
    }
}

const SEND: u64 = 1;
const RECEIVE: u64 = 10;
