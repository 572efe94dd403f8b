//! Memory that peers write into, on devices in software.

use std::io;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use ferromq_transport::{Bytes, Endpoint, Link, Loan, Place, Source, Transport};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;

use super::faults::{Scene, payload, scene};
use super::until;
use crate::{Fabric, Rdma};

#[path = "../../tests/common/writes.rs"]
mod suite;

fn bed() -> (Rdma, Endpoint) {
    let rdma = Rdma::over(&Fabric::new().unwrap()).build();
    (rdma, "rdma://127.0.0.1:*".parse().unwrap())
}

/// Memory of this length that the second end has opened to the first one.
fn opened(scene: &mut Scene, len: usize) -> Place {
    let target = payload(&scene.rdma, len, 0);
    let opened = scene.pair.1.memory().unwrap().open(target);
    opened.unwrap_or_else(|_| panic!("it was not opened"))
}

/// Memory of this length to write from.
fn filled(scene: &Scene, len: usize) -> Source {
    payload(&scene.rdma, len, 7).into()
}

fn taken_back(scene: &mut Scene, place: Place) -> Loan {
    scene.pair.1.memory().unwrap().close(place).unwrap()
}

/// Posts one write after the other, of what lies behind `skip`, until there is no room:
/// how long they were.
fn post_all(link: &mut dyn Link, place: Place, from: &[Source], skip: usize) -> Vec<usize> {
    let len: usize = from.iter().map(|source| source.as_ref().len()).sum();
    let memory = link.memory().unwrap();
    let mut posted = Vec::new();
    let mut sum = 0;
    while skip + sum < len {
        let done = skip + sum;
        match memory.write(place.behind(done as u64), from, done) {
            Ok(len) => posted.push(len),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                break;
            }
        }
        sum = posted.iter().sum();
    }
    posted
}

fn await_arrival(link: &mut dyn Link) {
    until("the arrival", || {
        (link.memory().unwrap().writing().unwrap() == 0).then_some(())
    });
}

#[test]
fn sixteen_writes_are_under_way_together_and_the_next_waits_for_an_event() {
    const BLOCK: usize = 4096;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 17 * BLOCK);
    let source = filled(&scene, 17 * BLOCK);
    let all: Arc<dyn Bytes> = Arc::new(source.clone());
    let a = &mut scene.pair.0;
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    let fd = a.fd();
    let registry = poll.registry();
    registry
        .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)
        .unwrap();
    scene.fabric.pause();
    let block = |at| Source::new(all.clone(), at..at + BLOCK).unwrap();
    let blocks = (0..17 * BLOCK).step_by(BLOCK);
    let results: Vec<_> = blocks
        .map(|at| {
            let memory = a.memory().unwrap();
            memory.write(place.behind(at as u64), &[block(at)], 0)
        })
        .collect();
    let (last, together) = results.split_last().unwrap();
    let kind = last.as_ref().unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::WouldBlock);
    assert!(together.iter().all(|written| matches!(written, Ok(BLOCK))));
    // Nothing has arrived, and nothing is told of.
    poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    assert!(events.is_empty());
    scene.fabric.resume();
    until("an event", || {
        poll.poll(&mut events, Some(Duration::from_secs(1)))
            .unwrap();
        (!events.is_empty()).then_some(())
    });
    let at = place.behind(16 * BLOCK as u64);
    let written = a.memory().unwrap().write(at, from_ref(&source), 16 * BLOCK);
    assert_eq!(written.unwrap(), BLOCK);
    await_arrival(&mut **a);
    assert_eq!(taken_back(&mut scene, place).as_ref(), source.as_ref());
}

#[test]
fn memory_that_cannot_be_registered_is_said_to_be_so_by_whatever_error() {
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 4096);
    let source = [filled(&scene, 4096)];
    let a = &mut scene.pair.0;
    for errno in [Errno::AGAIN, Errno::NOMEM, Errno::FAULT] {
        scene.fabric.fail_registrations(Some(errno.raw_os_error()));
        let error = a.memory().unwrap().write(place, &source, 0);
        let error = error.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory, "{errno}");
        assert!(error.to_string().contains(&errno.to_string()), "{error}");
    }
    // It does not hurt the link.
    scene.fabric.fail_registrations(None);
    assert_eq!(post_all(&mut **a, place, &source, 0), [4096]);
    await_arrival(&mut **a);
    assert_eq!(taken_back(&mut scene, place).as_ref(), source[0].as_ref());
}

#[test]
fn writes_go_together_in_shorter_pieces_where_little_can_be_registered() {
    const LEN: usize = 3 << 20;
    const KIB: usize = 1 << 10;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, LEN);
    let source = [filled(&scene, LEN)];
    let room = scene.fabric.registered() + 300 * KIB;
    scene.fabric.limit_registrations(Some(room));
    scene.fabric.pause();
    let a = &mut scene.pair.0;
    // What fits alone, and half of it from then on.
    let mut sum = 256 * KIB;
    assert_eq!(post_all(&mut **a, place, &source, 0), [sum]);
    scene.fabric.resume();
    await_arrival(&mut **a);
    while sum < LEN {
        scene.fabric.pause();
        let posted = post_all(&mut **a, place, &source, sum);
        let all_there_are = (LEN - sum).div_ceil(128 * KIB).min(2);
        assert_eq!(posted, vec![128 * KIB; all_there_are]);
        scene.fabric.resume();
        await_arrival(&mut **a);
        sum += posted.iter().sum::<usize>();
    }
    assert_eq!(taken_back(&mut scene, place).as_ref(), source[0].as_ref());
}

