//! Memory that one end of a link opens and the other one writes into. Whoever includes
//! this has a `Rdma`, and a `bed` that gives one and a place to listen at.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use ferromq_transport::{Lent, Link, LinkOptions, Listener, Loan, Place, Transport};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::{Rdma, bed};

const PATIENCE: Duration = Duration::from_secs(60);

/// Two connections between the same transports: who connected, who accepted.
struct Scene {
    rdma: Rdma,
    pair: Pair,
    others: Pair,
}

type Pair = (Box<dyn Link>, Box<dyn Link>);

fn scene() -> Scene {
    let (rdma, place) = bed();
    let options = LinkOptions::default();
    let mut listener = rdma.bind(&place, &options).unwrap();
    let pair = connect(&rdma, &mut *listener);
    let others = connect(&rdma, &mut *listener);
    Scene { rdma, pair, others }
}

fn connect(rdma: &Rdma, listener: &mut dyn Listener) -> Pair {
    let route = rdma.resolve(listener.local_endpoint()).unwrap();
    let mut connecting = rdma.connect(&route, &LinkOptions::default()).unwrap();
    let mut accepted = None;
    let connected = until("a connection", || {
        accepted = accepted.take().or_else(|| listener.accept().unwrap());
        connecting.poll_connected().unwrap()
    });
    let accepted = until("a caller", || {
        accepted.take().or_else(|| listener.accept().unwrap())
    });
    (connected, accepted)
}

fn until<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = so() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never was");
        thread::yield_now();
    }
}

fn loan(rdma: &Rdma, len: usize, byte: u8) -> Loan {
    let mut loan = rdma.lender().unwrap().loan(len).unwrap();
    loan.as_mut().fill(byte);
    loan
}

fn open(link: &mut dyn Link, loan: Loan) -> Place {
    let opened = link.memory().unwrap().open(loan);
    opened.unwrap_or_else(|_| panic!("it was not opened"))
}

fn close(link: &mut dyn Link, place: Place) -> Loan {
    link.memory().unwrap().close(place).expect("it was open")
}

/// Writes all of these bytes, and sleeps, as an event loop does, until they have arrived.
fn write_all(link: &mut dyn Link, place: Place, bytes: &[u8]) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let fd = link.fd();
    poll.registry()
        .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
    let mut sleep = || {
        let mut events = Events::with_capacity(1);
        poll.poll(&mut events, Some(PATIENCE)).unwrap();
        assert!(!events.is_empty(), "nothing made the descriptor readable");
    };
    let memory = link.memory().expect("it stands");
    let mut written = 0;
    while written < bytes.len() {
        match memory.write(place.behind(written as u64), &bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(),
            Err(error) => return Err(error),
        }
    }
    while memory.writing()? > 0 {
        sleep();
    }
    Ok(())
}

fn say(link: &mut dyn Link, words: &[u8]) {
    until("room", || link.write(words).ok());
}

fn hear(link: &mut dyn Link) -> Vec<u8> {
    let mut buf = [0; 64];
    let read = until("input", || link.read(&mut buf).ok());
    buf[..read].to_vec()
}

fn talk((a, b): &mut Pair) {
    say(&mut **a, b"still");
    assert_eq!(hear(&mut **b), b"still");
}

/// How a link ends: it is not in order.
fn ending(link: &mut dyn Link) -> String {
    until("a failure", || match link.read(&mut [0; 64]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Some(error.to_string()),
        Ok(read) => panic!("{read} bytes came"),
        _ => None,
    })
}

#[test]
fn a_write_lands_where_it_was_opened_and_nowhere_else() {
    const LEN: usize = 9_000_001;
    let mut scene = scene();
    let mut source = loan(&scene.rdma, LEN, 0);
    for (at, byte) in source.as_mut().iter_mut().enumerate() {
        *byte = (at % 251) as u8 + 1;
    }
    let target = loan(&scene.rdma, LEN + 5000, 0);
    let before = scene.rdma.counters();
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, target);
    write_all(&mut **a, place.behind(3000), source.as_ref()).unwrap();
    let target = close(&mut **b, place);
    let after = scene.rdma.counters();
    let (lead, rest) = target.as_ref().split_at(3000);
    let (body, tail) = rest.split_at(LEN);
    assert!(body == source.as_ref());
    assert!(lead.iter().chain(tail).all(|byte| *byte == 0));
    // In pieces of 4 MiB, and no CPU had a part in it, nor anything that was sent.
    assert_eq!(after.writes - before.writes, 3);
    assert_eq!(after.copied, before.copied);
    assert_eq!(after.sends, before.sends);
    // Each piece of the source, and the target.
    assert_eq!(after.registrations - before.registrations, 4);
    talk(&mut scene.pair);
}

#[test]
fn what_is_said_after_a_write_comes_after_it() {
    let mut scene = scene();
    let (a, b) = &mut scene.pair;
    for round in 1..=20 {
        let source = loan(&scene.rdma, 100_000, round);
        let place = open(&mut **b, loan(&scene.rdma, 100_000, 0));
        let written = a.memory().unwrap().write(place, source.as_ref());
        assert_eq!(written.unwrap(), 100_000);
        say(&mut **a, b"done");
        // It is not lent to others before it has been read.
        drop(source);
        drop(loan(&scene.rdma, 100_000, 0));
        assert_eq!(hear(&mut **b), b"done");
        let target = close(&mut **b, place);
        assert!(target.as_ref().iter().all(|byte| *byte == round));
        until("its arrival", || {
            (a.memory().unwrap().writing().unwrap() == 0).then_some(())
        });
    }
}

