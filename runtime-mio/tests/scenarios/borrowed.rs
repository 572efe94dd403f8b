//! Long messages that are sent from borrowed memory: written from where they
//! are while the peer keeps pace, and whole in every other case too.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ferromq_mio::{AnySocket, DropCause, LinkOptions, Message, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

/// Longer than what the kernel holds for a connection.
const LONG: usize = 24 << 20;

/// Bytes that tell which message they belong to, and where.
fn body(message: u8, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| message ^ (at >> 7) as u8 ^ at as u8)
        .collect()
}

fn push(endpoint: &str) -> (AnySocket, AnySocket) {
    push_with(endpoint, Options::new())
}

fn push_with(endpoint: &str, options: Options) -> (AnySocket, AnySocket) {
    let pull = (SocketType::Pull, Options::new());
    let (pull, push) = linked(&context(), endpoint, pull, (SocketType::Push, options));
    (push, pull)
}

/// How many of 40 in a row have left entirely when their call returns, written from where
/// they are; the most of several tries at that, up to the first that is enough. All 40, where
/// nobody else uses the machine: a peer that gets no core is copied for.
fn most_in_place(push: &AnySocket, send: impl Fn()) -> usize {
    let has_left = |_: &i32| {
        send();
        push.statistics().peers[0].queued_bytes == 0
    };
    let (started, mut most) = (Instant::now(), 0);
    while most < ENOUGH && started.elapsed() < PATIENCE {
        most = most.max((0..40).filter(has_left).count());
    }
    push.send_bytes(END).unwrap();
    most
}

/// Of 40: over ipc none to six leave so when each is copied.
const ENOUGH: usize = 20;
/// What no other message begins with.
const END: &[u8] = b"the end";

/// Looks at each message up to the end.
fn receiving(pull: AnySocket, look: impl Fn(&Message) + Send + 'static) -> JoinHandle<()> {
    std::thread::spawn(move || {
        loop {
            let message = recv(&pull);
            if *message.frame(0).unwrap() == *END {
                return;
            }
            look(&message);
        }
    })
}

over_tcp_and_ipc! {
    fn two_peers_that_send_before_they_receive_do_not_wait_for_each_other(endpoint) {
        let dealer = || (SocketType::Dealer, Options::new());
        let (one, other) = linked(&context(), endpoint, dealer(), dealer());
        let ours = body(1, LONG);
        one.send_bytes(&ours).unwrap();
        other.send_bytes(&body(2, LONG)).unwrap();
        assert!(recv(&other).frame(0).unwrap() == &ours[..]);
        assert!(recv(&one).frame(0).unwrap() == &body(2, LONG)[..]);
    }

    fn senders_that_share_a_socket_do_not_mix(endpoint) {
        let (push, pull) = push(endpoint);
        let senders: Vec<_> = (0..3_u8)
            .map(|sender| {
                let push = push.clone();
                std::thread::spawn(move || {
                    for round in 0..4 {
                        push.send_bytes(&body(sender, (2 << 20) + round)).unwrap();
                        push.send_bytes(&[sender; 5]).unwrap();
                        push.send_parts(&[&[sender], &body(sender, 300_000)]).unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..36 {
            let message = recv(&pull);
            let last = message.iter().last().unwrap();
            let sender = last[0];
            match last.len() {
                5 => assert_eq!(&last[..], [sender; 5]),
                len => assert!(last[..] == body(sender, len)[..]),
            }
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }

    fn a_backlog_is_over_when_it_was_read_and_makes_no_copies_of_what_follows(endpoint) {
        let mut short = LinkOptions::default();
        short.send_buffer = Some(64 << 10);
        let (push, pull) = push_with(endpoint, Options::new().link(short));
        // Nobody receives yet: most of it is copied, and waits.
        push.send_bytes(&body(6, LONG)).unwrap();
        let receiver = receiving(pull, |_| {});
        let long = body(7, 4 << 20);
        let in_place = most_in_place(&push, || push.send_bytes(&long).unwrap());
        assert!(in_place >= ENOUGH, "{in_place} of 40");
        receiver.join().unwrap();
    }

    fn behind_other_parts_it_is_written_from_where_it_is_too(endpoint) {
        let (push, pull) = push(endpoint);
        let long = body(8, 8 << 20);
        let expected = long.clone();
        let receiver = receiving(pull, move |message| {
            assert_eq!(message.len(), 3);
            assert_eq!(&message.frame(1).unwrap()[..], b"header");
            assert!(message.frame(2).unwrap() == &expected[..]);
        });
        let parts: [&[u8]; 3] = [b"", b"header", &long];
        let in_place = most_in_place(&push, || push.send_parts(&parts).unwrap());
        assert!(in_place >= ENOUGH, "{in_place} of 40");
        receiver.join().unwrap();
    }

    fn it_arrives_whole_after_its_time(endpoint) {
        let (push, pull) = push(endpoint);
        let long = body(4, LONG);
        for _ in 0..3 {
            push.send_parts_deadline(&[b"header", &long], Instant::now()).unwrap();
            let message = recv(&pull);
            assert_eq!(&message.frame(0).unwrap()[..], b"header");
            assert!(message.frame(1).unwrap() == &long[..]);
        }
    }

    fn a_close_meanwhile_sends_it_whole(endpoint) {
        let (push, pull) = push(endpoint);
        let sent = Arc::new(body(3, 4 * LONG));
        let sender = {
            let (push, sent) = (push.clone(), sent.clone());
            std::thread::spawn(move || push.send_bytes(&sent))
        };
        until("the message has begun to leave", || {
            (push.statistics().traffic.messages_sent > 0).then_some(())
        });
        push.close();
        sender.join().unwrap().unwrap();
        assert!(recv(&pull).frame(0).unwrap() == &sent[..]);
    }
}

#[test]
fn a_peer_that_does_not_read_gets_it_later() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (push, real) = bound(
        &context,
        SocketType::Push,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let mut peer = RawPeer::connect(&real, "PULL", &[]);
    await_peers(&push, 1);
    let long = body(4, LONG);
    push.send_bytes(&long).unwrap();
    push.send_bytes(b"next").unwrap();
    assert!(peer.next_message().unwrap() == [long]);
    assert_eq!(peer.next_message().unwrap(), [b"next"]);
}

#[test]
fn one_that_is_cut_is_counted_and_the_next_arrives() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (push, real) = bound(
        &context,
        SocketType::Push,
        Options::new(),
        "tcp://127.0.0.1:*",
    );
    let peer = RawPeer::connect(&real, "PULL", &[]);
    await_peers(&push, 1);
    let sender = {
        let push = push.clone();
        std::thread::spawn(move || push.send_bytes(&body(5, 4 * LONG)))
    };
    until("the message has begun to leave", || {
        (push.statistics().traffic.messages_sent > 0).then_some(())
    });
    drop(peer);
    sender.join().unwrap().unwrap();
    until("it is counted", || {
        (push.statistics().drops.of(DropCause::LinkLost) == 1).then_some(())
    });
    let mut peer = RawPeer::connect(&real, "PULL", &[]);
    push.send_bytes(b"next").unwrap();
    assert_eq!(peer.next_message().unwrap(), [b"next"]);
    assert!(peer.is_quiet_for(Duration::from_millis(50)));
}
