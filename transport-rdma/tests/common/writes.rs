//! Memory that one end of a link opens and the other one writes into. Whoever includes
//! this has a `Rdma`, and a `bed` that gives one and a place to listen at.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ferromq_transport::{Bytes, Lent, Link, LinkOptions, Listener, Loan, Place, Source, Transport};
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

fn part(bytes: &Arc<dyn Bytes>, at: usize, len: usize) -> Source {
    Source::new(bytes.clone(), at..at + len).expect("it is as long")
}

fn open(link: &mut dyn Link, loan: Loan) -> Place {
    let opened = link.memory().unwrap().open(loan);
    opened.unwrap_or_else(|_| panic!("it was not opened"))
}

fn close(link: &mut dyn Link, place: Place) -> Loan {
    link.memory().unwrap().close(place).expect("it was open")
}

/// Writes all of these sources, and sleeps, as an event loop does, until they have arrived.
fn write_all(link: &mut dyn Link, place: Place, sources: &[Source]) -> io::Result<()> {
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
    let len: usize = sources.iter().map(|source| source.as_ref().len()).sum();
    let mut written = 0;
    while written < len {
        match memory.write(place.behind(written as u64), sources, written) {
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
    let source = [Source::from(source)];
    let target = loan(&scene.rdma, LEN + 5000, 0);
    let before = scene.rdma.counters();
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, target);
    write_all(&mut **a, place.behind(3000), &source).unwrap();
    let target = close(&mut **b, place);
    let after = scene.rdma.counters();
    let (lead, rest) = target.as_ref().split_at(3000);
    let (body, tail) = rest.split_at(LEN);
    assert!(body == source[0].as_ref());
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
        let source = Source::from(loan(&scene.rdma, 100_000, round));
        let place = open(&mut **b, loan(&scene.rdma, 100_000, 0));
        let written = a.memory().unwrap().write(place, &[source], 0);
        assert_eq!(written.unwrap(), 100_000);
        say(&mut **a, b"done");
        // It is not lent to others before it has been read.
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
    let source: Arc<dyn Bytes> = Arc::new(source);
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, loan(&scene.rdma, BLOCK * BLOCKS, 0));
    let before = scene.rdma.counters();
    for at in (0..BLOCKS).map(|block| block * BLOCK) {
        let to = place.behind(((BLOCKS - 1) * BLOCK - at) as u64);
        let block = [part(&source, at, BLOCK)];
        let whole = until("room", || match a.memory().unwrap().write(to, &block, 0) {
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
    assert!(there.eq((*source).as_ref().chunks(BLOCK)));
}

#[test]
fn sources_that_lie_apart_are_gathered_into_one_place() {
    let mut scene = scene();
    // Of every length, from several loans, most of them beside what is not wanted.
    let lengths = [1, 7, 4096, 30_000, 0, 65, 100_000, 2, 5000, 8191];
    let sources: Vec<_> = (1_u8..)
        .zip(lengths)
        .map(|(byte, len)| {
            let bytes: Arc<dyn Bytes> = Arc::new(loan(&scene.rdma, len + 20, byte));
            part(&bytes, 13, len)
        })
        .collect();
    let wanted: Vec<u8> = sources.iter().flat_map(|it| it.as_ref()).copied().collect();
    let target = loan(&scene.rdma, wanted.len() + 100, 0);
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, target);
    let before = scene.rdma.counters();
    write_all(&mut **a, place.behind(50), &sources).unwrap();
    let after = scene.rdma.counters();
    let target = close(&mut **b, place);
    assert!(target.as_ref()[50..][..wanted.len()] == wanted);
    assert!(target.as_ref()[..50].iter().all(|byte| *byte == 0));
    assert!(
        target.as_ref()[50 + wanted.len()..]
            .iter()
            .all(|byte| *byte == 0)
    );
    // One request, or more where a device takes fewer pieces, and no CPU has copied anything.
    assert!(after.writes - before.writes < 9);
    assert_eq!(after.copied, before.copied);
}

#[test]
fn more_sources_than_a_request_takes_need_several() {
    const EACH: usize = 600;
    let mut scene = scene();
    let mut bytes = loan(&scene.rdma, 100 * 2 * EACH, 0);
    for (number, block) in (0_u8..).zip(bytes.as_mut().chunks_mut(EACH)) {
        block.fill(number);
    }
    let bytes: Arc<dyn Bytes> = Arc::new(bytes);
    // Every other block.
    let sources: Vec<_> = (0..100)
        .map(|at| part(&bytes, at * 2 * EACH, EACH))
        .collect();
    let (a, b) = &mut scene.pair;
    let place = open(&mut **b, loan(&scene.rdma, 100 * EACH, 255));
    let before = scene.rdma.counters();
    write_all(&mut **a, place, &sources).unwrap();
    let writes = scene.rdma.counters().writes - before.writes;
    assert!((100_u64.div_ceil(12)..100).contains(&writes), "{writes}");
    let target = close(&mut **b, place);
    let there = target.as_ref().chunks(EACH).zip((0_u8..).step_by(2));
    for (block, number) in there {
        assert_eq!(block, [number; EACH]);
    }
}

/// What a write to a place ends in that the peer did not open, or not so.
fn refused(change: impl FnOnce(&mut Scene, Place) -> Place) {
    let mut scene = scene();
    let place = open(&mut *scene.pair.1, loan(&scene.rdma, 10_000, 0));
    let wrong = change(&mut scene, place);
    let source = [Source::from(loan(&scene.rdma, 10_000, 7))];
    let (a, b) = &mut scene.pair;
    let error = write_all(&mut **a, wrong, &source).unwrap_err();
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
    let elsewhere = [Source::all(Arc::new([7; 4096]))];
    let error = a.memory().unwrap().write(place, &elsewhere, 0);
    assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert!(b.memory().unwrap().close(place.behind(1)).is_none());
    talk(&mut scene.pair);
    let (a, _) = &mut scene.pair;
    let none = Place {
        key: 1 << 32,
        ..place
    };
    let source = [Source::from(loan(&scene.rdma, 4096, 7))];
    let error = a.memory().unwrap().write(none, &source, 0).unwrap_err();
    assert!(error.to_string().contains("which no device has"), "{error}");
    assert!(ending(&mut **a).contains("which no device has"));
    talk(&mut scene.others);
}

/// A loan to which somebody has kept another way.
struct Shared(Arc<Loan>);

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
    let kept = Arc::new(loan(&scene.rdma, 4096, 1));
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