#[test]
fn many_writes_find_their_memory_registered() {
    const BLOCK: usize = 4096;
    const BLOCKS: usize = 500;
    let mut scene = scene();
    let mut source = loan(&scene.rdma, BLOCK * BLOCKS, 0);
    for (block, number) in source.as_mut().chunks_mut(BLOCK).zip(0_u64..) {
        block[..8].copy_from_slice(&number.to_ne_bytes());
    }
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, loan(&scene.rdma, BLOCK * BLOCKS, 0));
    let before = scene.rdma.counters();
    for (at, block) in source.as_ref().chunks(BLOCK).enumerate() {
        let to = place.behind(((BLOCKS - 1 - at) * BLOCK) as u64);
        let whole = until("room", || match a.memory().unwrap().write(to, block) {
            Ok(written) => Some(written == BLOCK),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                None
            }
        });
        assert!(whole);
    }
    until("their arrival", || {
        (a.memory().unwrap().writing().unwrap() == 0).then_some(())
    });
    let after = scene.rdma.counters();
    assert_eq!(after.writes - before.writes, BLOCKS as u64);
    assert_eq!(after.registrations - before.registrations, 1);
    let target = close(&mut **b, place);
    // The first one came last.
    let there = target.as_ref().chunks(BLOCK).rev();
    assert!(there.eq(source.as_ref().chunks(BLOCK)));
}

/// What a write to a place ends in that the peer did not open, or not so.
fn refused(change: impl FnOnce(&mut Scene, Place) -> Place) {
    let mut scene = scene();
    let place = open(&mut *scene.pair.1, loan(&scene.rdma, 10_000, 0));
    let wrong = change(&mut scene, place);
    let source = loan(&scene.rdma, 10_000, 7);
    let (a, b) = &mut scene.pair;
    let error = write_all(&mut **a, wrong, source.as_ref()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a write into the peer's memory failed"),
        "{text}"
    );
    assert!(text.contains("refuses access"), "{text}");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    // The other end is told, and its memory is as it was.
    let lost = ending(&mut **b);
    assert!(lost.contains("lost"), "{lost}");
    if let Some(target) = b.memory().and_then(|memory| memory.close(place)) {
        assert!(target.as_ref().iter().all(|byte| *byte == 0));
    }
    // Nobody else notices.
    talk(&mut scene.others);
}

#[test]
fn a_wrong_key_ends_the_link_of_whoever_has_it() {
    refused(|_, place| Place {
        key: place.key ^ 1,
        ..place
    });
}

#[test]
fn a_range_outside_ends_the_link_of_whoever_asks() {
    refused(|_, place| place.behind(1));
}

#[test]
fn a_place_that_was_closed_ends_the_link_of_whoever_has_it_still() {
    refused(|scene, place| {
        close(&mut *scene.pair.1, place);
        place
    });
}

#[test]
fn a_place_of_another_link_ends_the_link_of_whoever_uses_it() {
    refused(|scene, _| open(&mut *scene.others.1, loan(&scene.rdma, 10_000, 0)));
}

#[test]
fn what_may_be_read_may_not_be_written() {
    refused(|scene, _| {
        let exported = loan(&scene.rdma, 10_000, 1);
        let memory = scene.pair.1.memory().unwrap();
        memory.export(exported.as_ref()).unwrap()
    });
}

#[test]
fn a_key_that_is_none_ends_its_link_and_other_memory_does_not() {
    let mut scene = scene();
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, loan(&scene.rdma, 4096, 0));
    let elsewhere = a.memory().unwrap().write(place, &[7; 4096]).unwrap_err();
    assert_eq!(elsewhere.kind(), io::ErrorKind::InvalidInput);
    assert!(b.memory().unwrap().close(place.behind(1)).is_none());
    talk(&mut scene.pair);
    let (a, _) = &mut scene.pair;
    let none = Place {
        key: 1 << 32,
        ..place
    };
    let source = loan(&scene.rdma, 4096, 7);
    let error = a
        .memory()
        .unwrap()
        .write(none, source.as_ref())
        .unwrap_err();
    assert!(error.to_string().contains("which no device has"), "{error}");
    assert!(ending(&mut **a).contains("which no device has"));
    talk(&mut scene.others);
}

/// A loan to which somebody has kept another way.
struct Shared(std::sync::Arc<Loan>);

impl Lent for Shared {
    fn bytes(&self) -> &[u8] {
        (*self.0).as_ref()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut []
    }
}

#[test]
fn only_a_lenders_own_loan_is_opened() {
    let mut scene = scene();
    let kept = std::sync::Arc::new(loan(&scene.rdma, 4096, 1));
    let foreign = loan(&bed().0, 4096, 2);
    let memory = scene.pair.0.memory().unwrap();
    for refused in [Loan::new(Shared(kept)), foreign] {
        let byte = refused.as_ref()[0];
        let back = memory.open(refused).unwrap_err();
        assert_eq!(back.as_ref(), [byte; 4096]);
    }
    talk(&mut scene.pair);
}

#[test]
fn memory_that_was_open_when_its_link_ended_is_lent_again() {
    let mut scene = scene();
    let target = loan(&scene.rdma, 1 << 20, 0);
    let address = target.as_ref().as_ptr().addr();
    open(&mut *scene.pair.1, target);
    assert_ne!(
        loan(&scene.rdma, 1 << 20, 0).as_ref().as_ptr().addr(),
        address
    );
    drop(scene.pair);
    // As soon as no device reaches it. Who takes all there is finds it among that.
    let lender = scene.rdma.lender().unwrap();
    let mut taken = Vec::new();
    until("its return", || match lender.loan(1 << 20) {
        Ok(loan) => {
            let found = loan.as_ref().as_ptr().addr() == address;
            taken.push(loan);
            found.then_some(())
        }
        Err(_) => {
            taken.clear();
            None
        }
    });
    talk(&mut scene.others);
}
