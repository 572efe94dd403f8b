//! Bytes that wake a side, on the socket or in the pipe of a doorbell, are taken off now
//! and then. That must not take an event away that nobody has seen yet.

#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::time::Duration;

use ferromq_transport::{Link, LinkOptions, Transport};
use ferromq_transport_shm::Shm;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

fn pair() -> (Box<dyn Link>, Box<dyn Link>) {
    let shm = Shm::new();
    let options = LinkOptions::default();
    let mut listener = shm.bind(&"shm://*".parse().unwrap(), &options).unwrap();
    let route = shm.resolve(listener.local_endpoint()).unwrap();
    let mut connecting = shm.connect(&route, &options).unwrap();
    let mut client = connecting.poll_connected().unwrap().unwrap();
    let mut server = listener.accept().unwrap().unwrap();
    // Both greet.
    assert_nothing(&mut *server);
    assert_nothing(&mut *client);
    (client, server)
}

fn assert_nothing(link: &mut dyn Link) {
    let read = link.read(&mut [0; 8]);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
}

/// Watches a link as a runtime does that knows the quicker way to be woken, or not.
struct Watch {
    poll: Poll,
    events: Events,
}

impl Watch {
    fn new(link: &mut dyn Link, interest: Interest, quick: bool) -> Self {
        let poll = Poll::new().unwrap();
        let registry = poll.registry();
        registry
            .register(&mut SourceFd(&link.fd()), Token(0), interest)
            .unwrap();
        if quick {
            let wake_fd = link.wake_fd().expect("a doorbell");
            registry
                .register(&mut SourceFd(&wake_fd), Token(1), Interest::READABLE)
                .unwrap();
            link.wake_by_it();
        }
        let events = Events::with_capacity(4);
        Self { poll, events }
    }

    /// The tokens of those that became readable, and of those that became writable.
    fn wait(&mut self, time: Duration) -> (Vec<usize>, Vec<usize>) {
        self.poll.poll(&mut self.events, Some(time)).unwrap();
        let of = |is: fn(&Event) -> bool| {
            let events = self.events.iter().filter(|event| is(event));
            events.map(|event| event.token().0).collect()
        };
        (of(Event::is_readable), of(Event::is_writable))
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn room_is_told_of_although_many_reads_found_nothing_since() {
    for quick in [false, true] {
        let (mut writer, mut reader) = pair();
        let both = Interest::READABLE | Interest::WRITABLE;
        let mut watch = Watch::new(&mut *writer, both, quick);
        while writer.write(&[0; 64 << 10]).is_ok() {}
        // What was there before is seen, and forgotten.
        watch.wait(Duration::ZERO);

        let mut bytes = vec![0; 64 << 10];
        while reader.read(&mut bytes).is_ok() {}
        for _ in 0..1000 {
            assert_nothing(&mut *writer);
        }
        let (_, writable) = watch.wait(PATIENCE);
        assert_eq!(writable, [0], "room is told of");
        assert!(writer.write(&bytes).is_ok());
    }
}

#[test]
fn input_is_told_of_although_many_writes_found_no_room_since() {
    for quick in [false, true] {
        let (mut writer, mut other) = pair();
        let mut watch = Watch::new(&mut *writer, Interest::READABLE, quick);
        watch.wait(Duration::ZERO);
        other.write(b"x").unwrap();
        while writer.write(&[0; 64 << 10]).is_ok() {}
        for _ in 0..1000 {
            let written = writer.write(b"y");
            assert_eq!(written.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        let (readable, _) = watch.wait(PATIENCE);
        assert_eq!(readable, [usize::from(quick)]);
    }
}

#[test]
fn thousands_of_dialogues_do_not_fill_the_bell() {
    for quick in [false, true] {
        let (mut asking, mut answering) = pair();
        let mut watch = Watch::new(&mut *asking, Interest::READABLE, quick);
        let mut byte = [0; 8];
        // Each of them sleeps, in its own view, and is rung for.
        for _ in 0..5000 {
            assert_eq!(asking.write(&[1]).unwrap(), 1);
            assert_eq!(answering.read(&mut byte).unwrap(), 1);
            assert_eq!(answering.write(&[2]).unwrap(), 1);
            assert_eq!(asking.read(&mut byte).unwrap(), 1);
        }
        watch.wait(Duration::ZERO);
        answering.write(&[3]).unwrap();
        let (readable, _) = watch.wait(PATIENCE);
        assert_eq!(readable, [usize::from(quick)]);
    }
}

/// A side that is woken so from the middle on is told of what was rung for before.
#[test]
fn who_registers_the_doorbell_late_misses_nothing() {
    let (mut asking, mut answering) = pair();
    answering.write(b"before").unwrap();
    let mut watch = Watch::new(&mut *asking, Interest::READABLE, true);
    let (readable, _) = watch.wait(PATIENCE);
    assert_eq!(readable, [0]);
    assert_eq!(asking.read(&mut [0; 8]).unwrap(), 6);
    answering.write(b"after").unwrap();
    let (readable, _) = watch.wait(PATIENCE);
    assert_eq!(readable, [1]);
}

#[test]
fn the_end_is_seen_behind_bytes_that_nobody_took() {
    let (mut one, mut other) = pair();
    for _ in 0..3 {
        other.write(b"x").unwrap();
        assert_eq!(one.read(&mut [0; 8]).unwrap(), 1);
    }
    drop(other);
    one.handle_hangup();
    assert_eq!(one.read(&mut [0; 8]).unwrap(), 0);
    assert!(one.write(b"x").is_err());
}
