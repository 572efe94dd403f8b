//! Over `shm://`, who looks again and again, for messages or for what it lent, is told
//! nothing of what comes. Whatever it does next, it is told then.
//!
//! On one core nobody looks again: there these show less.

use std::hint;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ferromq::{AnySocket, Context, Error, Interest, Options, Pair, Poller, Pull, Push, Socket};
use ferromq_tests::{PATIENCE, Watchdog};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

const ROUNDS: u32 = 500;
/// Round trips by which both sides learn that looking again pays.
const DIALOGUE: u32 = 20;
/// The length of a payload that is lent.
const LENT: usize = 64 << 10;

/// Held by each test: where more want a core than there are, nobody looks again.
static TURN: Mutex<()> = Mutex::new(());

/// Some moment within 20 us.
fn pause(round: u32) {
    let until = Instant::now() + Duration::from_nanos(u64::from(round % 50) * 400);
    while Instant::now() < until {
        hint::spin_loop();
    }
}

/// In each round one more message comes at some moment while `receive` goes about it, on
/// a socket that has just received another one. On so many `pairs` of sockets in turn.
fn each_message_is_heard_by(pairs: u32, mut receive: impl FnMut(&Socket<Pair>)) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::start();
    let (here, there) = (Context::new().unwrap(), Context::new().unwrap());
    for _ in 0..pairs {
        let ours: Socket<Pair> = here.socket().unwrap();
        let theirs: Socket<Pair> = there.socket().unwrap();
        let endpoint = ours.bind("shm://*").unwrap().to_string();
        theirs.connect(&endpoint).unwrap();
        let begun = AtomicU32::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..ROUNDS / pairs {
                    for _ in 0..DIALOGUE {
                        theirs.send(theirs.recv_timeout(PATIENCE).unwrap()).unwrap();
                    }
                    // Once it is received, what comes is one more.
                    let deadline = Instant::now() + PATIENCE;
                    while begun.load(Ordering::Acquire) <= round && Instant::now() < deadline {
                        hint::spin_loop();
                    }
                    pause(round);
                    theirs.send("one more").unwrap();
                    theirs.flush().unwrap();
                }
            });
            for _ in 0..ROUNDS / pairs {
                for _ in 0..DIALOGUE {
                    ours.send("?").unwrap();
                    assert_eq!(ours.recv_timeout(PATIENCE).unwrap(), "?".into());
                }
                begun.fetch_add(1, Ordering::Release);
                receive(&ours);
            }
        });
    }
}

/// A poller that waits for one socket.
fn poller_of(socket: impl AsRef<AnySocket>, interest: Interest) -> Poller {
    let mut poller = Poller::new();
    poller.add(socket, 0, interest);
    poller
}

fn wait(poller: &Poller) {
    let mut events = Vec::new();
    poller.wait(&mut events, Some(PATIENCE)).unwrap();
    assert_eq!(events.len(), 1, "the poller was told nothing");
}

#[test]
fn a_poller_hears_what_comes_after_a_message_that_was_found() {
    each_message_is_heard_by(1, |socket| {
        wait(&poller_of(socket, Interest::Readable));
        assert_eq!(socket.try_recv().unwrap(), "one more".into());
    });
}

/// A loop that asks for the descriptor only then, and waits before it looks.
#[test]
fn a_loop_hears_what_comes_after_a_message_that_was_found() {
    each_message_is_heard_by(100, |socket| {
        let mut fds = [PollFd::from_borrowed_fd(
            socket.readiness_fd(),
            PollFlags::IN,
        )];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        loop {
            let ready = poll(&mut fds, Some(&patience)).unwrap();
            assert_eq!(ready, 1, "the descriptor never became readable");
            match socket.try_recv() {
                Ok(message) => break assert_eq!(message, "one more".into()),
                Err(Error::WouldBlock) => {}
                Err(other) => panic!("{other}"),
            }
        }
    });
}

#[test]
fn who_never_waits_hears_what_comes_after_a_message_that_was_found() {
    each_message_is_heard_by(1, |socket| {
        let deadline = Instant::now() + PATIENCE;
        while let Err(refused) = socket.try_recv() {
            assert!(matches!(refused, Error::WouldBlock), "{refused}");
            assert!(Instant::now() < deadline, "nothing came");
            thread::yield_now();
        }
    });
}

#[test]
fn another_thread_hears_what_comes_after_a_message_that_was_found() {
    each_message_is_heard_by(1, |socket| {
        let received = thread::scope(|scope| {
            let other = scope.spawn(|| socket.recv_timeout(PATIENCE));
            other.join().unwrap()
        });
        assert_eq!(received.unwrap(), "one more".into());
    });
}

/// Who sends looks for what it lent, and then has no room: polled for, or waited for.
#[test]
fn a_sender_hears_of_room_after_it_has_looked_for_what_it_lent() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::start();
    let (here, there) = (Context::new().unwrap(), Context::new().unwrap());
    let pull: Socket<Pull> = there.socket().unwrap();
    let endpoint = pull.bind("shm://*").unwrap().to_string();
    let options = Options::new().send_bytes_limit(4 * LENT);
    let push: Socket<Push> = here.socket_with(options).unwrap();
    push.connect(&endpoint).unwrap();
    let poller = poller_of(&push, Interest::Writable);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20 * ROUNDS {
                pause(round);
                drop(pull.recv_timeout(PATIENCE).unwrap());
            }
        });
        for round in 0..20 * ROUNDS {
            let loan = push.loan(LENT).unwrap();
            if round % 3 == 0 {
                push.send_deadline(loan, Instant::now() + PATIENCE).unwrap();
                continue;
            }
            let mut message = loan.into();
            while let Err(refused) = push.try_send(message) {
                assert!(matches!(refused.error, Error::WouldBlock), "{refused}");
                wait(&poller);
                message = refused.message;
            }
        }
    });
    assert!(
        push.statistics().traffic.references_sent > 0,
        "nothing was lent"
    );
}
