//! Memory that peers write into, on devices in software.

use std::io;
use std::time::Duration;

use ferromq_transport::{Endpoint, Link, Loan, Place};
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

fn taken_back(scene: &mut Scene, place: Place) -> Loan {
    scene.pair.1.memory().unwrap().close(place).unwrap()
}

/// Posts one write after the other until there is no room: how long they were.
fn post_all(link: &mut dyn Link, place: Place, bytes: &[u8]) -> Vec<usize> {
    let memory = link.memory().unwrap();
    let mut posted = Vec::new();
    let mut sum = 0;
    while sum < bytes.len() {
        match memory.write(place.behind(sum as u64), &bytes[sum..]) {
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
    let source = payload(&scene.rdma, 17 * BLOCK, 7);
    let a = &mut scene.pair.0;
    let (mut poll, mut events) = (Poll::new().unwrap(), Events::with_capacity(4));
    let fd = a.fd();
    let registry = poll.registry();
    registry
        .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)
        .unwrap();
    scene.fabric.pause();
    let blocks = source.as_ref().chunks(BLOCK).zip((0..).step_by(BLOCK));
    let results: Vec<_> = blocks
        .map(|(block, at)| a.memory().unwrap().write(place.behind(at), block))
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
    let rest = &source.as_ref()[16 * BLOCK..];
    let at = place.behind(16 * BLOCK as u64);
    assert_eq!(a.memory().unwrap().write(at, rest).unwrap(), BLOCK);
    await_arrival(&mut **a);
    assert_eq!(taken_back(&mut scene, place).as_ref(), source.as_ref());
}

#[test]
fn memory_that_cannot_be_registered_is_said_to_be_so_by_whatever_error() {
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 4096);
    let source = payload(&scene.rdma, 4096, 7);
    let a = &mut scene.pair.0;
    for errno in [Errno::AGAIN, Errno::NOMEM, Errno::FAULT] {
        scene.fabric.fail_registrations(Some(errno.raw_os_error()));
        let error = a.memory().unwrap().write(place, source.as_ref());
        let error = error.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory, "{errno}");
        assert!(error.to_string().contains(&errno.to_string()), "{error}");
    }
    // It does not hurt the link.
    scene.fabric.fail_registrations(None);
    assert_eq!(post_all(&mut **a, place, source.as_ref()), [4096]);
    await_arrival(&mut **a);
    assert_eq!(taken_back(&mut scene, place).as_ref(), source.as_ref());
}

#[test]
fn writes_go_together_in_shorter_pieces_where_little_can_be_registered() {
    const LEN: usize = 3 << 20;
    const KIB: usize = 1 << 10;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, LEN);
    let source = payload(&scene.rdma, LEN, 7);
    let room = scene.fabric.registered() + 300 * KIB;
    scene.fabric.limit_registrations(Some(room));
    scene.fabric.pause();
    let a = &mut scene.pair.0;
    // What fits alone, and half of it from then on.
    let mut sum = 256 * KIB;
    assert_eq!(post_all(&mut **a, place, source.as_ref()), [sum]);
    scene.fabric.resume();
    await_arrival(&mut **a);
    while sum < LEN {
        let rest = &source.as_ref()[sum..];
        scene.fabric.pause();
        let posted = post_all(&mut **a, place.behind(sum as u64), rest);
        let all_there_are = rest.len().div_ceil(128 * KIB).min(2);
        assert_eq!(posted, vec![128 * KIB; all_there_are]);
        scene.fabric.resume();
        await_arrival(&mut **a);
        sum += posted.iter().sum::<usize>();
    }
    assert_eq!(taken_back(&mut scene, place).as_ref(), source.as_ref());
}

#[test]
fn a_write_without_room_leaves_what_is_registered_to_the_next_ones() {
    const KIB: usize = 1 << 10;
    let mut scene = scene(|it| it);
    let place = opened(&mut scene, 1 << 20);
    let small = payload(&scene.rdma, 4096, 7);
    let source = payload(&scene.rdma, 1 << 20, 7);
    let a = &mut scene.pair.0;
    assert_eq!(post_all(&mut **a, place, small.as_ref()), [4096]);
    await_arrival(&mut **a);
    let other = payload(&scene.rdma, 256 * KIB, 7);
    scene.fabric.pause();
    assert_eq!(post_all(&mut **a, place, other.as_ref()), [256 * KIB]);
    let registered = scene.fabric.registered();
    scene.fabric.limit_registrations(Some(registered));
    assert!(post_all(&mut **a, place, source.as_ref()).is_empty());
    assert_eq!(scene.fabric.registered(), registered);
    let before = scene.rdma.counters().registrations;
    assert_eq!(post_all(&mut **a, place, small.as_ref()), [4096]);
    assert_eq!(scene.rdma.counters().registrations, before);
    scene.fabric.resume();
    await_arrival(&mut **a);
    // Now it does: for what is refused else, the small one ends as well.
    assert!(!post_all(&mut **a, place, source.as_ref()).is_empty());
    await_arrival(&mut **a);
    assert!(scene.rdma.counters().registrations > before);
}
