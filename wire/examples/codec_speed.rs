//! What encoding and decoding cost, without any I/O.
//!
//! ```text
//! cargo run --release -p ferromq-wire --features std --example codec_speed
//! ```

use ferromq_wire::{
    Config, Connection, Event, Features, Instant, Limits, Null, Offer, Receiver, Scratch,
    SocketType, Transmitter,
};
use std::hint::black_box;
use std::time::Instant as Clock;

const BODY: usize = 64;
/// As many frames as a receive block of 64 KiB holds.
const FRAMES: usize = 64 * 1024 / (BODY + 2);
const ROUNDS: usize = 20_000;
const LARGE: usize = 64 * 1024;

fn main() {
    let (mut receiver, mut transmitter) = established(Features::NONE);
    let block = encode(&mut transmitter, false);
    let mut work = block.clone();
    let decode = nanos_per_frame(|| decode(&mut receiver, black_box(&mut work)));
    println!("decode {BODY} B          {decode:6.2} ns/frame");

    let more = encode(&mut transmitter, true);
    let mut work = more.clone();
    let two = nanos_per_frame(|| self::decode(&mut receiver, black_box(&mut work)));
    println!("decode {BODY} B, multipart{two:6.2} ns/frame");

    let body = [7; BODY];
    let mut out = vec![0; LARGE + 64];
    let encode = nanos_per_frame(|| encode_block(&mut transmitter, black_box(&body), &mut out));
    println!("encode {BODY} B          {encode:6.2} ns/frame");

    let (mut receiver, mut transmitter) = established(Features::CRC);
    let mut with_crc = self::encode(&mut transmitter, false);
    let decode = nanos_per_frame(|| self::decode(&mut receiver, black_box(&mut with_crc)));
    println!("decode {BODY} B + CRC    {decode:6.2} ns/frame");

    let large = vec![7; LARGE];
    let header = transmitter.header(false, LARGE as u64);
    let start = Clock::now();
    for _ in 0..ROUNDS {
        black_box(transmitter.trailer(&header, black_box(&large)));
    }
    let nanos = start.elapsed().as_nanos() as f64;
    println!(
        "CRC of 64 KiB        {:6.2} GB/s",
        (LARGE * ROUNDS) as f64 / nanos
    );
}

/// The two halves of a connection whose peer offers what we offer.
fn established(features: Features) -> (Receiver, Transmitter) {
    let config = Config {
        offer: Some(Offer::new(features)),
        ..Config::new(SocketType::Pair)
    };
    let now = Instant::from_nanos(0);
    let mut scratches = [Scratch::new(), Scratch::new()];
    let [one, two] = &mut scratches;
    let mut a = Connection::new(&config, Null, one, now).unwrap();
    let mut b = Connection::new(&config, Null, two, now).unwrap();
    for _ in 0..2 {
        let mut bytes = a.poll_output(one).to_vec();
        a.output_written(one, bytes.len());
        b.handle_input(&mut bytes, two).unwrap();
        let mut bytes = b.poll_output(two).to_vec();
        b.output_written(two, bytes.len());
        a.handle_input(&mut bytes, one).unwrap();
    }
    let mut bytes = a.poll_output(one).to_vec();
    a.output_written(one, bytes.len());
    b.handle_input(&mut bytes, two).unwrap();
    a.establish(Limits::default(), LARGE).unwrap()
}

/// A block of frames; all but the last of each ten are followed by more, if
/// `multipart`.
fn encode(transmitter: &mut Transmitter, multipart: bool) -> Vec<u8> {
    let mut block = Vec::new();
    let mut out = [0; BODY + ferromq_wire::FRAME_OVERHEAD];
    for at in 1..=FRAMES {
        let more = multipart && at % 10 != 0 && at != FRAMES;
        let len = transmitter.frame(more, &[7; BODY], &mut out);
        block.extend_from_slice(&out[..len]);
    }
    block
}

fn encode_block(transmitter: &mut Transmitter, body: &[u8], out: &mut [u8]) {
    let mut at = 0;
    for _ in 0..FRAMES {
        at += transmitter.frame(false, body, &mut out[at..]);
    }
    assert_eq!(at, FRAMES * (BODY + 2));
}

fn decode(receiver: &mut Receiver, block: &mut [u8]) {
    let mut at = 0;
    let mut frames = 0;
    while at < block.len() {
        let progress = receiver.handle_input(&mut block[at..]).unwrap();
        if let Some(Event::Frame { body, .. }) = progress.event {
            black_box(&block[at..][body]);
            frames += 1;
        }
        at += progress.consumed;
    }
    assert_eq!(frames, FRAMES);
}

/// The best of many rounds: the machine may be shared.
fn nanos_per_frame(mut block: impl FnMut()) -> f64 {
    let best = (0..ROUNDS)
        .map(|_| {
            let start = Clock::now();
            block();
            start.elapsed()
        })
        .min();
    best.unwrap_or_default().as_nanos() as f64 / FRAMES as f64
}
