use std::os::fd::AsRawFd;

use super::*;
use crate::memory::{Pages, Slot};
use crate::verbs::{
    Access, Completion, Event, Fetch, Incoming, Notify, Outgoing, Part, Piece, Queue, Region,
    Registered, Remote, Signal, Sizes, Status,
};

const SIZES: Sizes = Sizes {
    sends: 4,
    receives: 4,
    reads: 4,
    inline: 64,
};

/// A queue with a page of memory.
struct End {
    queue: Box<dyn Queue>,
    memory: Slot,
    registered: Registered,
}

impl End {
    fn new(mut queue: Box<dyn Queue>, access: Access) -> Self {
        let memory = Slot::cut(4096, 1).unwrap().remove(0);
        let registered = queue.register(memory.part(0..4096), access).unwrap();
        Self {
            queue,
            memory,
            registered,
        }
    }

    fn piece(&self, offset: usize, len: usize) -> Piece {
        let region = self.registered.region;
        Piece {
            region,
            offset,
            len,
        }
    }

    fn send(&mut self, work: u64, len: usize, signal: Signal) -> io::Result<()> {
        self.queue.post_sends(&[Outgoing {
            work,
            from: self.piece(0, len),
            signal,
            solicited: true,
        }])
    }

    fn receive(&mut self, work: u64, len: usize) {
        let into = self.piece(2048, len);
        self.queue
            .post_receives(&[Incoming { work, into }])
            .unwrap();
    }

    fn fetch(&mut self, work: u64, from: Remote, len: usize) {
        let into = self.piece(0, len);
        self.queue.post_read(Fetch { work, into, from }).unwrap();
    }

    /// The next completion, slept for as an event loop does.
    fn completion(&mut self) -> Completion {
        let mut place = [Completion {
            work: 0,
            outcome: Ok(0),
        }];
        loop {
            self.queue.arm(Notify::Any).unwrap();
            if self.queue.poll(&mut place) == 1 {
                return place[0];
            }
            sleep_on(self.queue.completion_fd());
            assert!(self.queue.drain());
        }
    }

    fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.queue.poll_event() {
                return event;
            }
            sleep_on(self.queue.connection_fd());
        }
    }
}

