//! Whoever does not speak ZMTP 3 is refused at the first bad byte.

use crate::common::*;
use ferromq_wire::*;
use proptest::prelude::*;

fn refused_after(bytes: &[u8]) -> (usize, HandshakeError) {
    let mut side = null(SocketType::Push);
    for (at, byte) in bytes.iter().enumerate() {
        if let Err(error) = side.feed(&[*byte]) {
            return (at + 1, error);
        }
    }
    panic!("{bytes:?} was taken");
}

#[test]
fn http_and_tls_are_refused_at_byte_one() {
    // HOSTILE 2, 3
    let (after, error) = refused_after(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!((after, error), (1, HandshakeError::NotZmtp { first: b'G' }));
    let (after, error) = refused_after(&[0x16, 0x03, 0x01, 0x02, 0x00]);
    assert_eq!((after, error), (1, HandshakeError::NotZmtp { first: 0x16 }));
}

proptest! {
    #[test]
    fn noise_is_refused_at_the_first_bad_byte(noise in any::<[u8; 16]>()) {
        // HOSTILE 1
        let mut noise = noise;
        if noise[0] % 2 == 0 {
            noise[0] = 0xFF;
        }
        let bad_at = if noise[0] != 0xFF {
            1
        } else if noise[9] != 0x7F {
            10
        } else {
            noise[10] = 2;
            11
        };
        prop_assert_eq!(refused_after(&noise).0, bad_at);
    }
}

#[test]
fn nothing_of_a_refused_greeting_is_answered() {
    let mut side = null(SocketType::Push);
    assert_eq!(side.output().len(), 64);
    assert!(side.feed(b"GET / HTTP/1.1\r\n\r\n").is_err());
    assert_eq!(side.output(), b"");
    assert_eq!(side.status(), Status::Failed);
    assert!(side.feed(&greeting("NULL", 0)).is_err());
}
