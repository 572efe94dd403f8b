//! Messages that say which they are, and show whether they are whole.

/// Bytes of the number in front.
const NUMBER: usize = 8;

/// The body of this number, of at least eight bytes.
pub(crate) fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut body = number.to_be_bytes().to_vec();
    let filled = NUMBER..len.max(NUMBER);
    body.extend(filled.map(|at| filler(number, at)));
    body
}

/// The number of a body; `None` where it is not as [`numbered`] made it.
pub(crate) fn number_of(body: &[u8]) -> Option<u64> {
    let (number, rest) = body.split_first_chunk::<NUMBER>()?;
    let number = u64::from_be_bytes(*number);
    let mut at = NUMBER..;
    let whole = rest
        .iter()
        .all(|&byte| Some(byte) == at.next().map(|at| filler(number, at)));
    whole.then_some(number)
}

fn filler(number: u64, at: usize) -> u8 {
    (number as u8).wrapping_mul(31).wrapping_add(at as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_damage_shows() {
        for len in [0, 8, 9, 5000] {
            assert_eq!(number_of(&numbered(77, len)), Some(77));
        }
        let mut body = numbered(77, 300);
        body[200] ^= 1;
        assert_eq!(number_of(&body), None);
        assert_eq!(number_of(b"short"), None);
    }
}
