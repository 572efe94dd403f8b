//! What devices and networks do to links.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ferromq_transport::{
    Bytes, Link, LinkOptions, Listener, Loan, Place, Transport, TransportError, Wait,
};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::io::Errno;

use super::{Pair, connect, until};
use crate::{Fabric, Keys, LinkError, LinkState, Rdma, RdmaBuilder, Status};

pub(super) struct Scene {
    pub(super) fabric: Fabric,
    pub(super) rdma: Rdma,
    _listener: Box<dyn Listener>,
    pub(super) pair: Pair,
}

pub(super) fn scene(build: impl FnOnce(RdmaBuilder) -> RdmaBuilder) -> Scene {
    let fabric = Fabric::new().unwrap();
    let rdma = build(Rdma::over(&fabric)).build();
    let at = "rdma://127.0.0.1:*".parse().unwrap();
    let mut listener = rdma.bind(&at, &LinkOptions::default()).unwrap();
    let pair = connect(&rdma, &mut *listener);
    Scene {
        fabric,
        rdma,
        _listener: listener,
        pair,
    }
}

/// Why a link fails.
fn failure(link: &mut dyn Link) -> LinkError {
    let error = until("a failure", || match link.read(&mut [0; 100]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Some(error),
        Ok(0) => panic!("it ended in order"),
        _ => None,
    });
    *error.get_ref().and_then(|it| it.downcast_ref()).unwrap()
}

/// A payload in memory that can be lent.
pub(super) fn payload(rdma: &Rdma, len: usize, byte: u8) -> Loan {
    let mut loan = rdma.lender().unwrap().loan(len).unwrap();
    loan.as_mut().fill(byte);
    loan
}

fn import(link: &mut dyn Link, place: Place, len: usize) -> io::Result<Arc<dyn Bytes>> {
    until("a payload", || {
        let memory = link.memory().expect("it stands");
        match memory.import(place, len as u64) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            result => Some(result),
        }
    })
}

#[test]
fn a_peer_that_does_not_answer_is_given_up() {
    let mut scene = scene(|it| it);
    scene.fabric.set_link(LinkState::Down);
    scene.pair.0.write(b"anybody?").unwrap();
    let LinkError::Work { status, .. } = failure(&mut *scene.pair.0) else {
        panic!("not the device's word");
    };
    assert_eq!(status, Status::RetryExceeded);
    let again = scene.pair.0.write(b"?").unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_peer_that_is_killed_is_missed_at_once() {
    let mut scene = scene(|it| it);
    scene.fabric.kill_accepted();
    assert_eq!(failure(&mut *scene.pair.0), LinkError::Lost);
}

#[test]
fn a_device_that_is_removed_ends_its_links() {
    let mut scene = scene(|it| it);
    scene.fabric.remove_devices();
    for link in [&mut scene.pair.0, &mut scene.pair.1] {
        let error = failure(&mut **link);
        assert!(matches!(error, LinkError::DeviceRemoved | LinkError::Lost));
    }
    assert_says_what_to_do(&bind(&scene.rdma).unwrap_err());
}

fn assert_says_what_to_do(error: &TransportError) {
    let text = error.to_string();
    let told = ["ferromq rdma", "docs/RDMA.md"];
    assert!(told.iter().any(|told| text.contains(told)), "{text}");
}

fn bind(rdma: &Rdma) -> Result<(), TransportError> {
    let at = "rdma://127.0.0.1:*".parse().unwrap();
    rdma.bind(&at, &LinkOptions::default()).map(drop)
}

#[test]
fn without_a_device_errors_say_what_to_do() {
    let nowhere = Rdma::over(&Fabric::with_devices(&[]).unwrap()).build();
    assert_says_what_to_do(&bind(&nowhere).unwrap_err());
}

#[test]
fn the_source_of_an_endpoint_or_the_option_chooses_the_device() {
    let addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|it| it.parse().unwrap());
    let fabric = Fabric::with_devices(&addresses).unwrap();
    let rdma = Rdma::over(&fabric).source(addresses[1]).build();
    let at = "rdma://10.0.0.1:*".parse().unwrap();
    let mut listener = rdma.bind(&at, &LinkOptions::default()).unwrap();
    let local = |pair: &Pair| pair.0.local_endpoint().unwrap().to_string();
    let pair = connect(&rdma, &mut *listener);
    assert!(local(&pair).starts_with("rdma://10.0.0.2:"));
    let port = listener.local_endpoint().to_string();
    let port = port.rsplit(':').next().unwrap();
    let endpoint = format!("rdma://10.0.0.3:0;10.0.0.1:{port}")
        .parse()
        .unwrap();
    let pair = super::connect_to(&rdma, &endpoint, &mut *listener);
    assert!(local(&pair).starts_with("rdma://10.0.0.3:"));
}

