//! Random and damaged streams, over every split point, against a decoder that
//! was written differently.

use crate::common::decode::{Reader, Seen};
use crate::common::reference::{Fault, Reference, Rules, crc32};
use crate::common::{established, frame};
use ferromq_wire::{Features, Limits, Offer, ProtocolError};
use proptest::collection::vec;
use proptest::prelude::*;

const LONGEST_COMMAND: u64 = 512;

fn fault(error: ProtocolError) -> Fault {
    match error {
        ProtocolError::ReservedFlags { .. } => Fault::Flags,
        ProtocolError::CommandWithMore => Fault::CommandMore,
        ProtocolError::SizeOverflow { .. } => Fault::Size,
        ProtocolError::FrameTooLarge { .. } => Fault::FrameLimit,
        ProtocolError::MessageTooLarge { .. } => Fault::MessageLimit,
        ProtocolError::TooManyParts { .. } => Fault::PartLimit,
        ProtocolError::CommandTooLarge { .. } => Fault::CommandLimit,
        ProtocolError::MalformedCommand { .. } => Fault::Malformed,
        ProtocolError::LateReady => Fault::LateReady,
        ProtocolError::ContextTooLong { .. } => Fault::Context,
        ProtocolError::MalformedGroup { .. } => Fault::Group,
        ProtocolError::TooManyIgnored { .. } => Fault::Ignored,
        ProtocolError::ChecksumMismatch { .. } => Fault::Checksum,
        ProtocolError::MalformedReference { .. } => Fault::Reference,
        other => panic!("{other}"),
    }
}

type Outcome = (Vec<Seen>, u32, Result<(), Fault>);

fn by_reference(rules: &Rules, stream: &[u8]) -> Outcome {
    let mut reference = Reference::new(rules.clone());
    let result = reference.read(stream);
    (reference.seen, reference.ignored, result)
}

fn by_crate(rules: &Rules, pieces: &[&[u8]]) -> Outcome {
    let limits = Limits {
        frame: rules.frame,
        message: rules.message,
        parts: rules.parts,
        command: 512,
    };
    let offer = match (rules.checksums, rules.references) {
        // Who has checksums has no references, whatever is offered.
        (true, _) => Some(Offer::new(Features::CRC | Features::BY_REFERENCE)),
        (_, true) => Some(Offer::new(Features::BY_REFERENCE)),
        (false, false) => None,
    };
    let mut reader = Reader::new(established(limits, 1, offer).0);
    let result = pieces.iter().try_for_each(|piece| reader.read(piece));
    (reader.seen.clone(), reader.ignored(), result.map_err(fault))
}

fn rules() -> impl Strategy<Value = Rules> {
    let limit = prop_oneof![Just(u64::MAX), 0..1500u64, 200..300u64];
    let message = prop_oneof![Just(u64::MAX), 0..3000u64];
    let parts = prop_oneof![Just(u32::MAX), 0..5u32];
    let extension = prop_oneof![
        Just((false, false)),
        Just((true, false)),
        Just((false, true))
    ];
    (limit, message, parts, extension).prop_map(|(frame, message, parts, extension)| Rules {
        frame,
        message,
        parts,
        longest_command: LONGEST_COMMAND,
        checksums: extension.0,
        references: extension.1,
    })
}