fn sleep_on(fd: BorrowedFd<'_>) {
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

fn dial(fabric: &Fabric, to: SocketAddr) -> Box<dyn Queue> {
    let mut dialling = fabric.dial(to, None).unwrap();
    loop {
        if let Some(queue) = dialling.poll_routed(SIZES).unwrap() {
            return queue;
        }
        sleep_on(dialling.fd());
    }
}

/// Two ends of a connection: who dialled, who accepted.
fn pair(fabric: &Fabric) -> (End, End) {
    let at = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let mut listening = fabric.listen(at, 4).unwrap();
    let mut dialled = End::new(dial(fabric, listening.local()), Access::Local);
    dialled.queue.establish(b"hello").unwrap();
    sleep_on(listening.fd());
    let request = listening.next().unwrap();
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

fn done(work: u64, outcome: Result<u32, Status>) -> Completion {
    Completion { work, outcome }
}

#[test]
fn messages_arrive_and_those_unsignalled_are_told_of_with_the_next() {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    a.memory.bytes_mut()[..100].fill(7);
    for work in [10, 11] {
        b.receive(work, 1024);
    }
    a.send(1, 100, Signal::OnFailure).unwrap();
    a.send(2, 100, Signal::Always).unwrap();
    assert_eq!(b.completion(), done(10, Ok(100)));
    assert_eq!(b.completion(), done(11, Ok(100)));
    assert_eq!(b.memory.bytes()[2048..2148], [7; 100]);
    assert_eq!(a.completion(), done(2, Ok(0)));
}

#[test]
fn more_sends_than_asked_for_are_refused() {
    let fabric = Fabric::new().unwrap();
    let (mut a, _b) = pair(&fabric);
    fabric.pause();
    for work in 0..4 {
        a.send(work, 1, Signal::OnFailure).unwrap();
    }
    let refused = a.send(4, 1, Signal::OnFailure).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(12));
}

#[test]
fn a_peer_without_a_receive_fails_the_sender_alone() {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    a.send(1, 8, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(1, Err(Status::ReceiverNotReady)));
    a.send(2, 8, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(2, Err(Status::Flushed)));
    // The other end knows nothing of it.
    b.receive(5, 16);
    fabric.pause();
    fabric.resume();
    let mut place = [done(0, Ok(0))];
    assert_eq!(b.queue.poll(&mut place), 0);
}

#[test]
fn a_message_beyond_its_room_fails_both() {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    b.receive(5, 16);
    b.receive(6, 16);
    a.send(1, 17, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(1, Err(Status::RemoteInvalidRequest)));
    assert_eq!(b.completion(), done(5, Err(Status::LocalLength)));
    assert_eq!(b.completion(), done(6, Err(Status::Flushed)));
}

/// What a read of `len` bytes gives, with `access`, of a page whose key is changed.
fn fetched(access: Access, len: usize, change: u32) -> (Completion, Completion) {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    b.memory.bytes_mut().fill(9);
    let part = b.memory.part(1000..2000);
    let Registered { remote, .. } = b.queue.register(part, access).unwrap();
    b.receive(5, 16);
    let from = Remote {
        key: remote.key.wrapping_add(change),
        ..remote
    };
    a.fetch(1, from, len);
    let at_reader = a.completion();
    if at_reader.outcome.is_ok() {
        assert_eq!(a.memory.bytes()[..len], vec![9; len]);
        a.send(2, 1, Signal::OnFailure).unwrap();
    }
    (at_reader, b.completion())
}

#[test]
fn a_read_gets_what_it_may_and_nothing_else() {
    let well = (done(1, Ok(0)), done(5, Ok(1)));
    assert_eq!(fetched(Access::RemoteRead, 1000, 0), well);
    let refused = (
        done(1, Err(Status::RemoteAccess)),
        done(5, Err(Status::Flushed)),
    );
    assert_eq!(fetched(Access::RemoteRead, 1001, 0), refused);
    assert_eq!(fetched(Access::RemoteRead, 8, 1), refused);
    assert_eq!(fetched(Access::Local, 8, 0), refused);
}

#[test]
fn loss_is_repaired_until_there_is_too_much_of_it() {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    b.receive(5, 16);
    b.receive(6, 16);
    fabric.lose(7);
    a.send(1, 8, Signal::Always).unwrap();
    assert_eq!(a.completion(), done(1, Ok(0)));
    assert_eq!(fabric.repeated(), 7);
    fabric.lose(8);
    a.send(2, 8, Signal::Always).unwrap();
    assert_eq!(a.completion(), done(2, Err(Status::RetryExceeded)));
    assert_eq!(b.completion(), done(5, Ok(8)));
}

#[test]
fn who_arms_for_solicited_ones_sleeps_through_its_own() {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    for work in 0..2 {
        b.receive(work, 16);
        a.receive(work, 16);
    }
    a.queue.arm(Notify::Solicited).unwrap();
    a.send(1, 8, Signal::Always).unwrap();
    assert_eq!(b.completion(), done(0, Ok(8)));
    assert!(!a.queue.drain(), "its own send woke it");
    b.send(9, 8, Signal::Always).unwrap();
    sleep_on(a.queue.completion_fd());
    assert!(a.queue.drain());
}

#[test]
fn a_queue_that_goes_tells_its_peer_and_flushes() {
    let fabric = Fabric::new().unwrap();
    let (mut a, b) = pair(&fabric);
    a.receive(3, 16);
    drop(b);
    assert_eq!(a.event(), Event::Disconnected);
    a.send(1, 8, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(1, Err(Status::RetryExceeded)));
    assert_eq!(a.completion(), done(3, Err(Status::Flushed)));
}

#[test]
fn who_finds_nobody_is_told_so() {
    let fabric = Fabric::new().unwrap();
    let nowhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let mut alone = End::new(dial(&fabric, nowhere), Access::Local);
    alone.queue.establish(b"").unwrap();
    assert!(matches!(alone.event(), Event::Rejected { status: 8, .. }));
    let mut unroutable = fabric.dial("10.0.0.1:9".parse().unwrap(), None).unwrap();
    sleep_on(unroutable.fd());
    let refused = unroutable.poll_routed(SIZES).err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::HostUnreachable);
    let none = Fabric::with_devices(&[]).unwrap();
    assert_eq!(
        none.listen(nowhere, 1).err().unwrap().raw_os_error(),
        Some(19)
    );
}

#[test]
fn registrations_end_and_have_a_limit() {
    let fabric = Fabric::new().unwrap();
    let (mut a, mut b) = pair(&fabric);
    let part = Part {
        pages: Pages::new(4096).unwrap(),
        offset: 0,
        len: 4096,
    };
    let first = b.queue.register(part.clone(), Access::RemoteRead).unwrap();
    fabric.limit_registrations(Some(3 * 4096));
    let refused = b.queue.register(part.clone(), Access::RemoteRead);
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(12));
    b.queue.deregister(first.region);
    let second = b.queue.register(part, Access::RemoteRead).unwrap();
    assert_ne!(first.region, second.region);
    // The key of the first one opens nothing, though the same memory is registered.
    a.fetch(1, first.remote, 8);
    assert_eq!(a.completion(), done(1, Err(Status::RemoteAccess)));
    b.queue.deregister(Region(77));
}
