//! Long frames in memory that the application offered.

use std::sync::{Arc, Mutex};

use ferromq_mio::{AnySocket, Context, Landing, Options, SocketType};

use crate::common::raw::RawPeer;
use crate::common::*;

const LEN: usize = 200_000;

/// Memory that tells what it held when nobody holds it any more.
struct Room(Vec<u8>, Arc<Mutex<Vec<u8>>>);

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl AsMut<[u8]> for Room {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        *self.1.lock().unwrap() = std::mem::take(&mut self.0);
    }
}

fn room() -> (Landing, usize, Arc<Mutex<Vec<u8>>>) {
    let left = Arc::default();
    let room = Room(vec![0; LEN], Arc::clone(&left));
    let start = room.0.as_ptr().addr();
    (Landing::new(room), start, left)
}

fn body() -> Vec<u8> {
    (0..LEN).map(|at| (at >> 4) as u8 | 1).collect()
}

fn push_to_pull(context: &Context, endpoint: &str) -> (AnySocket, AnySocket) {
    let plain = Options::new;
    let ends = [SocketType::Push, SocketType::Pull].map(|it| (it, plain()));
    let [push, pull] = ends;
    linked(context, endpoint, push, pull)
}

over_tcp_and_ipc! {
    fn a_long_frame_is_received_where_it_is_wanted(endpoint) {
        let context = context();
        let (push, pull) = push_to_pull(&context, endpoint);
        let (landing, start, left) = room();
        assert!(pull.offer(landing).is_none());
        push.send("short ones").unwrap();
        push.send([b"behind".to_vec(), body()]).unwrap();
        assert_eq!(recv_parts(&pull), [b"short ones"]);
        let message = recv(&pull);
        assert_eq!(message.frame(1).unwrap().as_ptr().addr(), start);
        assert!(message.frame(1).unwrap() == &body()[..]);
        assert!(pull.withdraw_offer().is_none());
        assert!(left.lock().unwrap().is_empty(), "the message holds it");
        drop(message);
        assert!(*left.lock().unwrap() == body());
    }
}

#[test]
fn an_offer_that_nothing_came_for_is_given_back() {
    let _watchdog = Watchdog::start();
    let context = context();
    let (push, pull) = push_to_pull(&context, "tcp://127.0.0.1:*");
    let (landing, start, ..) = room();
    pull.offer(landing);
    assert!(pull.offer(room().0).is_some(), "another took its place");
    assert!(pull.withdraw_offer().is_some());
    assert!(pull.withdraw_offer().is_none());
    push.send(body()).unwrap();
    assert_ne!(recv(&pull).frame(0).unwrap().as_ptr().addr(), start);
}

/// Whoever waited in vain gets his memory back, also from a frame that had begun to
/// come, or that was decoded and not received: by a look at the socket, or because its
/// peer was read while nobody called.
#[test]
fn nothing_is_left_in_memory_that_is_withdrawn() {
    let _watchdog = Watchdog::start();
    let context = context();
    for come in [50_000, LEN] {
        let (pull, real) = bound(
            &context,
            SocketType::Pull,
            Options::new(),
            "tcp://127.0.0.1:*",
        );
        let mut peer = RawPeer::connect(&real, "PUSH", &[]);
        await_peers(&pull, 1);
        let (landing, _, left) = room();
        pull.offer(landing);
        let mut header = vec![2];
        header.extend_from_slice(&(LEN as u64).to_be_bytes());
        peer.write(&header);
        peer.write(&body()[..come]);
        until("it has begun to land", || {
            let readable = pull.readiness().unwrap().readable;
            (readable || pull.statistics().peers[0].received_bytes == come).then_some(())
        });
        assert!(pull.withdraw_offer().is_none());
        assert!(left.lock().unwrap()[..come] == body()[..come]);
        peer.write(&body()[come..]);
        assert!(recv(&pull).frame(0).unwrap() == &body()[..]);
    }
}
