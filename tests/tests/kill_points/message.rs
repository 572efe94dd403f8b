//! Messages that say whose they are and which, and show whether they are whole.

/// Bytes in front of the filler: whose, and which.
const HEAD: usize = 16;

/// The message with this number of a life.
pub(crate) fn message(life: u64, number: u64, len: usize) -> Vec<u8> {
    let mut message = life.to_le_bytes().to_vec();
    message.extend(number.to_le_bytes());
    message.extend((HEAD..len).map(|at| filler(life, number, at)));
    message
}

/// Whose message it is and which.
///
/// # Panics
/// When it is not as [`message`] made it, to the byte.
pub(crate) fn read(message: &[u8]) -> (u64, u64) {
    let word = |at: usize| u64::from_le_bytes(message[at..at + 8].try_into().unwrap());
    let (life, number) = (word(0), word(8));
    for (at, byte) in message.iter().enumerate().skip(HEAD) {
        assert_eq!(*byte, filler(life, number, at), "message {number} is torn");
    }
    (life, number)
}

fn filler(life: u64, number: u64, at: usize) -> u8 {
    (life.wrapping_mul(31) ^ number.wrapping_mul(7)).wrapping_add(at as u64) as u8
}