#[test]
fn a_payload_is_fetched_and_its_key_ends_when_it_is_returned() {
    let mut scene = scene(|it| it);
    for len in [1, 4096, 1 << 20, 9_000_001] {
        let loan = payload(&scene.rdma, len, 7);
        let (a, b) = &mut scene.pair;
        let place = a.memory().unwrap().export(loan.as_ref()).unwrap();
        assert_eq!(a.unsent(), len);
        let fetched = import(&mut **b, place, len).unwrap();
        assert!((*fetched).as_ref().iter().all(|byte| *byte == 7));
        assert_eq!((*fetched).as_ref().len(), len);
        a.memory().unwrap().returned(loan.as_ref());
        assert_eq!(a.unsent(), 0);
    }
    // Nothing but the links' own slots, and what the fetching side keeps for itself.
    let loan = payload(&scene.rdma, 4096, 7);
    let (a, b) = &mut scene.pair;
    let place = a.memory().unwrap().export(loan.as_ref()).unwrap();
    a.memory().unwrap().returned(loan.as_ref());
    let refused = import(&mut **b, place, 4096).err().unwrap();
    assert!(refused.to_string().contains("refuses access"), "{refused}");
}

/// Whether a block of 1 MiB at this address is among those that are lent next.
fn is_lent_again(rdma: &Rdma, address: *const u8) -> bool {
    let next: Vec<_> = (0..6).map(|_| payload(rdma, 1 << 20, 6)).collect();
    next.iter().any(|loan| loan.as_ref().as_ptr() == address)
}

#[test]
fn a_block_whose_key_does_not_end_is_never_lent_again() {
    let mut scene = scene(|it| it);
    let mut lend = |fails| {
        let loan = payload(&scene.rdma, 1 << 20, 5);
        let address = loan.as_ref().as_ptr();
        let memory = scene.pair.0.memory().unwrap();
        let place = memory.export(loan.as_ref()).unwrap();
        scene.fabric.fail_deregistrations(fails);
        memory.returned(loan.as_ref());
        scene.fabric.fail_deregistrations(None);
        (place, address)
    };
    let (_, address) = lend(None);
    assert!(is_lent_again(&scene.rdma, address));
    let (place, address) = lend(Some(Errno::BUSY.raw_os_error()));
    assert!(!is_lent_again(&scene.rdma, address));
    assert_eq!(scene.pair.0.unsent(), 0);
    // The peer can see what it saw before, and nothing else.
    let fetched = import(&mut *scene.pair.1, place, 1 << 20).unwrap();
    assert!((*fetched).as_ref().iter().all(|byte| *byte == 5));
    // Nor when the link is gone, which one that has failed is at once.
    scene.fabric.kill_accepted();
    assert_eq!(failure(&mut *scene.pair.0), LinkError::Lost);
    drop(scene.pair);
    assert!(!is_lent_again(&scene.rdma, address));
}

#[test]
fn opened_memory_that_cannot_be_closed_is_given_up() {
    let mut scene = scene(|it| it);
    let loan = payload(&scene.rdma, 1 << 20, 5);
    let address = loan.as_ref().as_ptr();
    let memory = scene.pair.0.memory().unwrap();
    let place = memory.open(loan).unwrap();
    let busy = Errno::BUSY.raw_os_error();
    scene.fabric.fail_deregistrations(Some(busy));
    assert!(memory.close(place).is_none());
    scene.fabric.fail_deregistrations(None);
    assert!(memory.close(place).is_none());
    assert!(!is_lent_again(&scene.rdma, address));
}

/// Registrations that ten payloads cost, one after the other.
fn registrations(keys: Keys) -> u64 {
    let mut scene = scene(|it| it.keys(keys));
    let before = scene.rdma.counters().registrations;
    for round in 0..10 {
        let loan = payload(&scene.rdma, 1 << 20, round);
        let (a, b) = &mut scene.pair;
        let place = a.memory().unwrap().export(loan.as_ref()).unwrap();
        let fetched = import(&mut **b, place, 1 << 20).unwrap();
        assert!((*fetched).as_ref().iter().all(|byte| *byte == round));
        a.memory().unwrap().returned(loan.as_ref());
    }
    scene.rdma.counters().registrations - before
}

#[test]
fn a_key_costs_a_registration_a_payload_or_one_a_block() {
    // Two blocks take turns, to be read by the peer and to be fetched into.
    assert!(registrations(Keys::Kept) <= 4);
    let of_one = registrations(Keys::OfOnePayload);
    assert!((10..=12).contains(&of_one), "{of_one}");
}

