//! What a link promises, over each kind of endpoint.

mod common;

use std::io::{ErrorKind, IoSlice, IoSliceMut};

use common::{Ready, assert_talk, await_or_panic, pair, read_outcome, wait, write_all};
use ferromq_transport::{Link, Transport};
use ferromq_transport_tcp::{Ipc, Tcp};

/// Runs a scenario over loopback TCP of both versions and every kind of ipc name.
fn over_each(scenario: impl Fn(Box<dyn Link>, Box<dyn Link>)) {
    let directory = tempfile::tempdir().unwrap();
    let path = format!("ipc://{}/socket", directory.path().display());
    let mut endpoints: Vec<(&dyn Transport, &str)> = vec![
        (&Tcp, "tcp://127.0.0.1:*"),
        (&Tcp, "tcp://[::1]:*"),
        (&Ipc, &path),
        (&Ipc, "ipc://*"),
    ];
    let name = format!("ipc://@ferromq-test-{}", path.len() + random());
    if cfg!(target_os = "linux") {
        endpoints.push((&Ipc, &name));
    }
    for (transport, endpoint) in endpoints {
        println!("over {endpoint}");
        let (client, server) = pair(transport, endpoint);
        scenario(client, server);
    }
}

fn random() -> usize {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) as usize >> 1
}

#[test]
fn both_directions_talk() {
    over_each(|mut client, mut server| {
        assert_talk(&mut *client, &mut *server);
        assert_talk(&mut *server, &mut *client);
    });
}

#[test]
fn an_empty_link_would_block() {
    over_each(|mut client, mut server| {
        let mut buf = [0; 8];
        for link in [&mut client, &mut server] {
            let error = link.read(&mut buf).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let error = link
                .read_vectored(&mut [IoSliceMut::new(&mut buf)])
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
    });
}

#[test]
fn a_link_knows_without_a_write_whether_it_has_room() {
    over_each(|mut client, mut server| {
        assert!(client.has_room());
        let piece = [7; 64 << 10];
        while client.write(&piece).is_ok() {}
        assert!(!client.has_room());
        // What the other direction holds is nothing to it.
        assert!(server.has_room());
        std::thread::scope(|scope| {
            scope.spawn(|| drain_to_the_end(&mut *server));
            wait(client.fd(), Ready::ToWrite);
            assert!(client.has_room());
            assert!(client.write(&piece).is_ok());
            client.shutdown();
        });
    });
}

fn drain_to_the_end(link: &mut dyn Link) {
    let mut buf = vec![0; 1 << 20];
    loop {
        wait(link.fd(), Ready::ToRead);
        match link.read(&mut buf) {
            Ok(0) => return,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return,
            _ => {}
        }
    }
}

#[test]
fn vectored_writes_and_reads_may_be_partial_and_lose_nothing() {
    // More buffers than one system call takes, of uneven lengths, and more bytes
    // than any default socket buffer holds.
    let sent: Vec<u8> = (0..16_000_000_u32).map(|i| (i / 7) as u8).collect();
    over_each(|mut client, mut server| {
        let (mut written, mut received) = (0, Vec::with_capacity(sent.len()));
        let (mut was_partial, mut was_full) = (false, false);
        while received.len() < sent.len() {
            let slices = uneven(&sent[written..]);
            if !slices.is_empty() {
                let offered: usize = slices.iter().map(|s| s.len()).sum();
                match client.write_vectored(&slices) {
                    Ok(n) => {
                        was_partial |= n < offered;
                        written += n;
                        continue;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        was_full = true;
                    }
                }
            }
            drain_uneven(&mut *server, &mut received);
        }
        assert!(was_partial && was_full, "the buffers were never full");
        assert!(received == sent, "bytes were lost or reordered");
    });
}

/// Cuts the first part of `bytes` into up to 1,500 buffers.
fn uneven(mut bytes: &[u8]) -> Vec<IoSlice<'_>> {
    let mut slices = Vec::new();
    for i in 0..1500 {
        let (slice, rest) = bytes.split_at(bytes.len().min(i * 37 % 4001));
        slices.push(IoSlice::new(slice));
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    slices.retain(|s| !s.is_empty());
    slices
}

/// Reads what is there, at least once, into three buffers a time.
fn drain_uneven(link: &mut dyn Link, received: &mut Vec<u8>) {
    let (mut a, mut b, mut c) = ([0; 13], [0; 5000], [0; 70_000]);
    wait(link.fd(), Ready::ToRead);
    loop {
        let bufs = &mut [
            IoSliceMut::new(&mut a),
            IoSliceMut::new(&mut b),
            IoSliceMut::new(&mut c),
        ];
        let mut n = match link.read_vectored(bufs) {
            Ok(n) => n,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return;
            }
        };
        assert_ne!(n, 0, "the end before the last byte");
        for buf in [&a[..], &b[..], &c[..]] {
            let filled = n.min(buf.len());
            received.extend_from_slice(&buf[..filled]);
            n -= filled;
        }
    }
}

#[test]
fn what_was_written_before_the_end_arrives_before_the_end() {
    over_each(|mut client, mut server| {
        write_all(&mut *client, b"last words");
        drop(client);
        let mut buf = [0; 64];
        let mut heard = Vec::new();
        loop {
            match read_outcome(&mut *server, &mut buf).unwrap() {
                0 => break,
                n => heard.extend_from_slice(&buf[..n]),
            }
        }
        assert_eq!(heard, b"last words");
    });
}

#[test]
fn shutdown_ends_both_sides_and_may_be_repeated() {
    over_each(|mut client, mut server| {
        client.shutdown();
        client.shutdown();
        let mut buf = [0; 8];
        assert_eq!(read_outcome(&mut *client, &mut buf).unwrap(), 0);
        assert_eq!(read_outcome(&mut *server, &mut buf).unwrap(), 0);
        assert_eq!(
            client.write(b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    // The test harness ignores SIGPIPE, as every Rust program does: take the
    // default action back, which ends the process.
    // SAFETY: SIG_DFL is a valid disposition, and no other thread depends on it.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    over_each(|mut client, server| {
        drop(server);
        // TCP learns of it with the answer to the first write.
        let error = loop {
            match client.write(b"anybody?") {
                Ok(_) => wait(client.fd(), Ready::ToRead),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    await_or_panic(&error, client.fd(), Ready::ToWrite);
                }
                Err(error) => break error,
            }
        };
        assert!(
            matches!(
                error.kind(),
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
            ),
            "{error}"
        );
        let error = client.write_vectored(&[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn plain_sockets_need_no_preparation_to_wait() {
    over_each(|mut client, _server| {
        assert!(!client.needs_prepare());
        assert_eq!(client.prepare_wait(), ferromq_transport::Wait::Sleep);
        assert!(client.wait_direct(None).is_none());
        assert!(client.memory().is_none());
    });
}
