//! One message a line: frames separated by tabs, every other byte that would
//! break a line or a terminal written as an escape.
//!
//! ```text
//! \t  tab    \n  newline    \r  carriage return    \\  backslash
//! \xHH  any other control character and every byte that is not UTF-8
//! ```
//!
//! What [`escape`] writes, [`parse_line`] reads back unchanged. A line that a
//! person types may hold any other byte as it is.

use std::io::{self, Write};

/// Writes one frame so that [`unescape`] gives it back.
pub(crate) fn escape(frame: &[u8], out: &mut impl Write) -> io::Result<()> {
    if frame.iter().all(|&byte| is_plain(byte)) {
        return out.write_all(frame);
    }
    for chunk in frame.utf8_chunks() {
        escape_text(chunk.valid(), out)?;
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}")?;
        }
    }
    Ok(())
}

/// Takes a line without its newline apart into frames, at least one.
pub(crate) fn parse_line(line: &[u8]) -> Result<Vec<Vec<u8>>, EscapeError> {
    let mut start = 0;
    line.split(|&byte| byte == b'\t')
        .map(|field| {
            let frame = unescape(field).map_err(|error| error.shifted(start));
            start += field.len() + 1;
            frame
        })
        .collect()
}

/// Undoes [`escape`].
pub(crate) fn unescape(field: &[u8]) -> Result<Vec<u8>, EscapeError> {
    let mut frame = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        frame.extend_from_slice(&rest[..at]);
        let column = field.len() - rest.len() + at + 1;
        let (byte, len) = escaped(&rest[at + 1..], column)?;
        frame.push(byte);
        rest = &rest[at + 1 + len..];
    }
    frame.extend_from_slice(rest);
    Ok(frame)
}

/// Bytes as pairs of lower-case hexadecimal digits.
pub(crate) fn write_hex(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for piece in bytes.chunks(512) {
        let mut pairs = [0; 1024];
        for (pair, byte) in pairs.chunks_exact_mut(2).zip(piece) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        out.write_all(&pairs[..piece.len() * 2])?;
    }
    Ok(())
}

/// Undoes [`write_hex`]; capital digits are read too. `None` for an odd number
/// of digits or any other character.
pub(crate) fn parse_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_chunks();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|&pair| hex_pair(pair)).collect()
}

/// What is wrong with an escape, and at which byte of the line, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EscapeError {
    /// A backslash before a byte that stands for nothing.
    #[error("column {column}: \\{} is no escape; \\t \\n \\r \\\\ and \\xHH are", byte.escape_ascii())]
    Unknown { column: usize, byte: u8 },
    /// `\x` without two hexadecimal digits.
    #[error("column {column}: \\x needs two hexadecimal digits")]
    Digits { column: usize },
    /// A backslash at the end.
    #[error("column {column}: a backslash ends the frame; write \\\\ for a backslash")]
    Unfinished { column: usize },
}

impl EscapeError {
    fn shifted(self, by: usize) -> Self {
        match self {
            Self::Unknown { column, byte } => Self::Unknown {
                column: column + by,
                byte,
            },
            Self::Digits { column } => Self::Digits {
                column: column + by,
            },
            Self::Unfinished { column } => Self::Unfinished {
                column: column + by,
            },
        }
    }
}

fn escape_text(text: &str, out: &mut impl Write) -> io::Result<()> {
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, c) in text.char_indices() {
        if c != '\\' && !c.is_control() {
            continue;
        }
        out.write_all(&bytes[written..at])?;
        written = at + c.len_utf8();
        match c {
            '\t' => out.write_all(b"\\t")?,
            '\n' => out.write_all(b"\\n")?,
            '\r' => out.write_all(b"\\r")?,
            '\\' => out.write_all(b"\\\\")?,
            // C1 control characters have two bytes in UTF-8.
            _ => bytes[at..written]
                .iter()
                .try_for_each(|byte| write!(out, "\\x{byte:02x}"))?,
        }
    }
    out.write_all(&bytes[written..])
}

/// The byte that an escape stands for, and its length after the backslash.
fn escaped(rest: &[u8], column: usize) -> Result<(u8, usize), EscapeError> {
    match *rest {
        [b't', ..] => Ok((b'\t', 1)),
        [b'n', ..] => Ok((b'\n', 1)),
        [b'r', ..] => Ok((b'\r', 1)),
        [b'\\', ..] => Ok((b'\\', 1)),
        [b'x', high, low, ..] => hex_pair([high, low])
            .map(|byte| (byte, 3))
            .ok_or(EscapeError::Digits { column }),
        [b'x', ..] => Err(EscapeError::Digits { column }),
        [byte, ..] => Err(EscapeError::Unknown { column, byte }),
        [] => Err(EscapeError::Unfinished { column }),
    }
}

fn hex_pair([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Bytes that every terminal shows as they are.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            if index > 0 {
                out.push(b'\t');
            }
            escape(frame, &mut out).unwrap();
        }
        out
    }

    #[test]
    fn text_stays_readable() {
        assert_eq!(line(&["grüße, 世界".into()]), "grüße, 世界".as_bytes());
        assert_eq!(line(&[b"a".into(), b"".into(), b"b".into()]), b"a\t\tb");
    }

    #[test]
    fn what_breaks_lines_or_terminals_is_escaped() {
        let frame = b"tab\t lf\n cr\r back\\ esc\x1b[2J del\x7f bad\xff c1\xc2\x9b nul\0";
        let shown = r"tab\t lf\n cr\r back\\ esc\x1b[2J del\x7f bad\xff c1\xc2\x9b nul\x00";
        assert_eq!(line(&[frame.to_vec()]), shown.as_bytes());
    }

    #[test]
    fn malformed_escapes_are_located_in_the_line() {
        let error = |line: &[u8]| parse_line(line).unwrap_err();
        assert_eq!(
            error(b"ok\tab\\q"),
            EscapeError::Unknown {
                column: 6,
                byte: b'q'
            }
        );
        assert_eq!(error(b"\\x4"), EscapeError::Digits { column: 1 });
        assert_eq!(error(b"\\xzz"), EscapeError::Digits { column: 1 });
        assert_eq!(error(b"a\\\tb"), EscapeError::Unfinished { column: 2 });
        assert_eq!(
            error(b"C:\\dir").to_string(),
            r"column 3: \d is no escape; \t \n \r \\ and \xHH are"
        );
    }

    #[test]
    fn hexadecimal_is_strict() {
        assert_eq!(parse_hex(b"00fFa0"), Some(vec![0, 255, 160]));
        assert_eq!(parse_hex(b""), Some(vec![]));
        for wrong in [&b"0"[..], b"0g", b" 00", b"+1", b"0x11"] {
            assert_eq!(parse_hex(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_message_survives_the_text_form(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6)
        ) {
            let line = line(&frames);
            prop_assert!(std::str::from_utf8(&line).is_ok());
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
            prop_assert_eq!(parse_line(&line), Ok(frames));
        }

        #[test]
        fn any_text_survives_the_text_form(text in "\\PC*|[\\x00-\\xff\\\\]*") {
            let frames = vec![text.into_bytes()];
            prop_assert_eq!(parse_line(&line(&frames)), Ok(frames));
        }

        #[test]
        fn any_bytes_survive_hexadecimal(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut digits = Vec::new();
            write_hex(&bytes, &mut digits).unwrap();
            prop_assert_eq!(parse_hex(&digits), Some(bytes));
        }

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_line(&line);
        }
    }
}
