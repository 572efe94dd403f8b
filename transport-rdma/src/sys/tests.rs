//! The provider on devices: soft-RoCE's, in tests/rdma-vm, or two addresses of this
//! machine's own cards in `FERROMQ_RDMA_BED`, as in `10.2.0.1 10.2.0.2`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::{Slot, System};
use crate::verbs::testing::carrying::Way;
use crate::verbs::testing::{self, End, SIZES, dial, done, next, pair, sleep_on};
use crate::verbs::{
    Access, Event, Notify, Piece, Provider, Region, Registered, Remote, Signal, Status,
};

/// Two addresses, each of a device.
fn bed() -> (IpAddr, IpAddr) {
    let addresses = std::env::var("FERROMQ_RDMA_BED");
    let addresses = addresses.expect("FERROMQ_RDMA_BED is set: cargo xtask test --rdma sets it");
    let mut addresses = addresses.split(' ').map(|address| address.parse().unwrap());
    (addresses.next().unwrap(), addresses.next().unwrap())
}

fn connected() -> (End, End) {
    let (from, at) = bed();
    pair(&System, Some(from), at)
}

/// Something that is undone at the end of a test, passed or failed.
struct Disturbance {
    undo: &'static [&'static str],
}

impl Disturbance {
    fn new(make: &[&str], undo: &'static [&'static str]) -> Self {
        assert!(
            Command::new(make[0])
                .args(&make[1..])
                .status()
                .unwrap()
                .success()
        );
        Self { undo }
    }
}

impl Drop for Disturbance {
    fn drop(&mut self) {
        let _ = Command::new(self.undo[0]).args(&self.undo[1..]).status();
    }
}

#[test]
fn messages_arrive_and_those_unsignalled_are_told_of_with_the_next() {
    let (mut a, mut b) = connected();
    a.memory.bytes_mut()[..100].fill(7);
    for work in [10, 11] {
        b.receive(work, 1024);
    }
    a.send(1, 100, Signal::OnFailure).unwrap();
    a.send(2, 100, Signal::Always).unwrap();
    assert_eq!(b.completion(), done(10, Ok(100)));
    assert_eq!(b.completion(), done(11, Ok(100)));
    assert_eq!(b.memory.bytes()[2048..2148], [7; 100]);
    let sent = a.completion();
    assert_eq!((sent.work, sent.outcome.is_ok()), (2, true));
}

#[test]
fn both_know_where_they_are() {
    let (from, at) = bed();
    let (a, b) = pair(&System, Some(from), at);
    let (local, peer) = a.queue.addresses();
    assert_eq!((local.ip(), peer.ip()), (from, at));
    assert_eq!(b.queue.addresses(), (peer, local));
    assert!(
        a.queue.limits().message >= 1 << 20,
        "{:?}",
        a.queue.limits()
    );
    assert!(a.queue.limits().reads <= 4, "{:?}", a.queue.limits());
}

#[test]
fn addresses_are_those_that_devices_serve() {
    let (from, at) = bed();
    let served = System.addresses().unwrap();
    for address in [from, at] {
        let found = served.iter().find(|served| served.address == address);
        assert!(!found.unwrap().interface.is_empty());
    }
    assert!(served.iter().all(|served| !served.address.is_loopback()));
}

#[test]
fn more_sends_than_there_is_room_for_are_refused() {
    let (mut a, mut b) = connected();
    b.receive(5, 16);
    // A device may make room for more than was asked for. Nothing is told of, or taken.
    let refused = (0..4096).find_map(|work| a.send(work, 1, Signal::OnFailure).err());
    assert_eq!(refused.unwrap().raw_os_error(), Some(libc::ENOMEM));
    let (a, b) = connected();
    drop((a, b));
}

#[test]
fn a_peer_without_a_receive_fails_the_sender() {
    let (mut a, _b) = connected();
    a.send(1, 8, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(1, Err(Status::ReceiverNotReady)));
    a.send(2, 8, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(2, Err(Status::Flushed)));
}

