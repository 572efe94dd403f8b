//! Rows 61 to 66: a peer on the same machine, with memory in common.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use ferromq::{EventKind, Options};
use ferromq_tests::{Ours, RawPeer, Sharing, is_mapped, until};

use crate::arena::{Arena, Kind, NEIGHBOUR};
use crate::local::as_another_user;

/// A socket on shared memory, with a neighbour there that does nothing wrong.
pub(crate) fn arena(kind: Kind) -> Arena {
    let mut ours = Ours::new(kind.socket_type(), Options::new());
    ours.bind_to("shm://*");
    let neighbour = RawPeer::identified(ours.endpoint(), kind.peer_type(), NEIGHBOUR);
    Arena::around(kind, ours, neighbour)
}

#[test]
fn row_61_positions_that_cannot_be_end_the_connection() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        for head in [u64::MAX, 1 << 40, 0] {
            let mut peer = arena.peer();
            let shared = peer.shared();
            shared.claim_head(match head {
                // More than fits the ring, by one.
                0 => shared.head() + (64 << 10) + 1,
                head => head,
            });
            arena.thrown_out(peer, "the peer says that it wrote");
        }
        let mut peer = arena.peer();
        peer.shared().claim_head(1);
        arena.thrown_out(peer, "the peer says that it wrote 1 bytes");
    }
}

#[test]
fn row_61_a_reader_that_claims_what_was_not_written_ends_its_connection() {
    let mut arena = arena(Kind::Pub);
    for tail in [u64::MAX, 1 << 40] {
        let mut peer = arena.peer();
        peer.send_command("SUBSCRIBE", b"much");
        peer.settle();
        peer.shared().claim_tail(tail);
        // Room is looked for once our ring has been filled.
        for _ in 0..40 {
            let parts: [&[u8]; 2] = [b"much", &[0; 64 << 10]];
            arena.ours.send(parts).expect("a PUB never waits");
        }
        arena.thrown_out(peer, "the peer says that it read");
    }
}

/// Stops whoever watches the flag when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn row_62_bytes_that_change_while_they_are_read_are_read_once() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        for round in 0..20_u8 {
            let mut peer = arena.peer();
            // A frame whose flags, length and body change all the time.
            let at = peer.shared().head();
            let stop = AtomicBool::new(false);
            peer.shared()
                .write_unpublished(&[0, 4, b'a', b'b', b'c', b'd']);
            std::thread::scope(|scope| {
                let shared = peer.shared();
                shared.publish();
                let shared = &*shared;
                // Also when something fails, or the failure would not be seen.
                let _stop = Stop(&stop);
                scope.spawn(|| {
                    let mut byte = round;
                    while !stop.load(Ordering::Relaxed) {
                        byte = byte.wrapping_mul(5).wrapping_add(1);
                        for offset in 0..6 {
                            shared.scribble(at + offset, byte >> (offset % 3));
                        }
                        std::thread::yield_now();
                    }
                });
                // Whatever it was taken for, nobody else is disturbed.
                for _ in 0..3 {
                    arena.serves_among_noise();
                }
            });
            drop(peer);
            arena.forget_last();
        }
    }
}

#[test]
fn row_63_memory_that_could_be_cut_short_is_refused() {
    let good = Sharing::default();
    let full = good.len;
    let cases = [
        (
            Sharing {
                seals: 0,
                ..good.clone()
            },
            "not sealed",
        ),
        (
            Sharing {
                seals: good.seals & !libc::F_SEAL_SHRINK,
                ..good.clone()
            },
            "not sealed",
        ),
        (
            Sharing {
                seals: good.seals & !libc::F_SEAL_FUTURE_WRITE,
                ..good.clone()
            },
            "not sealed",
        ),
        (
            Sharing {
                len: full - 1,
                ..good.clone()
            },
            "instead of",
        ),
        (
            Sharing {
                len: full + 4096,
                ..good.clone()
            },
            "instead of",
        ),
        (
            Sharing {
                allocated: false,
                ..good.clone()
            },
            "pages for",
        ),
        (
            Sharing {
                descriptor: false,
                ..good.clone()
            },
            "without a descriptor",
        ),
        (
            Sharing {
                ring_len: 0,
                ..good.clone()
            },
            "no power of two",
        ),
        (
            Sharing {
                ring_len: 3 << 12,
                ..good.clone()
            },
            "no power of two",
        ),
        (
            Sharing {
                ring_len: 1 << 50,
                ..good.clone()
            },
            "no power of two",
        ),
        (
            Sharing {
                magic: *b"GET / HT",
                ..good.clone()
            },
            "does not speak",
        ),
        (
            Sharing {
                version: 2,
                ..good.clone()
            },
            "version 2",
        ),
    ];
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        for (sharing, cause) in &cases {
            let (mut stranger, memory) = sharing.greet(arena.ours.endpoint());
            let _ = stranger.read(&mut [0; 64]);
            arena.refused(cause);
            assert!(!is_mapped(memory), "what was refused is not kept");
        }
        // Of the memory that is accepted nothing can be taken back.
        let mut peer = arena.peer();
        assert_eq!(peer.shared().tampers(), [false; 3]);
        arena.still_peers(&mut peer);
    }
}