#[test]
fn a_fetch_goes_on_in_smaller_pieces_where_little_can_be_registered() {
    let mut scene = scene(|it| it);
    let len = 3_000_000;
    let loan = payload(&scene.rdma, len, 9);
    let (a, b) = &mut scene.pair;
    let place = a.memory().unwrap().export(loan.as_ref()).unwrap();
    let room = scene.fabric.registered() + (100 << 10);
    scene.fabric.limit_registrations(Some(room));
    let fetched = import(&mut **b, place, len).unwrap();
    assert!((*fetched).as_ref().iter().all(|byte| *byte == 9));
    drop(fetched);
    // Where nothing can, the link ends, and says why.
    scene.fabric.limit_registrations(Some(0));
    let other = payload(&scene.rdma, 30_000_000, 9);
    assert!(a.memory().unwrap().export(other.as_ref()).is_none());
    let refused = import(&mut **b, place, 2_000_000).err().unwrap();
    assert!(
        refused.to_string().contains("no memory to fetch"),
        "{refused}"
    );
}

#[test]
fn what_was_written_and_lent_before_a_close_is_there_after_it() {
    let mut scene = scene(|it| it);
    let loan = payload(&scene.rdma, 1 << 20, 5);
    let place = {
        let mut a = scene.pair.0;
        let place = a.memory().unwrap().export(loan.as_ref()).unwrap();
        a.write(b"last words").unwrap();
        place
    };
    let b = &mut scene.pair.1;
    let mut buf = [0; 100];
    let read = until("input", || b.read(&mut buf).ok());
    assert_eq!(&buf[..read], b"last words");
    let fetched = import(&mut **b, place, 1 << 20).unwrap();
    assert!((*fetched).as_ref().iter().all(|byte| *byte == 5));
    assert_eq!(until("the end", || b.read(&mut buf).ok()), 0);
}

#[test]
fn a_block_that_a_peer_may_read_is_not_filled_again() {
    let mut scene = scene(|it| it);
    let loan = payload(&scene.rdma, 1 << 20, 5);
    let address = loan.as_ref().as_ptr();
    let a = &mut scene.pair.0;
    a.memory().unwrap().export(loan.as_ref()).unwrap();
    drop(loan);
    let other = payload(&scene.rdma, 1 << 20, 6);
    assert_ne!(other.as_ref().as_ptr(), address);
}

/// Sleeps until something happens to the link.
fn sleep(link: &mut dyn Link) {
    if link.prepare_wait() == Wait::Ready {
        return;
    }
    let mut poll = Poll::new().unwrap();
    let fd = link.fd();
    let registry = poll.registry();
    registry
        .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)
        .unwrap();
    let mut events = Events::with_capacity(1);
    poll.poll(&mut events, Some(Duration::from_secs(20)))
        .unwrap();
    assert!(!events.is_empty(), "nothing wakes it");
}

#[test]
fn a_payload_comes_after_the_last_word_of_who_lent_it() {
    let scene = scene(|it| it);
    let loan = payload(&scene.rdma, 1 << 20, 5);
    let (mut a, mut b) = scene.pair;
    let place = a.memory().unwrap().export(loan.as_ref()).unwrap();
    drop(a);
    assert_eq!(until("the end", || b.read(&mut [0; 100]).ok()), 0);
    scene.fabric.pause();
    let fabric = scene.fabric.clone();
    let resumed = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        fabric.resume();
    });
    let fetched = loop {
        match b.memory().unwrap().import(place, 1 << 20) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(&mut *b),
            fetched => break fetched.unwrap(),
        }
    };
    assert!((*fetched).as_ref().iter().all(|byte| *byte == 5));
    resumed.join().unwrap();
}

#[test]
fn a_close_that_follows_the_peers_ends_when_its_word_has_arrived() {
    let scene = scene(|it| it);
    let (mut a, mut b) = scene.pair;
    a.write(b"and you?").unwrap();
    until("input", || b.read(&mut [0; 100]).ok());
    drop(b);
    assert_eq!(until("the end", || a.read(&mut [0; 100]).ok()), 0);
    let closer = &scene.rdma.0.closer;
    let settled = || {
        until("all has arrived", || {
            (closer.unsettled() == 0).then_some(())
        })
    };
    settled();
    scene.fabric.pause();
    let closed = Instant::now();
    drop(a);
    assert_eq!(closer.unsettled(), 1);
    // So that the thread that waits for it sleeps.
    std::thread::sleep(Duration::from_millis(50));
    scene.fabric.resume();
    settled();
    assert!(
        closed.elapsed() < crate::closing::PATIENCE,
        "nobody woke its thread"
    );
}
