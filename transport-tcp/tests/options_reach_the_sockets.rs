//! Link options, seen from the descriptors.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::IoSlice;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use common::{accept, assert_talk, bind, connect, endpoint, try_connect};
use ferromq_transport::{Keepalive, Link, LinkOptions, Transport};
use ferromq_transport_tcp::{Ipc, Tcp};
use socket2::SockRef;

fn look_at<T>(fd: RawFd, look: impl FnOnce(SockRef<'_>) -> std::io::Result<T>) -> T {
    // SAFETY: the tests keep the owner of `fd` until after the look.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    look(SockRef::from(&borrowed)).unwrap()
}

fn pair_with(options: &LinkOptions) -> [Box<dyn Link>; 2] {
    let mut listener = Tcp
        .bind(&endpoint("tcp://127.0.0.1:*"), options)
        .ok()
        .unwrap();
    let client = try_connect(&Tcp, listener.local_endpoint(), options)
        .ok()
        .unwrap();
    [client, accept(&mut *listener)]
}

#[test]
fn by_default_nagle_is_off_and_nothing_probes() {
    for link in pair_with(&LinkOptions::default()) {
        assert!(look_at(link.fd(), |s| s.tcp_nodelay()));
        assert!(!look_at(link.fd(), |s| s.keepalive()));
    }
}

#[test]
fn tcp_options_are_set_on_both_sides() {
    let mut options = LinkOptions::default();
    options.nodelay = false;
    options.keepalive = Keepalive::On {
        idle: Some(Duration::from_millis(30_001)),
        interval: Some(Duration::ZERO),
        count: Some(3),
    };
    options.traffic_class = Some(0x20);
    options.unacknowledged_timeout = Some(Duration::from_secs(7));
    options.send_buffer = Some(32 * 1024);
    options.receive_buffer = Some(64 * 1024);
    for link in pair_with(&options) {
        let fd = link.fd();
        assert!(!look_at(fd, |s| s.tcp_nodelay()));
        assert!(look_at(fd, |s| s.keepalive()));
        // Whole seconds, rounded up, and at least one.
        assert_eq!(look_at(fd, |s| s.tcp_keepalive_time()).as_secs(), 31);
        assert_eq!(look_at(fd, |s| s.tcp_keepalive_interval()).as_secs(), 1);
        assert_eq!(look_at(fd, |s| s.tcp_keepalive_retries()), 3);
        assert_eq!(look_at(fd, |s| s.tos_v4()), 0x20);
        let timeout = look_at(fd, |s| s.tcp_user_timeout());
        assert_eq!(timeout, Some(Duration::from_secs(7)));
        // The kernel doubles what it is asked for (socket(7)).
        assert_eq!(look_at(fd, |s| s.send_buffer_size()), 64 * 1024);
        assert_eq!(look_at(fd, |s| s.recv_buffer_size()), 128 * 1024);
    }
}

fn local_pair_with(options: &LinkOptions) -> [Box<dyn Link>; 2] {
    let mut listener = Ipc.bind(&endpoint("ipc://*"), options).ok().unwrap();
    let client = try_connect(&Ipc, listener.local_endpoint(), options)
        .ok()
        .unwrap();
    [client, accept(&mut *listener)]
}

#[test]
fn buffers_are_set_on_both_sides_of_a_unix_socket() {
    let mut options = LinkOptions::default();
    options.send_buffer = Some(32 * 1024);
    options.receive_buffer = Some(64 * 1024);
    for link in &mut local_pair_with(&options) {
        // Nor does a long write change them.
        assert!(link.write(&vec![0; 1 << 20]).unwrap() > 0);
        assert_eq!(look_at(link.fd(), |s| s.send_buffer_size()), 64 * 1024);
        assert_eq!(look_at(link.fd(), |s| s.recv_buffer_size()), 128 * 1024);
    }
}

#[test]
fn a_unix_sockets_send_buffer_grows_before_a_long_write_and_for_nothing_else() {
    let body = vec![0; LONG];
    for (length, vectored) in [(body.len(), false), (body.len(), true), (64 << 10, false)] {
        for link in &mut local_pair_with(&LinkOptions::default()) {
            let before = look_at(link.fd(), |s| s.send_buffer_size());
            let written = match vectored {
                true => link.write_vectored(&[IoSlice::new(b"head"), IoSlice::new(&body)]),
                false => link.write(&body[..length]),
            };
            assert!(written.unwrap() > 0);
            let after = look_at(link.fd(), |s| s.send_buffer_size());
            match length {
                LONG.. if before < LONG => assert!(after > before, "{before}, {after}"),
                _ => assert_eq!(after, before),
            }
        }
    }
}

#[test]
fn it_does_not_grow_for_short_messages_that_waited_together() {
    let gathered = vec![0; 128 << 10];
    let pieces = [&gathered[..], &gathered, &gathered[..100]].map(IoSlice::new);
    let body = [IoSlice::new(b"header"), IoSlice::new(&gathered), pieces[0]];
    for link in &mut local_pair_with(&LinkOptions::default()) {
        let before = look_at(link.fd(), |s| s.send_buffer_size());
        assert!(link.write_vectored(&pieces).unwrap() > 0);
        assert_eq!(look_at(link.fd(), |s| s.send_buffer_size()), before);
        // For a body behind its header it does, be there room for it or not.
        let _ = link.write_vectored(&body);
        let after = look_at(link.fd(), |s| s.send_buffer_size());
        assert!(after > before || before >= LONG, "{before}, {after}");
    }
}

const LONG: usize = 256 << 10;

#[test]
fn every_descriptor_neither_blocks_nor_survives_exec() {
    let transports: [(&dyn Transport, &str); 2] = [(&Tcp, "tcp://127.0.0.1:*"), (&Ipc, "ipc://*")];
    for (transport, text) in transports {
        let mut listener = bind(transport, text);
        let client = connect(transport, listener.local_endpoint());
        let server = accept(&mut *listener);
        for fd in [listener.fd(), client.fd(), server.fd()] {
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
            let flags = info
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .unwrap();
            let flags = i32::from_str_radix(flags.trim(), 8).unwrap();
            assert_ne!(flags & libc::O_NONBLOCK, 0, "{text}");
            assert_ne!(flags & libc::O_CLOEXEC, 0, "{text}");
        }
    }
}

#[test]
fn a_link_knows_whether_its_peer_shares_the_core() {
    let mut listener = bind(&Tcp, "tcp://127.0.0.1:*");
    let mut client = connect(&Tcp, listener.local_endpoint());
    let mut server = accept(&mut *listener);
    let cpus = pin_to_each(|_| {
        assert_talk(&mut *client, &mut *server);
        assert!(server.shares_core());
    });
    if cpus > 1 {
        // Pinned to another CPU than the bytes were handled on, last of all.
        let mut before = None;
        pin_to_each(|cpu| {
            if before.is_none() {
                assert_talk(&mut *client, &mut *server);
                before = Some(cpu);
            } else {
                assert!(!server.shares_core());
            }
        });
    }
    let mut ipc = bind(&Ipc, "ipc://*");
    let client = connect(&Ipc, ipc.local_endpoint());
    assert!(!client.shares_core() && !accept(&mut *ipc).shares_core());
}

/// Runs `act` on each CPU that this thread may use, and answers how many.
fn pin_to_each(mut act: impl FnMut(usize)) -> usize {
    let allowed = affinity();
    let mut count = 0;
    for cpu in 0..libc::CPU_SETSIZE as usize {
        // SAFETY: `cpu` is below CPU_SETSIZE.
        if unsafe { libc::CPU_ISSET(cpu, &allowed) } {
            // SAFETY: an empty set is all zeros.
            let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            // SAFETY: as above.
            unsafe { libc::CPU_SET(cpu, &mut one) };
            set_affinity(&one);
            act(cpu);
            count += 1;
        }
    }
    set_affinity(&allowed);
    count
}

fn affinity() -> libc::cpu_set_t {
    // SAFETY: an empty set is all zeros.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: a live, writable set of the size given; 0 is this thread.
    let status = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(status, 0);
    set
}

fn set_affinity(set: &libc::cpu_set_t) {
    // SAFETY: a live set of the size given; 0 is this thread.
    let status = unsafe { libc::sched_setaffinity(0, size_of_val(set), set) };
    assert_eq!(status, 0);
}
