use std::io::{IoSlice, IoSliceMut};
use std::os::fd::RawFd;

use ferromq_transport::{Link, PeerAddress};
use proptest::prelude::*;

use super::*;
use crate::Message;

/// Takes as many bytes as it was allowed, then would block.
struct Sink {
    taken: Vec<u8>,
    room: usize,
    peer: PeerAddress,
}

impl Sink {
    fn new() -> Self {
        let endpoint = "tcp://127.0.0.1:1".parse().unwrap();
        Self {
            taken: Vec::new(),
            room: 0,
            peer: PeerAddress::new(endpoint),
        }
    }
}

impl Link for Sink {
    fn fd(&self) -> RawFd {
        -1
    }
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
    fn read_vectored(&mut self, _: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut written = 0;
        for slice in slices {
            let len = slice.len().min(self.room);
            self.taken.extend_from_slice(&slice[..len]);
            self.room -= len;
            written += len;
        }
        Ok(written)
    }
    fn peer(&self) -> &PeerAddress {
        &self.peer
    }
    fn shutdown(&mut self) {}
}

/// A transmitter whose peer shook hands by NULL.
fn transmitter() -> Transmitter {
    crate::link::tests::halves().1
}

/// Splits a byte stream into messages, by ZMTP's framing rules alone.
fn messages(mut stream: &[u8]) -> (Vec<Vec<Vec<u8>>>, usize) {
    let (mut all, mut parts) = (Vec::new(), Vec::new());
    loop {
        let (header, len) = match stream {
            [flags, len, ..] if flags & 2 == 0 => (2, *len as usize),
            [_, len @ ..] if len.len() >= 8 => {
                (9, u64::from_be_bytes(len[..8].try_into().unwrap()) as usize)
            }
            _ => return (all, parts.len() + stream.len()),
        };
        if stream.len() < header + len {
            return (all, parts.len() + stream.len());
        }
        let (frame, rest) = stream.split_at(header + len);
        if frame[0] & 4 == 0 {
            parts.push(frame[header..].to_vec());
            if frame[0] & 1 == 0 {
                all.push(std::mem::take(&mut parts));
            }
        }
        stream = rest;
    }
}

#[derive(Debug, Clone)]
enum Act {
    Send(Vec<usize>),
    SendThrough(Vec<usize>),
    WriteLent(usize),
    KeepLent,
    Command,
    Flush(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let len = prop_oneof![5 => 0..300_usize, 1 => 8_000..9_000_usize, 1 => 130_000..140_000_usize];
    let act = prop_oneof![
        4 => prop::collection::vec(len, 1..4).prop_map(Act::Send),
        1 => (prop::collection::vec(0..2_000_usize, 0..3), 0..300_000_usize)
            .prop_map(|(mut lens, last)| { lens.push(last); Act::SendThrough(lens) }),
        2 => (0..300_000_usize).prop_map(Act::WriteLent),
        1 => Just(Act::KeepLent),
        1 => Just(Act::Command),
        3 => prop_oneof![0..200_usize, 0..400_000_usize].prop_map(Act::Flush),
    ];
    prop::collection::vec(act, 1..24)
}

/// Parts whose bytes tell which message and part they are.
fn part(message: usize, part: usize, len: usize) -> Vec<u8> {
    (0..len)
        .map(|at| (message * 31 + part * 7 + at) as u8)
        .collect()
}

proptest! {
    /// Whatever was sent arrived whole and in order, or comes back whole and
    /// in order, or is the one message that was cut.
    #[test]
    fn nothing_is_lost_uncounted_when_a_link_dies(acts in acts()) {
        let pool = BufferPool::new(1 << 20);
        let mut tx = transmitter();
        let mut output = Output::default();
        let mut sink = Sink::new();
        let mut sent: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut lender: Option<Vec<u8>> = None;
        for act in acts {
            match act {
                Act::Send(lens) => {
                    let parts: Vec<_> = lens.iter().enumerate()
                        .map(|(index, &len)| part(sent.len(), index, len)).collect();
                    let message = Message::from(parts.clone());
                    output.append(&mut tx, &[], &message, 0);
                    sent.push(parts);
                }
                Act::SendThrough(lens) => {
                    let parts: Vec<_> = lens.iter().enumerate()
                        .map(|(index, &len)| part(sent.len(), index, len)).collect();
                    let borrowed: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
                    output.write_through(&mut tx, &mut sink, &pool, &[], &borrowed[..], 0);
                    if lender.is_none() && output.lent() > 0 {
                        lender = parts.last().cloned();
                    }
                    sent.push(parts);
                }
                Act::WriteLent(room) => if let Some(body) = &lender {
                    sink.room = room;
                    output.write_lent(&mut sink, body);
                    if output.lent() == 0 {
                        lender = None;
                    }
                },
                Act::KeepLent => if let Some(body) = lender.take() {
                    output.keep_lent(&pool, &body);
                },
                Act::Command => {
                    output.append_command(9, |room| {
                        room[..9].copy_from_slice(b"\x04\x07\x04PING\0\0");
                        9
                    });
                }
                Act::Flush(room) => {
                    sink.room = room;
                    output.flush(&mut sink);
                }
            }
            prop_assert!(output.messages() <= sent.len());
            prop_assert_eq!(lender.is_some(), output.lent() > 0);
            prop_assert_eq!(output.messages() == 0 && output.is_empty(), output.bytes() == 0);
        }
        let waiting = output.messages();
        let (recovered, cut) = output.recover(0, |_| None);
        let (arrived, rest) = messages(&sink.taken);
        prop_assert!(cut <= 1);
        if rest == 0 {
            prop_assert_eq!(cut, 0);
        }
        prop_assert_eq!(arrived.len() + waiting, sent.len());
        prop_assert_eq!(recovered.len() + cut as usize, waiting);
        let back: Vec<Vec<Vec<u8>>> = recovered.iter()
            .map(|message| message.iter().map(|frame| frame.to_vec()).collect()).collect();
        prop_assert_eq!(&arrived[..], &sent[..arrived.len()]);
        prop_assert_eq!(&back[..], &sent[sent.len() - back.len()..]);
    }
}

#[test]
fn a_long_backlog_of_copies_is_gathered_in_buffers_that_are_used_again() {
    let (mut tx, mut output, mut sink) = (transmitter(), Output::default(), Sink::new());
    let body = vec![1; 1000];
    for _ in 0..2 {
        for _ in 0..1000 {
            output.append(&mut tx, &[], &body[..], 0);
        }
        assert!(
            output.segments.len() >= 7,
            "{} segments",
            output.segments.len()
        );
        sink.room = usize::MAX;
        assert!(matches!(output.flush(&mut sink), Flushed::Done));
        assert_eq!(output.spares.len(), SPARES);
    }
}
