//! `Faulty` does what its seed says. (That it keeps every promise is the
//! conformance suite's business.)

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::{pair, read_outcome, write_all};
use ferromq_transport::{Faults, Faulty};
use ferromq_transport_tcp::Ipc;

/// Cuts, and nothing that takes time.
fn cutting(seed: u64) -> Faults {
    Faults::new(seed).stalling_one_in(0, Duration::ZERO)
}

/// How long the first writes of a link are, of 1,000 bytes each.
fn writes(faults: Faults) -> Vec<usize> {
    let (mut client, _server) = pair(&Faulty::new(Ipc, faults), "ipc://*");
    (0..20).map(|_| client.write(&[1; 1000]).unwrap()).collect()
}

#[test]
fn a_seed_determines_what_is_cut() {
    assert_eq!(writes(cutting(1)), writes(cutting(1)));
    assert_ne!(writes(cutting(1)), writes(cutting(2)));
    let lengths = writes(cutting(1));
    assert!(lengths.iter().any(|&len| len < 1000));
    assert_eq!(writes(cutting(1).cutting_one_in(0)), [1000; 20]);
}

#[test]
fn a_stall_is_told_as_would_block_and_passes() {
    let always = Faults::new(5).stalling_one_in(1, Duration::from_millis(1));
    let (mut client, _server) = pair(&Faulty::new(Ipc, always), "ipc://*");
    let refused = client.write(b"x").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    write_all(&mut *client, b"x");
}

#[test]
fn a_link_breaks_at_its_byte_on_both_sides() {
    let faults = cutting(3).resetting_after(5000..=5000);
    let (mut client, mut server) = pair(&Faulty::new(Ipc, faults), "ipc://*");
    let mut written = 0;
    let broken = loop {
        match client.write(&[1; 999]) {
            Ok(n) => written += n,
            Err(error) => break error,
        }
    };
    assert_eq!(broken.kind(), ErrorKind::ConnectionReset);
    assert_eq!(written, 5000);
    assert_eq!(
        client.read(&mut [0; 8]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );

    // What was written before arrives; then it is the other side's turn.
    let (mut buf, mut heard) = ([0; 64], 0);
    let end = loop {
        match read_outcome(&mut *server, &mut buf) {
            Ok(0) => break None,
            Ok(read) => heard += read,
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(heard, 5000);
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
}
