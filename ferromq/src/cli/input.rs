//! Where the messages to send come from.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::Path;

use ferromq::{Frame, Message};

use super::args::InputArgs;
use super::error::Failure;
use super::text;

/// Yields the messages to send, one after the other.
pub(crate) enum Source {
    Lines(Lines<BufReader<File>>),
    /// The same message, so many times more.
    Repeated {
        message: Message,
        left: u64,
    },
}

/// Reads a message a line.
pub(crate) struct Lines<R> {
    input: R,
    first: FirstField,
    line: Vec<u8>,
    number: u64,
}

/// What the first field of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstField {
    Frame,
    /// A peer's identity in hexadecimal: what a ROUTER sends needs one.
    Identity,
}

impl Source {
    pub(crate) fn open(args: &InputArgs) -> Result<Self, Failure> {
        let left = args.repeat.unwrap_or(1);
        Ok(match (&args.file, args.size) {
            (Some(path), _) => Self::Repeated {
                message: read_file(path)?.into(),
                left,
            },
            (None, Some(size)) => Self::Repeated {
                message: generated(size).into(),
                left,
            },
            (None, None) => Self::stdin(FirstField::Frame)?,
        })
    }

    /// Lines of standard input.
    pub(crate) fn stdin(first: FirstField) -> Result<Self, Failure> {
        Ok(Self::Lines(Lines::new(stdin()?, first)))
    }

    /// The next message; `None` when there are no more.
    pub(crate) fn next(&mut self) -> Result<Option<Message>, Failure> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Repeated { left: 0, .. } => Ok(None),
            Self::Repeated { message, left } => {
                *left -= 1;
                Ok(Some(message.clone()))
            }
        }
    }
}

impl<R: BufRead> Lines<R> {
    fn new(input: R, first: FirstField) -> Self {
        Self {
            input,
            first,
            line: Vec::new(),
            number: 0,
        }
    }

    fn next(&mut self) -> Result<Option<Message>, Failure> {
        self.line.clear();
        self.number += 1;
        let read = self.input.read_until(b'\n', &mut self.line);
        if read.map_err(|cause| Failure::Input {
            source_name: STDIN.into(),
            cause,
        })? == 0
        {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        match self.first {
            FirstField::Identity => self.addressed(line),
            FirstField::Frame if !line.iter().any(|byte| matches!(byte, b'\t' | b'\\')) => {
                Ok(line.into())
            }
            FirstField::Frame => self.frames(line).map(Message::from),
        }
        .map(Some)
    }

    fn frames(&self, line: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        text::parse_line(line).map_err(|cause| Failure::Line {
            line: self.number,
            cause,
        })
    }

    fn addressed(&self, line: &[u8]) -> Result<Message, Failure> {
        let (identity, body) = match line.iter().position(|&byte| byte == b'\t') {
            Some(tab) => (&line[..tab], Some(&line[tab + 1..])),
            None => (line, None),
        };
        let identity = text::parse_hex(identity)
            .filter(|identity| !identity.is_empty())
            .ok_or(Failure::Identity { line: self.number })?;
        let mut message = Message::from(identity);
        message.extend(self.frames(body.unwrap_or_default())?);
        Ok(message)
    }
}

/// Standard input without the lock and the small buffer of `std::io::Stdin`.
fn stdin() -> Result<BufReader<File>, Failure> {
    let unreadable = |cause| Failure::Input {
        source_name: STDIN.into(),
        cause,
    };
    let fd = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(unreadable)?;
    Ok(BufReader::with_capacity(BUFFER, File::from(fd)))
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |cause| Failure::Input {
        source_name: path.display().to_string(),
        cause,
    };
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        stdin()?.read_to_end(&mut bytes).map_err(unreadable)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(unreadable)
}

/// A payload of readable bytes that shows a gap or a turn.
fn generated(size: usize) -> Frame {
    let alphabet = b"abcdefghijklmnopqrstuvwxyz0123456789";
    alphabet
        .iter()
        .copied()
        .cycle()
        .take(size)
        .collect::<Vec<u8>>()
        .into()
}

const STDIN: &str = "standard input";
const BUFFER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(input: &[u8], first: FirstField) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
        let mut lines = Lines::new(input, first);
        let mut all = Vec::new();
        while let Some(message) = lines.next()? {
            all.push(message.parts().iter().map(|frame| frame.to_vec()).collect());
        }
        Ok(all)
    }

    #[test]
    fn tabs_separate_frames_and_newlines_messages() {
        let all = messages(b"a\tb\n\nback\\\\slash\\x00\nlast", FirstField::Frame).unwrap();
        let expected: [&[&[u8]]; 4] = [&[b"a", b"b"], &[b""], &[b"back\\slash\0"], &[b"last"]];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_router_addresses_its_lines() {
        let all = messages(b"6964\t\tbody\nff\n", FirstField::Identity).unwrap();
        let expected: [&[&[u8]]; 2] = [&[b"id", b"", b"body"], &[b"\xff", b""]];
        assert_eq!(all, expected);
    }

    #[test]
    fn errors_name_the_line() {
        let error = |input, first| messages(input, first).unwrap_err().to_string();
        let escape = error(b"fine\nC:\\", FirstField::Frame);
        assert!(
            escape.starts_with("standard input, line 2: column 3: a backslash"),
            "{escape}"
        );
        for input in [&b"id\tbody"[..], b"\tbody", b"696\tbody"] {
            assert_eq!(
                error(input, FirstField::Identity),
                "standard input, line 1: the first field is no identity in hexadecimal"
            );
        }
    }

    #[test]
    fn a_generated_payload_has_its_size_and_repeats() {
        let args = InputArgs {
            file: None,
            size: Some(40),
            repeat: Some(2),
        };
        let mut source = Source::open(&args).unwrap();
        for _ in 0..2 {
            let message = source.next().unwrap().unwrap();
            assert_eq!(
                &**message.frame(0).unwrap(),
                b"abcdefghijklmnopqrstuvwxyz0123456789abcd"
            );
        }
        assert!(source.next().unwrap().is_none());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let args = InputArgs {
            file: Some("/no/such".into()),
            size: None,
            repeat: None,
        };
        let error = Source::open(&args).err().unwrap().to_string();
        assert_eq!(
            error,
            "cannot read /no/such: No such file or directory (os error 2)"
        );
    }
}