#[test]
fn row_63_what_comes_as_a_doorbell_does_no_harm() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        let none = std::fs::File::open("/dev/null").unwrap();
        // Blocking ones, which a peer can make of any.
        let (read, mut write) = std::io::pipe().unwrap();
        for doorbell in [none.as_raw_fd(), write.as_raw_fd(), read.as_raw_fd()] {
            let sharing = Sharing {
                doorbell: Some(doorbell),
                ..Sharing::default()
            };
            let mut peer = arena.sharing(&sharing);
            for _ in 0..100 {
                arena.serves_beside(&mut peer);
            }
            drop(peer);
            arena.disconnected("closed the connection");
        }
        // One that is rung without end, and then ends.
        let sharing = Sharing {
            doorbell: Some(read.as_raw_fd()),
            ..Sharing::default()
        };
        let mut peer = arena.sharing(&sharing);
        write.write_all(&[7; 32 << 10]).unwrap();
        arena.serves_beside(&mut peer);
        drop((read, write));
        for _ in 0..100 {
            arena.serves_beside(&mut peer);
        }
        arena.still_peers(&mut peer);
    }
}

#[test]
fn row_64_a_peer_that_dies_in_the_middle_of_a_message_leaves_nothing_torn() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        for (published, unpublished) in [(0, 6), (1, 5), (3, 3), (5, 1)] {
            let mut peer = arena.peer();
            let frame = [0, 4, b'a', b'b', b'c', b'd'];
            let shared = peer.shared();
            shared.write_unpublished(&frame[..published]);
            shared.publish();
            shared.write_unpublished(&frame[published..published + unpublished]);
            let memory = shared.memory();
            assert!(is_mapped(memory));
            // As when it is killed: its socket ends, and it has said nothing.
            drop(peer);
            arena.disconnected("closed the connection");
            until("the memory is unmapped", || {
                (!is_mapped(memory)).then_some(())
            });
        }
        // What was whole before that is read.
        if kind == Kind::Pull {
            let mut peer = arena.peer();
            peer.send(&[0, 4, b'l', b'a', b's', b't']);
            drop(peer);
            assert_eq!(arena.ours.recv_parts(), [b"last"]);
            arena.disconnected("closed the connection");
        }
    }
}

#[test]
fn row_65_peers_are_connections_and_not_processes() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        // All of one process, and one goes.
        let mut peers: Vec<RawPeer> = (0..3).map(|_| arena.peer()).collect();
        drop(peers.remove(1));
        arena.leaves("closed the connection");
        for peer in &mut peers {
            arena.serves_beside(peer);
        }
    }
}

#[test]
fn row_66_memory_of_an_old_connection_is_refused() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        let old = Sharing {
            memory_epoch: 6,
            ..Sharing::default()
        };
        let (mut stranger, _) = old.greet(arena.ours.endpoint());
        let _ = stranger.read(&mut [0; 64]);
        arena.refused("of another connection");
    }
}

#[test]
fn row_60_another_user_is_refused_on_shm() {
    for kind in Kind::ALL {
        let mut arena = arena(kind);
        let endpoint = arena.ours.endpoint().to_owned();
        let greet = || Sharing::default().greet(&endpoint);
        let Some((mut stranger, _)) = as_another_user(greet) else {
            return println!("skipped: only a superuser becomes somebody else");
        };
        let refused = |kind: &EventKind| matches!(kind, EventKind::Refused { .. });
        let EventKind::Refused { cause } = arena.ours.await_event("a refusal", refused).kind else {
            unreachable!("nothing else was waited for");
        };
        assert!(cause.contains("user 4242"), "{cause}");
        let mut read = [0; 8];
        assert!(
            !matches!(stranger.read(&mut read), Ok(1..)),
            "not a byte of ours"
        );
        assert_eq!(arena.ours.statistics().addresses_refused, 1);
        arena.adds_up();
    }
}
