//! Bytes on the socket that wakes a side are taken off now and then. That must not
//! take an event away that nobody has seen yet.

#![cfg(target_os = "linux")]

use std::io::ErrorKind;
use std::time::Duration;

use ferromq_transport::{Link, LinkOptions, Transport};
use ferromq_transport_shm::Shm;
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

#[test]
fn room_is_told_of_although_many_reads_found_nothing_since() {
    let (mut writer, mut reader) = pair();
    let mut poll = Poll::new().unwrap();
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry()
        .register(&mut SourceFd(&writer.fd()), Token(0), both)
        .unwrap();
    let mut events = Events::with_capacity(4);
    while writer.write(&[0; 64 << 10]).is_ok() {}
    // What was there before is seen, and forgotten.
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();

    let mut bytes = vec![0; 64 << 10];
    while reader.read(&mut bytes).is_ok() {}
    for _ in 0..1000 {
        assert_nothing(&mut *writer);
    }
    poll.poll(&mut events, Some(Duration::from_secs(20)))
        .unwrap();
    let event = events.iter().next().expect("room is told of");
    assert!(event.is_writable());
    assert!(writer.write(&bytes).is_ok());
}

#[test]
fn input_is_told_of_although_many_writes_found_no_room_since() {
    let (mut writer, mut other) = pair();
    let mut poll = Poll::new().unwrap();
    poll.registry()
        .register(&mut SourceFd(&writer.fd()), Token(0), Interest::READABLE)
        .unwrap();
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    other.write(b"x").unwrap();
    while writer.write(&[0; 64 << 10]).is_ok() {}
    for _ in 0..1000 {
        let written = writer.write(b"y");
        assert_eq!(written.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    poll.poll(&mut events, Some(Duration::from_secs(2)))
        .unwrap();
    assert!(events.iter().any(|event| event.is_readable()));
}

#[test]
fn thousands_of_dialogues_do_not_fill_the_bell() {
    let (mut asking, mut answering) = pair();
    let mut byte = [0; 8];
    // Each of them sleeps, in its own view, and is rung for.
    for _ in 0..5000 {
        assert_eq!(asking.write(&[1]).unwrap(), 1);
        assert_eq!(answering.read(&mut byte).unwrap(), 1);
        assert_eq!(answering.write(&[2]).unwrap(), 1);
        assert_eq!(asking.read(&mut byte).unwrap(), 1);
    }
    let mut poll = Poll::new().unwrap();
    poll.registry()
        .register(&mut SourceFd(&asking.fd()), Token(0), Interest::READABLE)
        .unwrap();
    let mut events = Events::with_capacity(4);
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    answering.write(&[3]).unwrap();
    poll.poll(&mut events, Some(Duration::from_secs(20)))
        .unwrap();
    assert!(events.iter().any(|event| event.is_readable()));
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