#[test]
fn a_message_beyond_its_room_fails_both() {
    let (mut a, mut b) = connected();
    b.receive(5, 16);
    b.receive(6, 16);
    a.send(1, 17, Signal::OnFailure).unwrap();
    let failed = a.completion();
    // Soft-RoCE has other words for it.
    let words = [Status::RemoteInvalidRequest, Status::RemoteOperation];
    assert!(
        words.iter().any(|word| failed == done(1, Err(*word))),
        "{failed:?}"
    );
    let failed = b.completion();
    let words = [Status::LocalLength, Status::Other(2)];
    assert!(
        words.iter().any(|word| failed == done(5, Err(*word))),
        "{failed:?}"
    );
    assert_eq!(b.completion(), done(6, Err(Status::Flushed)));
}

/// What a read of `len` bytes gives, with `access`, of a page whose key is changed.
fn fetched(access: Access, len: usize, change: u32) -> Result<(), Status> {
    let (mut a, mut b) = connected();
    b.memory.bytes_mut().fill(9);
    let part = b.memory.part(1000..2000);
    let Registered { remote, .. } = b.queue.register(part, access).unwrap();
    let from = Remote {
        key: remote.key.wrapping_add(change),
        ..remote
    };
    a.fetch(1, from, len);
    let completion = a.completion();
    assert_eq!(completion.work, 1);
    if completion.outcome.is_ok() {
        assert_eq!(a.memory.bytes()[..len], vec![9; len]);
    }
    completion.outcome.map(drop)
}

#[test]
fn a_read_gets_what_it_may_and_nothing_else() {
    assert_eq!(fetched(Access::RemoteRead, 1000, 0), Ok(()));
    let refused = Err(Status::RemoteAccess);
    assert_eq!(fetched(Access::RemoteRead, 1001, 0), refused);
    // The key has its index in the upper bits; the lower ones are what is renewed.
    assert_eq!(fetched(Access::RemoteRead, 8, 1), refused);
    assert_eq!(fetched(Access::RemoteRead, 8, 1 << 20), refused);
    assert_eq!(fetched(Access::Local, 8, 0), refused);
    assert_eq!(fetched(Access::RemoteWrite, 8, 0), refused);
}

#[test]
fn memory_that_was_taken_back_is_not_read() {
    let (mut a, mut b) = connected();
    let part = b.memory.part(0..64);
    let first = b.queue.register(part.clone(), Access::RemoteRead).unwrap();
    b.queue.deregister(first.region).unwrap();
    let second = b.queue.register(part, Access::RemoteRead).unwrap();
    assert_ne!(first.region, second.region);
    a.fetch(1, first.remote, 8);
    assert_eq!(a.completion(), done(1, Err(Status::RemoteAccess)));
    let unknown = b.queue.deregister(Region(77)).unwrap_err();
    assert_eq!(unknown.raw_os_error(), Some(libc::EINVAL));
}

#[test]
fn a_key_of_one_connection_opens_nothing_over_another() {
    let (mut a, _b) = connected();
    let (_c, mut d) = connected();
    let part = d.memory.part(0..64);
    let of_another = d.queue.register(part, Access::RemoteRead).unwrap();
    a.fetch(1, of_another.remote, 8);
    assert_eq!(a.completion(), done(1, Err(Status::RemoteAccess)));
}

#[test]
fn a_write_arrives_where_it_may_and_nowhere_else() {
    testing::writes_arrive_where_they_may(connected);
}

#[test]
fn memory_that_was_taken_back_is_not_written() {
    testing::memory_that_was_taken_back_is_not_written(connected());
}

#[test]
fn what_lies_apart_is_gathered() {
    testing::pieces_are_gathered_in_their_order(connected());
}

#[test]
fn what_follows_a_write_comes_after_it() {
    testing::writes_are_told_of(connected);
}

#[test]
fn what_it_takes_to_carry_a_payload_is_as_documented() {
    testing::carrying::ways_cost_what_is_said_of_them(connected);
}

/// Packets that the devices of the bed have sent, as soft-RoCE counts them.
fn packets() -> Option<[u64; 2]> {
    let count = |device: &str| {
        let counters = format!("/sys/class/infiniband/{device}/ports/1/hw_counters");
        // Else it tells what it counted a moment ago.
        std::fs::write(format!("{counters}/lifespan"), "0").ok()?;
        let count = std::fs::read_to_string(format!("{counters}/sent_pkts")).ok()?;
        count.trim().parse().ok()
    };
    Some([count("rv0")?, count("rv1")?])
}

