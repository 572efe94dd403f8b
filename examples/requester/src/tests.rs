//! Against bytes written by hand.

use super::*;
use embedded_io::ErrorType;
use ferromq_wire::ProtocolError;

extern crate std;
use std::vec::Vec;

/// A peer that has sent everything already, and is read in pieces of 7 bytes.
struct Said {
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
}

impl ErrorType for &mut Said {
    type Error = core::convert::Infallible;
}

impl Read for &mut Said {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
        let rest = &self.input[self.at..];
        let len = rest.len().min(into.len()).min(7);
        into[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

impl Write for &mut Said {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A REP that greets and then sends `traffic`.
fn peer(traffic: &[u8]) -> Said {
    let mut input = Vec::from([0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 1]);
    input.extend(b"NULL");
    input.resize(64, 0);
    input.extend(b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REP");
    input.extend(traffic);
    Said {
        input,
        at: 0,
        output: Vec::new(),
    }
}

type Answer = Result<Vec<u8>, Error<core::convert::Infallible>>;

/// Asks `"why"` as question 7: the answer, and what was written after the READY.
fn ask(traffic: &[u8], room: usize) -> (Answer, Vec<u8>) {
    let mut said = peer(traffic);
    let mut answer = std::vec![0; room];
    let mut requester = Requester::new(&mut said, &mut Scratch::new(), 7).unwrap();
    let len = requester.ask(b"why", &mut answer);
    let written = said.output.iter().rposition(|byte| *byte == b'Q').unwrap();
    let written = said.output[written..].to_vec();
    (len.map(|len| answer[..len].to_vec()), written)
}

#[test]
fn it_fits_into_small_memories() {
    assert!(
        size_of::<Requester<()>>() <= 1400,
        "{}",
        size_of::<Requester<()>>()
    );
    assert!(size_of::<Scratch>() <= 8192);
}

#[test]
fn a_question_is_numbered_and_its_answer_taken() {
    let (answer, written) = ask(b"\x01\x04\0\0\0\x07\x01\0\x01\x03be\x20\0\x05cause", 32);
    assert_eq!(answer.unwrap(), b"be cause");
    assert!(
        written.ends_with(b"\x01\x04\0\0\0\x07\x01\0\0\x03why"),
        "{written:?}"
    );
}

#[test]
fn the_answer_to_another_question_is_skipped() {
    let old = b"\x01\x04\0\0\0\x06\x01\0\x01\x03old\0\x03old";
    let new = b"\x01\x04\0\0\0\x07\x01\0\0\x03new";
    let (answer, _) = ask(&[&old[..], new].concat(), 32);
    assert_eq!(answer.unwrap(), b"new");
}

#[test]
fn a_ping_is_answered_while_waiting() {
    let ping = b"\x04\x0a\x04PING\0\0abc";
    let reply = b"\x01\x04\0\0\0\x07\x01\0\0\x02ok";
    let (answer, written) = ask(&[&ping[..], reply].concat(), 32);
    assert_eq!(answer.unwrap(), b"ok");
    assert!(written.ends_with(b"\x04\x08\x04PONGabc"), "{written:?}");
}

#[test]
fn what_does_not_fit_is_an_error() {
    let (answer, _) = ask(b"\x01\x04\0\0\0\x07\x01\0\0\x05cause", 4);
    assert_eq!(answer.unwrap_err(), Error::TooLong);
    let (answer, _) = ask(b"\x02\0\0\0\0\0\0\x02\x01", 4);
    let too_large = ProtocolError::FrameTooLarge {
        len: 513,
        limit: 512,
    };
    assert_eq!(answer.unwrap_err(), Error::Protocol(too_large));
    let (answer, _) = ask(b"", 4);
    assert_eq!(answer.unwrap_err(), Error::Closed);
}
