use super::*;
use crate::sys::Pages;
use crate::verbs::testing::{self, End, SIZES, dial, done, sleep_on};
use crate::verbs::{
    Access, Completion, Event, Notify, Part, Region, Registered, Remote, Signal, Status,
};

/// Two ends of a connection: who dialled, who accepted.
fn pair(fabric: &Fabric) -> (End, End) {
    crate::verbs::testing::pair(fabric, None, Ipv4Addr::LOCALHOST.into())
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
    assert_eq!(fetched(Access::RemoteWrite, 8, 0), refused);
}

#[test]
fn a_write_arrives_where_it_may_and_nowhere_else() {
    testing::writes_arrive_where_they_may(|| pair(&Fabric::new().unwrap()));
}

#[test]
fn memory_that_was_taken_back_is_not_written() {
    testing::memory_that_was_taken_back_is_not_written(pair(&Fabric::new().unwrap()));
}

#[test]
fn what_lies_apart_is_gathered() {
    testing::pieces_are_gathered_in_their_order(pair(&Fabric::new().unwrap()));
}

#[test]
fn what_follows_a_write_comes_after_it() {
    testing::writes_are_told_of(|| pair(&Fabric::new().unwrap()));
}

#[test]
fn what_it_takes_to_carry_a_payload_is_as_documented() {
    testing::carrying::ways_cost_what_is_said_of_them(|| pair(&Fabric::new().unwrap()));
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
    let mut alone = End::new(dial(&fabric, nowhere, None), Access::Local);
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
    b.queue.deregister(first.region).unwrap();
    let second = b.queue.register(part, Access::RemoteRead).unwrap();
    assert_ne!(first.region, second.region);
    // The key of the first one opens nothing, though the same memory is registered.
    a.fetch(1, first.remote, 8);
    assert_eq!(a.completion(), done(1, Err(Status::RemoteAccess)));
    assert!(b.queue.deregister(Region(77)).is_err());
}
