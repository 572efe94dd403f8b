//! What errors and names say: people search for these words.

use ferromq_wire::{
    ConfigError, FRAME_OVERHEAD, Features, FrameFlags, HandshakeError, KeyError, MechanismName,
    ProtocolError, PublicKey, SecretKey, SharedKey, SocketType, SwitchError, SwitchReason,
    TensorError, Version,
};

#[test]
fn handshake_errors_say_what_was_wrong_with_its_numbers() {
    use HandshakeError::*;
    let (ours, theirs) = (MechanismName::new("NULL"), MechanismName::new("CURVE"));
    let push = SocketType::Push;
    let said = [
        (
            NotZmtp { first: 0x47 },
            "first byte 0x47 is not zmtp 3's 0xff",
        ),
        (
            BadSignature { last: 0 },
            "greeting signature ends in 0x00, not 0x7f",
        ),
        (VersionTooOld { major: 2 }, "protocol revision 2 is below 3"),
        (
            MechanismMismatch { ours, theirs },
            "mechanism mismatch: ours is NULL, the peer's CURVE",
        ),
        (BothServers, "both sides are the mechanism's server"),
        (
            TrafficTooEarly { flags: 1 },
            "message frame (flags 0x01) within the handshake",
        ),
        (
            BadFlags { flags: 9 },
            "flags 0x09 are not a handshake command's",
        ),
        (
            CommandTooLarge { len: 9, limit: 8 },
            "handshake command of 9 bytes exceeds the limit of 8",
        ),
        (
            MalformedCommand { len: 3 },
            "malformed handshake command of 3 bytes",
        ),
        (
            UnexpectedCommand { name_len: 5 },
            "unexpected handshake command (name of 5 bytes)",
        ),
        (
            MetadataTooLarge { len: 9, limit: 8 },
            "metadata of 9 bytes exceeds the limit of 8",
        ),
        (TooManyProperties { limit: 32 }, "more than 32 properties"),
        (
            PropertyOverrun { offset: 7 },
            "property at offset 7 overruns the metadata",
        ),
        (
            EmptyPropertyName { offset: 7 },
            "property at offset 7 has no name",
        ),
        (
            DuplicateProperty { offset: 7 },
            "property at offset 7 is a duplicate",
        ),
        (
            IncompatibleSocketTypes {
                ours: push,
                theirs: Some(SocketType::Sub),
            },
            "a SUB peer cannot talk to PUSH",
        ),
        (
            IncompatibleSocketTypes {
                ours: push,
                theirs: None,
            },
            "a peer of unknown socket type cannot talk to PUSH",
        ),
        (
            IdentityTooLong { len: 256 },
            "identity of 256 bytes exceeds the limit of 255",
        ),
        (ReservedIdentity, "identity starts with a zero byte"),
        (
            RefusedByPeer { status: Some(400) },
            "refused by the peer with status 400",
        ),
        (RefusedByPeer { status: None }, "refused by the peer"),
        (Denied { status: 300 }, "denied with status 300"),
        (Forged, "a curve box does not open or is not the peer's"),
        (
            NonceReused { nonce: 4 },
            "curve nonce 4 is not above the last",
        ),
        (
            CurveVersion { major: 2, minor: 1 },
            "curve version 2.1 is not 1.0",
        ),
        (TimedOut, "handshake not over in time"),
        (NoDecisionAwaited, "no decision is awaited"),
        (
            OutputFull { len: 5 },
            "no room for 5 bytes of handshake output",
        ),
    ];
    for (error, text) in said {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn protocol_errors_say_what_was_wrong_with_its_numbers() {
    use ProtocolError::*;
    let said = [
        (ReservedFlags { flags: 0x80 }, "reserved bits in flags 0x80"),
        (CommandWithMore, "command with the more flag"),
        (
            SizeOverflow { len: 1 << 63 },
            "frame size 9223372036854775808 is 2^63 or more",
        ),
        (
            FrameTooLarge { len: 9, limit: 8 },
            "frame size of 9 bytes exceeds the limit of 8",
        ),
        (
            MessageTooLarge { len: 9, limit: 8 },
            "message cost of 9 bytes exceeds the limit of 8",
        ),
        (TooManyParts { limit: 4 }, "message of more than 4 frames"),
        (
            CommandTooLarge { len: 9, limit: 8 },
            "command size of 9 bytes exceeds the limit of 8",
        ),
        (MalformedCommand { len: 3 }, "malformed command of 3 bytes"),
        (LateReady, "ready command after the handshake"),
        (
            ContextTooLong { len: 17 },
            "heartbeat context of 17 bytes exceeds the limit of 16",
        ),
        (
            MalformedGroup { len: 256 },
            "group of 256 bytes is over 255 or has a zero byte",
        ),
        (
            TooManyIgnored { limit: 16 },
            "more than 16 commands had to be ignored",
        ),
        (
            MalformedMessage { len: 3 },
            "frame of 3 bytes is no curve message",
        ),
        (Forged, "a curve message does not open"),
        (
            NonceReused { nonce: 4 },
            "curve nonce 4 is not above the last",
        ),
        (
            ChecksumMismatch {
                computed: 1,
                received: 2,
            },
            "checksum 0x00000002 received, 0x00000001 computed",
        ),
    ];
    for (error, text) in said {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn configuration_errors_say_what_was_wrong_with_its_numbers() {
    use ConfigError::*;
    let said = [
        (
            IdentityTooLong { len: 256 },
            "identity of 256 bytes exceeds the limit of 255",
        ),
        (ReservedIdentity, "identity starts with a zero byte"),
        (
            BadPropertyName { index: 1 },
            "name of property 1 is not 1 to 255 bytes long",
        ),
        (
            DuplicateProperty { index: 1 },
            "name of property 1 is already taken",
        ),
        (TooManyProperties { limit: 32 }, "more than 32 properties"),
        (
            MetadataTooLarge { limit: 9 },
            "properties exceed the limit of 9 bytes",
        ),
        (
            CredentialTooLong { len: 256 },
            "credential of 256 bytes exceeds the limit of 255",
        ),
    ];
    for (error, text) in said {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn names_are_the_rfcs_and_secrets_are_not_shown() {
    assert_eq!(SocketType::XPub.to_string(), "XPUB");
    assert_eq!(Version::ZMTP_3_0.to_string(), "3.0");
    let plain = MechanismName::new("PLAIN");
    assert_eq!(plain.to_string(), "PLAIN");
    assert_eq!(format!("{plain:?}"), "MechanismName(PLAIN)");
    assert_eq!(format!("{:?}", FrameFlags::MORE), "FrameFlags(0x01)");
    let key = PublicKey([0; 32]);
    assert_eq!(key.to_string(), "0".repeat(40));
    assert_eq!(format!("{key:?}"), format!("PublicKey({key})"));
    let secret = SecretKey::from_bytes(&[7; 32]).expect("32 bytes");
    assert_eq!(format!("{secret:?}"), "SecretKey(..)");
    assert_eq!(format!("{:?}", SharedKey::new([7; 32])), "SharedKey(..)");
    let short = TensorError::Short {
        len: 1,
        needed: 128,
    }
    .to_string();
    assert!(short.contains("128") && short.contains('1'), "{short}");
}

#[test]
fn keys_are_32_bytes_or_40_characters_with_or_without_a_zero_behind() {
    let text = b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7";
    let key = PublicKey::from_bytes(text).expect("a key of zmq_curve_keypair(3)'s page");
    assert_eq!(key.0[..4], [0x54, 0xfc, 0xba, 0x24]);
    assert_eq!(PublicKey::from_bytes(&[&text[..], b"\0"].concat()), Ok(key));
    assert_eq!(key.to_z85(), *text);
    let secret = SecretKey::from_bytes(text).expect("a key is a key");
    assert_eq!(secret.expose_z85(), *text);
    // A raw key may end in any byte.
    let raw = [&[1; 31][..], &[0]].concat();
    assert_eq!(
        PublicKey::from_bytes(&raw).map(|key| key.0.to_vec()),
        Ok(raw)
    );
    for len in [0, 1, 31, 33, 39, 42] {
        let refused = PublicKey::from_bytes(&vec![b'0'; len]);
        assert_eq!(refused, Err(KeyError::Length { len }));
    }
    assert!(PublicKey::from_bytes(&[b'0'; 41]).is_err());
}

#[test]
fn refused_keys_are_told_with_their_numbers() {
    let said = [
        (
            KeyError::Length { len: 33 },
            "a key has 32 bytes or 40 characters, not 33",
        ),
        (
            KeyError::Character { at: 7 },
            "character 7 of the key is not one of z85's",
        ),
        (
            KeyError::Overflow { at: 5 },
            "the five characters at 5 of the key exceed 32 bits in z85",
        ),
    ];
    for (error, text) in said {
        assert_eq!(error.to_string(), text);
    }
}

// 37/ZMTP: bit 0 is MORE, bit 1 LONG, bit 2 COMMAND.
#[test]
fn flags_are_the_bits_of_the_rfc() {
    let flags = [FrameFlags::LAST, FrameFlags::MORE, FrameFlags::COMMAND];
    assert_eq!(flags.map(FrameFlags::bits), [0, 1, 4]);
}

#[test]
fn extensions_are_a_set() {
    let crc = Features::CRC;
    assert_eq!(crc | crc, crc, "twice is once");
    assert_eq!(crc | Features::NONE, crc);
    assert_eq!(crc & Features::NONE, Features::NONE);
}

#[test]
fn a_frame_gets_13_bytes_more_at_most() {
    // A flag byte, eight of size, four of checksum.
    assert_eq!(FRAME_OVERHEAD, 1 + 8 + 4);
}

#[test]
fn why_a_connection_stays_where_it_is_can_be_read() {
    use SwitchReason::{
        Broken, Exhausted, NoPlace, Other, OtherUser, TimedOut, Unreachable, WrongProof,
    };
    let texts = [
        (Other, "the short path was refused"),
        (NoPlace, "no place to meet could be made"),
        (Unreachable, "nobody was found at the place to meet"),
        (OtherUser, "another user was met"),
        (WrongProof, "who was met is not the same peer"),
        (TimedOut, "the short path took too long"),
        (Broken, "the short path broke"),
        (
            Exhausted,
            "memory or descriptors for the short path are not to be had",
        ),
    ];
    for (reason, text) in texts {
        assert_eq!(reason.to_string(), text);
    }
    let stray = SwitchError::Stray { flags: 4, len: 7 };
    let text = "frame of 7 bytes with flags 0x04 while the switch is undecided";
    assert_eq!(stray.to_string(), text);
    let out_of_turn = SwitchError::OutOfTurn.to_string();
    assert_eq!(out_of_turn, "XFERRO or SWITCH out of turn");
    let cause = ProtocolError::FrameTooLarge { len: 9, limit: 8 };
    let error = SwitchError::from(cause);
    assert_eq!(error.to_string(), cause.to_string());
}
