//! Ends of connections for the tests of providers.

pub(crate) mod carrying;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{
    Access, Completion, Event, Fetch, Incoming, Listening, Notify, Outgoing, Piece, Provider,
    Queue, Registered, Remote, Request, Signal, Sizes, Status, Store,
};
use crate::sys::Slot;

pub(crate) const SIZES: Sizes = Sizes {
    sends: 4,
    receives: 4,
    reads: 4,
    inline: 64,
    pieces: 4,
};

/// A queue with a page of memory.
pub(crate) struct End {
    pub(crate) queue: Box<dyn Queue>,
    pub(crate) memory: Slot,
    pub(crate) registered: Registered,
}

impl End {
    pub(crate) fn new(mut queue: Box<dyn Queue>, access: Access) -> Self {
        let memory = Slot::cut(4096, 1).unwrap().remove(0);
        let registered = queue.register(memory.part(0..4096), access).unwrap();
        Self {
            queue,
            memory,
            registered,
        }
    }

    pub(crate) fn piece(&self, offset: usize, len: usize) -> Piece {
        let region = self.registered.region;
        Piece {
            region,
            offset,
            len,
        }
    }

    pub(crate) fn send(&mut self, work: u64, len: usize, signal: Signal) -> io::Result<()> {
        self.queue.post_sends(&[Outgoing {
            work,
            from: self.piece(0, len),
            signal,
            solicited: true,
        }])
    }

    pub(crate) fn receive(&mut self, work: u64, len: usize) {
        let into = self.piece(2048, len);
        self.queue
            .post_receives(&[Incoming { work, into }])
            .unwrap();
    }

    pub(crate) fn fetch(&mut self, work: u64, from: Remote, len: usize) {
        let into = self.piece(0, len);
        self.queue.post_read(Fetch { work, into, from }).unwrap();
    }

    pub(crate) fn store(&mut self, work: u64, to: Remote, len: usize, immediate: Option<u32>) {
        let from = vec![self.piece(0, len)];
        let store = Store {
            work,
            from,
            to,
            immediate,
        };
        self.queue.post_write(store).unwrap();
    }

    /// The next completion, slept for as an event loop does.
    pub(crate) fn completion(&mut self) -> Completion {
        let mut place = [Completion::BLANK];
        loop {
            self.queue.arm(Notify::Any).unwrap();
            if self.queue.poll(&mut place) == 1 {
                return place[0];
            }
            sleep_on(self.queue.completion_fd());
            assert!(self.queue.drain());
        }
    }

    pub(crate) fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.queue.poll_event() {
                return event;
            }
            sleep_on(self.queue.connection_fd());
        }
    }
}

pub(crate) fn sleep_on(fd: BorrowedFd<'_>) {
    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};
    let mut poll = Poll::new().unwrap();
    let registry = poll.registry();
    registry
        .register(&mut SourceFd(&fd.as_raw_fd()), Token(0), Interest::READABLE)
        .unwrap();
    let mut events = Events::with_capacity(1);
    let patience = std::time::Duration::from_secs(20);
    poll.poll(&mut events, Some(patience)).unwrap();
    assert!(!events.is_empty(), "nothing made the descriptor readable");
}

/// Finds the way from `from` to `to`.
pub(crate) fn dial(
    provider: &dyn Provider,
    to: SocketAddr,
    from: Option<IpAddr>,
) -> Box<dyn Queue> {
    let from = from.map(|from| SocketAddr::new(from, 0));
    let mut dialling = provider.dial(to, from).unwrap();
    loop {
        if let Some(queue) = dialling.poll_routed(SIZES).unwrap() {
            return queue;
        }
        sleep_on(dialling.fd());
    }
}

