//! Ends of connections for the tests of providers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use super::{
    Access, Completion, Event, Fetch, Incoming, Listening, Notify, Outgoing, Piece, Provider,
    Queue, Registered, Remote, Request, Signal, Sizes, Status,
};
use crate::sys::Slot;

pub(crate) const SIZES: Sizes = Sizes {
    sends: 4,
    receives: 4,
    reads: 4,
    inline: 64,
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

    /// The next completion, slept for as an event loop does.
    pub(crate) fn completion(&mut self) -> Completion {
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
    Completion { work, outcome }
}