/// A frame of a plausible stream, without trailer.
fn plausible_frame() -> impl Strategy<Value = Vec<u8>> {
    let small = (0..4u8, vec(any::<u8>(), 0..40)).prop_map(|(flags, body)| frame(flags, &body));
    let large = (0..4u8, 240..1200usize).prop_map(|(flags, len)| frame(flags, &vec![0xA5; len]));
    let names = prop_oneof![
        Just("PING"),
        Just("PONG"),
        Just("SUBSCRIBE"),
        Just("CANCEL"),
        Just("ERROR"),
        Just("XYZZY"),
    ];
    let command = (names, vec(0..24u8, 0..24), any::<bool>()).prop_map(|(name, data, long)| {
        let body = [&[name.len() as u8], name.as_bytes(), &data].concat();
        frame(if long { 6 } else { 4 }, &body)
    });
    let byte = prop_oneof![40 => 1..=255u8, 1 => Just(0u8)];
    let group = prop_oneof![8 => vec(byte.clone(), 0..20), 1 => vec(byte, 250..260)];
    let membership = (prop_oneof![Just("JOIN"), Just("LEAVE")], group).prop_map(|(name, group)| {
        let body = [&[name.len() as u8], name.as_bytes(), &group].concat();
        frame(4, &body)
    });
    let reference = (8..12u8, 0..2000u64, any::<u64>(), 63..66usize).prop_map(|it| {
        let (flags, len, token, size) = it;
        let reference = ferromq_wire::Reference {
            region: 3,
            offset: 64,
            len,
            key: 0,
            token,
        };
        let size = if token % 8 == 0 { size } else { 64 };
        frame(flags, &[&reference.encode()[..], &[0]].concat()[..size])
    });
    let release = vec(any::<u8>(), 7..10).prop_map(|token| {
        let len = if token[0] < 20 {
            token.len()
        } else {
            token.len().min(8)
        };
        frame(4, &[b"\x07RELEASE", &token[..len]].concat())
    });
    let rare = prop_oneof![
        Just(frame(4, b"\x05READY")),
        Just(frame(4, b"")),
        Just(frame(4, b"\x09SUB")),
        Just(frame(6, &[b'x'; 513])),
        Just(frame(6, &[1; 512])),
        vec(any::<u8>(), 1..12),
        (0..8u8, any::<u64>())
            .prop_map(|(flags, size)| { [&[flags | 2], &size.to_be_bytes()[..]].concat() }),
    ];
    prop_oneof![
        8 => small, 2 => large, 6 => command, 2 => membership, 1 => rare,
        3 => reference, 2 => release,
    ]
}

fn stream(frames: Vec<Vec<u8>>, rules: &Rules) -> Vec<u8> {
    let mut stream = Vec::new();
    for frame in frames {
        stream.extend_from_slice(&frame);
        if rules.checksums {
            stream.extend_from_slice(&crc32(&frame).to_le_bytes());
        }
    }
    stream
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn on_plausible_streams_at_every_split(
        rules in rules(),
        frames in vec(plausible_frame(), 0..30),
    ) {
        let stream = stream(frames, &rules);
        let expected = by_reference(&rules, &stream);
        // Every split of a short stream, every 7th or so of a long one.
        let step = 1 + stream.len() / 300;
        for split in (0..=stream.len()).step_by(step) {
            let (head, tail) = stream.split_at(split);
            prop_assert_eq!(&by_crate(&rules, &[head, tail]), &expected);
        }
    }

    #[test]
    fn on_damaged_streams_in_pieces(
        rules in rules(),
        frames in vec(plausible_frame(), 1..12),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        piece in 1..40usize,
    ) {
        let mut stream = stream(frames, &rules);
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] ^= byte;
        }
        let pieces: Vec<&[u8]> = stream.chunks(piece).collect();
        prop_assert_eq!(by_crate(&rules, &pieces), by_reference(&rules, &stream));
    }

    #[test]
    fn on_noise(rules in rules(), noise in vec(0..18u8, 0..200), piece in 1..10usize) {
        let pieces: Vec<&[u8]> = noise.chunks(piece).collect();
        prop_assert_eq!(by_crate(&rules, &pieces), by_reference(&rules, &noise));
    }

    #[test]
    fn what_the_encoder_writes_reads_back(
        checksums in any::<bool>(),
        frames in vec((any::<bool>(), vec(any::<u8>(), 0..600)), 0..10),
    ) {
        let offer = checksums.then(|| Offer::new(Features::CRC));
        let (receiver, mut transmitter) = established(Limits::default(), 1, offer);
        let mut stream = Vec::new();
        let mut out = vec![0; 1024];
        for (more, body) in &frames {
            let len = transmitter.frame(*more, body, &mut out);
            stream.extend_from_slice(&out[..len]);
        }
        let mut reader = Reader::new(receiver);
        prop_assert_eq!(reader.read(&stream), Ok(()));
        let sent: Vec<Seen> = frames
            .into_iter()
            .map(|(more, body)| Seen::Frame { more, body })
            .collect();
        prop_assert_eq!(reader.seen, sent);
    }
}