#[test]
fn a_write_without_room_leaves_what_is_registered_to_the_next_ones() {
    const KIB: usize = 1 << 10;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 1 << 20);
    let small = [filled(&scene, 4096)];
    let source = [filled(&scene, 1 << 20)];
    let a = &mut scene.pair.0;
    assert_eq!(post_all(&mut **a, place, &small, 0), [4096]);
    await_arrival(&mut **a);
    let other = [payload(&scene.rdma, 256 * KIB, 7).into()];
    scene.fabric.pause();
    assert_eq!(post_all(&mut **a, place, &other, 0), [256 * KIB]);
    let registered = scene.fabric.registered();
    scene.fabric.limit_registrations(Some(registered));
    assert!(post_all(&mut **a, place, &source, 0).is_empty());
    assert_eq!(scene.fabric.registered(), registered);
    let before = scene.rdma.counters().registrations;
    assert_eq!(post_all(&mut **a, place, &small, 0), [4096]);
    assert_eq!(scene.rdma.counters().registrations, before);
    scene.fabric.resume();
    await_arrival(&mut **a);
    // Now it does: for what is refused else, the small one ends as well.
    assert!(!post_all(&mut **a, place, &source, 0).is_empty());
    await_arrival(&mut **a);
    assert!(scene.rdma.counters().registrations > before);
}

#[test]
fn sources_are_gathered_as_far_as_they_can_be_registered() {
    const KIB: usize = 1 << 10;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 400 * KIB);
    let sources = [1, 2, 3, 4].map(|byte| payload(&scene.rdma, 100 * KIB, byte).into());
    let room = scene.fabric.registered() + 300 * KIB;
    scene.fabric.limit_registrations(Some(room));
    let a = &mut scene.pair.0;
    // Blocks are of 112 KiB: two of them fit.
    scene.fabric.pause();
    assert_eq!(post_all(&mut **a, place, &sources, 0), [200 * KIB]);
    scene.fabric.resume();
    await_arrival(&mut **a);
    let mut sum = 200 * KIB;
    while sum < 400 * KIB {
        sum += post_all(&mut **a, place, &sources, sum)
            .iter()
            .sum::<usize>();
        await_arrival(&mut **a);
    }
    let target = taken_back(&mut scene, place);
    for (there, source) in target.as_ref().chunks(100 * KIB).zip(&sources) {
        assert!(there == source.as_ref());
    }
}

#[test]
fn a_source_in_other_memory_is_refused_once_those_before_it_are_written() {
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 8192);
    let sources = [filled(&scene, 4096), Source::all(Arc::new([8; 4096]))];
    let memory = scene.pair.0.memory().unwrap();
    assert_eq!(memory.write(place, &sources, 0).unwrap(), 4096);
    let refused = memory.write(place.behind(4096), &sources, 4096);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    await_arrival(&mut *scene.pair.0);
    let target = taken_back(&mut scene, place);
    let (there, untouched) = target.as_ref().split_at(4096);
    assert!(there.iter().all(|byte| *byte == 7) && untouched.iter().all(|byte| *byte == 0));
}

#[test]
fn what_is_under_way_is_kept_by_the_link_and_given_back_when_it_has_arrived() {
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 4096);
    let source = filled(&scene, 4096);
    let address = source.as_ref().as_ptr().addr();
    scene.fabric.pause();
    let memory = scene.pair.0.memory().unwrap();
    assert_eq!(memory.write(place, &[source], 0).unwrap(), 4096);
    let at = |loan: &Loan| loan.as_ref().as_ptr().addr();
    let lender = scene.rdma.lender().unwrap();
    let others: Vec<_> = (0..100).map(|_| lender.loan(4096).unwrap()).collect();
    assert!(others.iter().all(|loan| at(loan) != address));
    scene.fabric.resume();
    await_arrival(&mut *scene.pair.0);
    let next: Vec<_> = (0..200).map(|_| lender.loan(4096).unwrap()).collect();
    assert!(next.iter().any(|loan| at(loan) == address));
}

#[test]
fn twelve_pieces_are_one_request() {
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 13 * 100);
    let all: Arc<dyn Bytes> = Arc::new(filled(&scene, 13 * 200));
    let source = |at: usize| Source::new(all.clone(), 200 * at..200 * at + 100).unwrap();
    let sources: Vec<_> = (0..13).map(source).collect();
    let posted = post_all(&mut *scene.pair.0, place, &sources, 0);
    assert_eq!(posted, [1200, 100]);
}

#[test]
fn little_that_lies_in_much_memory_is_not_all_registered_at_once() {
    const BLOCK: usize = 4 << 20;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 300);
    let sources = [0; 3].map(|_| {
        let all: Arc<dyn Bytes> = Arc::new(payload(&scene.rdma, BLOCK, 7));
        Source::new(all, 1000..1100).unwrap()
    });
    let a = &mut scene.pair.0;
    let before = scene.fabric.registered();
    let written = a.memory().unwrap().write(place, &sources, 0).unwrap();
    assert_eq!((written, scene.fabric.registered() - before), (100, BLOCK));
    assert_eq!(post_all(&mut **a, place, &sources, 100), [100, 100]);
    await_arrival(&mut **a);
    // What is registered already takes no more.
    assert_eq!(post_all(&mut **a, place, &sources, 0), [300]);
}