#[test]
fn a_payload_crosses_the_wire_once_in_each_way() {
    for way in [Way::Read, Way::Write, Way::WriteWithNumber, Way::WriteAhead] {
        // Soft-RoCE sends some again when the machine under it stands still, so the fewest of
        // some tries count. What crosses twice does so in each.
        let counted = |_| {
            let before = packets()?;
            testing::carrying::carry(connected(), way, 1 << 20);
            let [there, back] = packets()?;
            Some([there - before[0], back - before[1]])
        };
        // Cards count in other places.
        let Some([there, back]) = (0..4)
            .filter_map(counted)
            .min_by_key(|[there, back]| there + back)
        else {
            return;
        };
        // The bed's packets have 4096 bytes of it.
        let told = format!("{way:?}: {there} packets, and {back} back");
        assert!((256..=264).contains(&there) && back <= 16, "{told}");
    }
}

#[test]
fn long_messages_and_reads_are_whole() {
    let (mut a, mut b) = connected();
    const LEN: usize = 4 << 20;
    let mut source = Slot::cut(LEN, 1).unwrap().remove(0);
    for (at, word) in source.bytes_mut().chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(
            &(at as u64)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .to_le_bytes(),
        );
    }
    let target = Slot::cut(LEN, 1).unwrap().remove(0);
    let there = b
        .queue
        .register(source.part(0..LEN), Access::RemoteRead)
        .unwrap();
    let here = a
        .queue
        .register(target.part(0..LEN), Access::Local)
        .unwrap();
    let into = Piece {
        region: here.region,
        offset: 0,
        len: LEN,
    };
    let from = there.remote;
    a.queue
        .post_read(crate::verbs::Fetch {
            work: 1,
            into,
            from,
        })
        .unwrap();
    assert!(a.completion().outcome.is_ok());
    assert!(source.bytes() == target.bytes());
}

#[test]
fn loss_is_repaired() {
    let (mut a, mut b) = connected();
    let _loss = Disturbance::new(
        &[
            "tc", "qdisc", "add", "dev", "v0", "root", "netem", "loss", "2%",
        ],
        &["tc", "qdisc", "del", "dev", "v0", "root"],
    );
    for work in 0..200_u64 {
        let sign = u8::try_from(work).unwrap();
        a.memory.bytes_mut()[..2048].fill(sign);
        b.receive(work, 2048);
        a.send(work, 2048, Signal::Always).unwrap();
        assert_eq!(b.completion(), done(work, Ok(2048)));
        assert_eq!(b.memory.bytes()[2048..], [sign; 2048]);
        assert!(a.completion().outcome.is_ok());
    }
}

#[test]
fn a_link_that_is_down_fails_what_was_sent() {
    let (mut a, mut b) = connected();
    b.receive(5, 16);
    let _down = Disturbance::new(
        &[
            "tc", "qdisc", "add", "dev", "v0", "root", "netem", "loss", "100%",
        ],
        &["tc", "qdisc", "del", "dev", "v0", "root"],
    );
    a.send(1, 8, Signal::OnFailure).unwrap();
    assert_eq!(a.completion(), done(1, Err(Status::RetryExceeded)));
}

#[test]
fn who_arms_for_solicited_ones_sleeps_through_its_own() {
    let (mut a, mut b) = connected();
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
    let (mut a, b) = connected();
    a.receive(3, 16);
    drop(b);
    assert_eq!(a.event(), Event::Disconnected);
    assert_eq!(a.completion(), done(3, Err(Status::Flushed)));
}

#[test]
fn a_process_that_is_killed_is_told_of() {
    const LISTENER: &str = "FERROMQ_RDMA_LISTENER";
    let (from, at) = bed();
    if let Ok(listener) = std::env::var(LISTENER) {
        // This is the process that is killed.
        let queue = dial(&System, listener.parse().unwrap(), Some(from));
        let mut doomed = End::new(queue, Access::Local);
        doomed.queue.establish(b"").unwrap();
        assert!(matches!(doomed.event(), Event::Established { .. }));
        doomed.send(1, 8, Signal::OnFailure).unwrap();
        doomed.event();
        return;
    }
    let mut listening = System.listen(SocketAddr::new(at, 0), 4).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sys::tests::a_process_that_is_killed_is_told_of"])
        .env(LISTENER, listening.local().to_string())
        .spawn()
        .unwrap();
    let queue = next(&mut *listening).queue(SIZES).unwrap();
    let mut left = End::new(queue, Access::Local);
    left.receive(5, 16);
    left.receive(6, 16);
    left.queue.establish(b"").unwrap();
    assert_eq!(left.completion(), done(5, Ok(8)));
    child.kill().unwrap();
    child.wait().unwrap();
    let Event::Established { .. } = left.event() else {
        panic!("the connection failed");
    };
    assert_eq!(left.event(), Event::Disconnected);
    assert_eq!(left.completion(), done(6, Err(Status::Flushed)));
}

