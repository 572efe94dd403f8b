//! Bytes arrive, whole and in order.

use std::io::{IoSlice, IoSliceMut};

use super::end::{End, Read, Written};
use super::trial::Trial;
use super::verdict::{Finding, ensure};

/// A stream of bytes in which each place looks different.
#[derive(Clone, Copy)]
pub(super) struct Pattern(pub(super) u64);

impl Pattern {
    pub(super) fn bytes(self, from: u64, len: usize) -> Vec<u8> {
        (from..).take(len).map(|at| self.at(at)).collect()
    }

    fn at(self, place: u64) -> u8 {
        ((place ^ self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
    }

    pub(super) fn check(self, from: u64, bytes: &[u8]) -> Result<(), Finding> {
        let wrong = (from..).zip(bytes).find(|&(at, &byte)| self.at(at) != byte);
        let Some((at, byte)) = wrong else {
            return Ok(());
        };
        let sent = self.at(at);
        Err(Finding::new(format!(
            "byte {at} of the stream was written as {sent:#04x} and read as {byte:#04x}"
        )))
    }
}

/// One direction of traffic, and how far it has come.
pub(super) struct Flow {
    pattern: Pattern,
    total: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
}

impl Flow {
    pub(super) fn new(trial: &Trial, total: u64) -> Self {
        Self {
            pattern: Pattern(trial.number()),
            total,
            sent: 0,
            received: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.received == self.total
    }

    /// Writes until the link takes no more, or all is written.
    pub(super) fn push(&mut self, trial: &Trial, from: &mut End) -> Result<(), Finding> {
        while self.sent < self.total {
            let left = usize::try_from(self.total - self.sent).unwrap_or(usize::MAX);
            let bytes = self
                .pattern
                .bytes(self.sent, trial.length(200_000).min(left));
            let written = match trial.number() % 2 {
                0 => from.write(&bytes)?,
                _ => from.write_vectored(&cut(trial, &bytes))?,
            };
            match written {
                Written::Bytes(written) => self.sent += written as u64,
                Written::Nothing => return Ok(()),
                Written::Over => return Err(from.finds("the link ended while it was written to")),
            }
        }
        Ok(())
    }

    /// Reads until nothing is left.
    pub(super) fn pull(&mut self, trial: &Trial, to: &mut End) -> Result<(), Finding> {
        while !self.is_over() {
            if self.pull_once(trial, to)?.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reads once: how much, and how much it would have been if the first buffer
    /// had been filled.
    pub(super) fn pull_once(
        &mut self,
        trial: &Trial,
        to: &mut End,
    ) -> Result<Option<(usize, usize)>, Finding> {
        let mut buf = vec![UNTOUCHED; trial.length(200_000)];
        let (read, asked) = match trial.number() % 2 {
            0 => (to.read(&mut buf)?, buf.len()),
            _ => {
                let mut bufs = cut_mut(trial, &mut buf);
                let asked = bufs.first().map_or(0, |first| first.len());
                (to.read_vectored(&mut bufs)?, asked)
            }
        };
        match read {
            Read::Bytes(read) => {
                self.pattern.check(self.received, &buf[..read])?;
                ensure(buf[read..].iter().all(|&byte| byte == UNTOUCHED), || {
                    format!("a read of {read} bytes wrote behind them")
                })?;
                self.received += read as u64;
                Ok(Some((read, asked)))
            }
            Read::Nothing => Ok(None),
            Read::Over => {
                let (received, sent) = (self.received, self.sent);
                Err(to.finds(&format!("the end after {received} of {sent} bytes")))
            }
        }
    }

    /// Sleeps until one of the two sides can go on.
    pub(super) fn await_progress(&self, from: &mut End, to: &mut End) -> Result<(), Finding> {
        match self.sent > self.received {
            true => to.await_input(),
            false => from.await_room(),
        }
    }

    /// Moves everything.
    pub(super) fn run(
        &mut self,
        trial: &Trial,
        from: &mut End,
        to: &mut End,
    ) -> Result<(), Finding> {
        while !self.is_over() {
            self.push(trial, from)?;
            self.pull(trial, to)?;
            if !self.is_over() {
                self.await_progress(from, to)?;
            }
        }
        Ok(())
    }
}

/// Cuts bytes into buffers of uneven lengths, some of them empty, and now and
/// then more of them than a system call takes.
fn cut<'a>(trial: &Trial, mut bytes: &'a [u8]) -> Vec<IoSlice<'a>> {
    let longest = longest_piece(trial, bytes.len());
    let mut slices = Vec::new();
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(trial.length(longest).min(bytes.len()));
        slices.push(IoSlice::new(piece));
        if slices.len() % 7 == 0 {
            slices.push(IoSlice::new(&[]));
        }
        bytes = rest;
    }
    slices
}

fn cut_mut<'a>(trial: &Trial, mut bytes: &'a mut [u8]) -> Vec<IoSliceMut<'a>> {
    let longest = longest_piece(trial, bytes.len());
    let mut slices = Vec::new();
    while !bytes.is_empty() {
        let here = trial.length(longest).min(bytes.len());
        let (piece, rest) = bytes.split_at_mut(here);
        slices.push(IoSliceMut::new(piece));
        bytes = rest;
    }
    slices
}

fn longest_piece(trial: &Trial, len: usize) -> usize {
    match trial.number() % 4 {
        0 => 64,
        _ => len.max(1),
    }
}

pub(super) fn bytes_arrive_whole_and_in_order(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    Flow::new(trial, 4 << 20).run(trial, &mut client, &mut server)?;
    Flow::new(trial, 4 << 20).run(trial, &mut server, &mut client)
}

pub(super) fn both_directions_move_at_once(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    let mut there = Flow::new(trial, 1 << 20);
    let mut back = Flow::new(trial, 1 << 20);
    // Both are filled before either is emptied: one must not hold up the other.
    while !(there.is_over() && back.is_over()) {
        there.push(trial, &mut client)?;
        back.push(trial, &mut server)?;
        there.pull(trial, &mut server)?;
        back.pull(trial, &mut client)?;
        if !there.is_over() {
            there.await_progress(&mut client, &mut server)?;
        } else if !back.is_over() {
            back.await_progress(&mut server, &mut client)?;
        }
    }
    Ok(())
}

pub(super) fn a_single_byte_leaves_at_once(trial: &Trial) -> Result<(), Finding> {
    let (mut client, mut server) = trial.pair()?;
    for round in 0..50_u8 {
        client.write_all(&[round])?;
        let heard = server.read_exact(1)?;
        ensure(heard == [round], || format!("{round} became {heard:?}"))?;
        server.write_all(&[!round])?;
        let heard = client.read_exact(1)?;
        ensure(heard == [!round], || format!("{} became {heard:?}", !round))?;
    }
    Ok(())
}

/// Links at once: more than a queue of connections that somebody forgot to size.
const LINKS: usize = 64;

pub(super) fn many_links_stay_apart(trial: &Trial) -> Result<(), Finding> {
    let mut door = trial.listen()?;
    let mut links = Vec::new();
    for _ in 0..LINKS {
        let (client, server) = trial.meet(&mut door)?;
        links.push((client, server, Flow::new(trial, 20_000)));
    }
    while links.iter().any(|(_, _, flow)| !flow.is_over()) {
        for (client, _, flow) in &mut links {
            flow.push(trial, client)?;
        }
        for (client, server, flow) in &mut links {
            flow.pull(trial, server)?;
            if !flow.is_over() {
                flow.await_progress(client, server)?;
            }
        }
    }
    Ok(())
}

/// What a read must leave alone.
const UNTOUCHED: u8 = 0xA5;