/// Who asks to be connected, once somebody does.
pub(crate) fn next(listening: &mut dyn Listening) -> Box<dyn Request> {
    loop {
        match listening.next() {
            Ok(request) => return request,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep_on(listening.fd()),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two ends of a connection: who dialled, from `from`, and who accepted, at `at`.
pub(crate) fn pair(provider: &dyn Provider, from: Option<IpAddr>, at: IpAddr) -> (End, End) {
    let mut listening = provider.listen(SocketAddr::new(at, 0), 4).unwrap();
    let mut dialled = End::new(dial(provider, listening.local(), from), Access::Local);
    dialled.queue.establish(b"hello").unwrap();
    let request = next(&mut *listening);
    assert_eq!(&request.private_data()[..6], b"hello\0");
    let mut accepted = End::new(request.queue(SIZES).unwrap(), Access::Local);
    accepted.queue.establish(b"welcome").unwrap();
    let Event::Established { private_data } = dialled.event() else {
        panic!("the connection failed");
    };
    assert_eq!(&private_data[..8], b"welcome\0");
    assert!(matches!(accepted.event(), Event::Established { .. }));
    (dialled, accepted)
}

pub(crate) fn done(work: u64, outcome: Result<u32, Status>) -> Completion {
    Completion {
        work,
        outcome,
        immediate: None,
    }
}

/// A write arrives in memory that is registered for that, and nowhere else.
pub(crate) fn writes_arrive_where_they_may(connected: impl Fn() -> (End, End)) {
    let written = |access, len, change| stored(connected(), access, len, change);
    assert_eq!(written(Access::RemoteWrite, 1000, 0), Ok(()));
    let refused = Err(Status::RemoteAccess);
    assert_eq!(written(Access::RemoteWrite, 1001, 0), refused);
    assert_eq!(written(Access::RemoteWrite, 8, 1), refused);
    assert_eq!(written(Access::RemoteWrite, 8, 1 << 20), refused);
    assert_eq!(written(Access::RemoteRead, 8, 0), refused);
    assert_eq!(written(Access::Local, 8, 0), refused);
}

/// What a write of `len` bytes comes to, where 1000 may be, if that, by a changed key.
fn stored(
    (mut a, mut b): (End, End),
    access: Access,
    len: usize,
    change: u32,
) -> Result<(), Status> {
    a.memory.bytes_mut().fill(9);
    let part = b.memory.part(1000..2000);
    let Registered { region, remote } = b.queue.register(part, access).unwrap();
    b.receive(3, 1);
    let key = remote.key.wrapping_add(change);
    a.store(1, Remote { key, ..remote }, len, None);
    let completion = a.completion();
    assert_eq!(completion.work, 1);
    b.queue.deregister(region).unwrap();
    let mut expected = [0; 4096];
    if completion.outcome.is_ok() {
        expected[1000..1000 + len].fill(9);
    } else {
        // Neither side goes on.
        a.send(2, 1, Signal::OnFailure).unwrap();
        assert_eq!(a.completion(), done(2, Err(Status::Flushed)));
        assert_eq!(b.completion(), done(3, Err(Status::Flushed)));
    }
    assert_eq!(b.memory.bytes(), expected);
    completion.outcome.map(drop)
}

/// Memory that was taken back is written to no more, though it is registered again.
pub(crate) fn memory_that_was_taken_back_is_not_written((mut a, mut b): (End, End)) {
    let part = b.memory.part(0..64);
    let first = b.queue.register(part.clone(), Access::RemoteWrite).unwrap();
    b.queue.deregister(first.region).unwrap();
    let second = b.queue.register(part, Access::RemoteWrite).unwrap();
    a.memory.bytes_mut().fill(9);
    a.store(1, first.remote, 8, None);
    assert_eq!(a.completion(), done(1, Err(Status::RemoteAccess)));
    b.queue.deregister(second.region).unwrap();
    assert_eq!(b.memory.bytes(), [0; 4096]);
}

/// What lies apart arrives in one place, in its order, and more pieces than a queue has
/// room for are refused.
pub(crate) fn pieces_are_gathered_in_their_order((mut a, mut b): (End, End)) {
    let there = b.memory.part(0..4096);
    let opened = b.queue.register(there, Access::RemoteWrite).unwrap();
    for (at, byte) in a.memory.bytes_mut().iter_mut().enumerate() {
        *byte = (at % 251) as u8 + 1;
    }
    let mut store = Store {
        work: 1,
        from: [(80, 8), (0, 3), (16, 16), (4088, 8)]
            .map(|(offset, len)| a.piece(offset, len))
            .to_vec(),
        to: opened.remote,
        immediate: None,
    };
    assert_eq!(a.queue.limits().pieces, store.from.len());
    a.queue.post_write(store.clone()).unwrap();
    let completion = a.completion();
    assert_eq!((completion.work, completion.outcome.is_ok()), (1, true));
    let bytes = a.memory.bytes();
    let wanted = [&bytes[80..88], &bytes[..3], &bytes[16..32], &bytes[4088..]].concat();
    b.queue.deregister(opened.region).unwrap();
    assert_eq!(b.memory.bytes()[..wanted.len()], wanted);
    assert!(
        b.memory.bytes()[wanted.len()..]
            .iter()
            .all(|byte| *byte == 0)
    );
    store.from.push(a.piece(0, 1));
    let refused = a.queue.post_write(store).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

/// A message that follows a write comes after its bytes, and one with a number takes a
/// receive, or fails without.
pub(crate) fn writes_are_told_of(connected: impl Fn() -> (End, End)) {
    let (mut a, mut b) = connected();
    let part = b.memory.part(0..1000);
    let there = b.queue.register(part, Access::RemoteWrite).unwrap().remote;
    for round in 1..=20 {
        a.memory.bytes_mut()[..1000].fill(round);
        b.receive(5, 16);
        a.store(1, there, 1000, None);
        a.send(2, 1, Signal::OnFailure).unwrap();
        assert_eq!(b.completion(), done(5, Ok(1)));
        assert_eq!(b.memory.bytes()[..1000], [round; 1000]);
        let written = a.completion();
        assert_eq!((written.work, written.outcome.is_ok()), (1, true));
    }
    b.receive(6, 16);
    a.store(3, there, 1000, Some(0x0102_0304));
    let told = Completion {
        immediate: Some(0x0102_0304),
        ..done(6, Ok(1000))
    };
    assert_eq!(b.completion(), told);
    assert!(a.completion().outcome.is_ok());
    let (mut a, mut b) = connected();
    let part = b.memory.part(0..1000);
    let there = b.queue.register(part, Access::RemoteWrite).unwrap().remote;
    a.store(1, there, 8, Some(7));
    assert_eq!(a.completion(), done(1, Err(Status::ReceiverNotReady)));
}