#[test]
fn who_is_refused_reads_why() {
    let (from, at) = bed();
    let mut listening = System.listen(SocketAddr::new(at, 0), 4).unwrap();
    let mut refused = dial(&System, listening.local(), Some(from));
    refused.establish(b"hello").unwrap();
    next(&mut *listening).refuse(b"no");
    let mut refused = End::new(refused, Access::Local);
    let Event::Rejected { private_data, .. } = refused.event() else {
        panic!("not refused");
    };
    assert_eq!(&private_data[..3], b"no\0");
    // Dropped without a word.
    let mut refused = dial(&System, listening.local(), Some(from));
    refused.establish(b"hello").unwrap();
    drop(next(&mut *listening));
    let mut refused = End::new(refused, Access::Local);
    assert!(matches!(refused.event(), Event::Rejected { .. }));
}

#[test]
fn who_finds_nobody_is_told_so() {
    let (from, at) = bed();
    let mut alone = dial(&System, SocketAddr::new(at, 9), Some(from));
    alone.establish(b"").unwrap();
    let mut alone = End::new(alone, Access::Local);
    assert!(matches!(alone.event(), Event::Rejected { status: 8, .. }));
    let mut listening = System.listen(SocketAddr::new(at, 0), 4).unwrap();
    let nobody = listening.next().err().unwrap();
    assert_eq!(nobody.kind(), io::ErrorKind::WouldBlock);
    let taken = System.listen(listening.local(), 4).err().unwrap();
    assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn a_backlog_of_those_who_left_is_passed_over() {
    let (from, at) = bed();
    let mut listening = System.listen(SocketAddr::new(at, 0), 4).unwrap();
    for _ in 0..3 {
        let mut gone = dial(&System, listening.local(), Some(from));
        gone.establish(b"gone").unwrap();
    }
    let mut here = dial(&System, listening.local(), Some(from));
    here.establish(b"here").unwrap();
    let request = loop {
        let request = next(&mut *listening);
        if request.private_data().starts_with(b"here") {
            break request;
        }
        // Who left may still be in the line; accepting comes to nothing.
        if let Ok(mut queue) = request.queue(SIZES) {
            let _ = queue.establish(b"");
        }
    };
    let mut accepted = request.queue(SIZES).unwrap();
    accepted.establish(b"").unwrap();
    let mut here = End::new(here, Access::Local);
    assert!(matches!(here.event(), Event::Established { .. }));
}

#[test]
fn beyond_the_limit_of_locked_memory_registering_fails_and_nothing_else() {
    let (mut a, mut b) = connected();
    let before = getrlimit(Resource::Memlock);
    let limit = Rlimit {
        current: Some(2 << 20),
        ..before
    };
    setrlimit(Resource::Memlock, limit).unwrap();
    // The limit is for those who lack a capability, which is a thread's.
    let unprivileged = std::thread::spawn(move || {
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        set_capabilities(None, none).unwrap();
        let long = Slot::cut(4 << 20, 1).unwrap().remove(0);
        let refused = a.queue.register(long.part(0..4 << 20), Access::Local);
        let short = a.queue.register(long.part(0..1 << 20), Access::Local);
        (a, refused, short)
    });
    let (mut a, refused, short) = unprivileged.join().unwrap();
    setrlimit(Resource::Memlock, before).unwrap();
    assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::ENOMEM));
    assert!(short.is_ok(), "{short:?}");
    b.receive(5, 16);
    a.send(1, 8, Signal::Always).unwrap();
    assert_eq!(b.completion(), done(5, Ok(8)));
}
