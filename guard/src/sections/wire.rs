//! The codec: frames of 64 bytes.

use std::hint::black_box;

use ferromq_wire::{
    Config, Connection, Event, FRAME_OVERHEAD, Instant, Limits, Null, Receiver, Scratch,
    SocketType, Status, Transmitter,
};

use super::{Failure, SMALL};
use crate::meter::section;

/// Frames of a batch.
const FRAMES: u32 = 256;

pub(super) fn run() -> Result<(), Failure> {
    let (mut receiver, mut transmitter) = established()?;
    let body = [0x5a; SMALL];

    let mut out = [0; SMALL + FRAME_OVERHEAD];
    section("wire: encode a frame of 64 B", FRAMES, |meter| {
        meter.count(|| {
            for _ in 0..FRAMES {
                let written = transmitter.frame(false, black_box(&body), black_box(&mut out));
                assert_eq!(black_box(written), SMALL + 2);
            }
        });
    });

    let mut single = encoded(&mut transmitter, &body, 1);
    section("wire: decode a frame of 64 B", FRAMES, |meter| {
        meter.count(|| decode(&mut receiver, black_box(&mut single)));
    });

    let short = encoded(&mut transmitter, &body, 1);
    section("wire: decode by the short way", FRAMES, |meter| {
        meter.count(|| {
            let mut rest: &[u8] = black_box(&short);
            while let Some(len) = receiver.short_message(rest) {
                rest = rest.get(len + 2..).unwrap_or_default();
            }
            assert!(rest.is_empty());
        });
    });

    let mut double = encoded(&mut transmitter, &body, 2);
    section("wire: decode a frame of two", FRAMES, |meter| {
        meter.count(|| decode(&mut receiver, black_box(&mut double)));
    });
    Ok(())
}

/// [`FRAMES`] frames, in messages of so many.
fn encoded(transmitter: &mut Transmitter, body: &[u8], parts: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut room = [0; SMALL + FRAME_OVERHEAD];
    for index in 1..=FRAMES {
        let more = index % parts != 0;
        let written = transmitter.frame(more, body, &mut room);
        bytes.extend_from_slice(&room[..written]);
    }
    bytes
}

fn decode(receiver: &mut Receiver, bytes: &mut [u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let progress = receiver.handle_input(rest).expect("we encoded it");
        let Some(Event::Frame { body, .. }) = progress.event else {
            panic!("not a frame: {progress:?}");
        };
        black_box(body);
        rest = rest.get_mut(progress.consumed..).unwrap_or_default();
    }
}

/// The two halves of a PULL that a PUSH is connected to.
fn established() -> Result<(Receiver, Transmitter), Failure> {
    let now = Instant::from_nanos(0);
    let side = |socket_type| -> Result<_, Failure> {
        let mut scratch = Scratch::new();
        let config = Config::new(socket_type);
        let connection = Connection::new(&config, Null, &mut scratch, now)?;
        Ok((connection, scratch, Vec::new()))
    };
    let mut sides = [side(SocketType::Pull)?, side(SocketType::Push)?];
    // The handshake takes four turns at most.
    for turn in 0..16 {
        let [pull, push] = &mut sides;
        let (ours, theirs) = if turn % 2 == 0 {
            (pull, push)
        } else {
            (push, pull)
        };
        let output = ours.0.poll_output(&ours.1).to_vec();
        ours.0.output_written(&mut ours.1, output.len());
        theirs.2.extend(output);
        let consumed = theirs.0.handle_input(&mut theirs.2, &mut theirs.1)?;
        theirs.2.drain(..consumed);
    }
    let [(pull, ..), _] = sides;
    if pull.status() != Status::Established {
        return Err("the handshake did not end".into());
    }
    let halves = pull.establish(Limits::default(), 16 * 1024);
    halves.ok_or_else(|| "no halves".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_run_outside_valgrind_too() {
        run().expect("runs");
    }
}
