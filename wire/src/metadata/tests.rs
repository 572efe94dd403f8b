extern crate std;
use super::*;
use crate::Features;
use std::vec::Vec as Heap;

fn property(name: &[u8], value: &[u8]) -> Heap<u8> {
    let mut bytes = std::vec![name.len() as u8];
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

#[test]
fn layout_is_name_length_name_value_length_value() {
    // C26
    let mut out = LocalMetadata::new();
    let mut config = Config::new(SocketType::Dealer);
    config.identity = b"me";
    config.properties = &[("X-Color", b"red")];
    config.offer = Some(Offer::new(Features::CRC));
    encode(&config, &mut out).unwrap();
    let expected = [
        b"\x0bSocket-Type\0\0\0\x06DEALER".as_slice(),
        b"\x08Identity\0\0\0\x02me",
        b"\x07X-Color\0\0\0\x03red",
        b"\x09X-FerroMQ\0\0\0\x10\0\x01\0\0\0\0\0\x01\0\0\0\0\0\0\0\0",
    ];
    assert_eq!(out.as_slice(), expected.concat());
    assert_eq!(check(&out), Ok(()));
    assert_eq!(find(&out, "x-cOLOR"), Some(&b"red"[..]));
    assert_eq!(find(&out, "Color"), None);
}

#[test]
fn truncation_at_any_byte_is_an_overrun() {
    // C26, HOSTILE 23
    let whole = [property(b"A", b"xyz"), property(b"BC", b"")].concat();
    for end in 0..=whole.len() {
        let at_a_boundary = [0, property(b"A", b"xyz").len(), whole.len()].contains(&end);
        assert_eq!(check(&whole[..end]).is_ok(), at_a_boundary, "{end}");
    }
}

#[test]
fn value_length_of_all_ones_is_an_overrun() {
    // HOSTILE 22
    let bytes = b"\x01A\xff\xff\xff\xffabc";
    let overrun = HandshakeError::PropertyOverrun { offset: 0 };
    assert_eq!(check(bytes), Err(overrun));
}

#[test]
fn empty_names_and_duplicates_are_refused() {
    // HOSTILE 23, 24
    let empty = [property(b"A", b""), property(b"", b"x")].concat();
    let error = HandshakeError::EmptyPropertyName { offset: 6 };
    assert_eq!(check(&empty), Err(error));
    let twice = [property(b"Abc", b"1"), property(b"aBC", b"1")].concat();
    let error = HandshakeError::DuplicateProperty { offset: 9 };
    assert_eq!(check(&twice), Err(error));
}

#[test]
fn four_kibibytes_and_thirty_two_properties_pass_and_one_more_does_not() {
    // HOSTILE 25
    let overhead = property(b"A", b"").len();
    let largest = property(b"A", &std::vec![7; 4096 - overhead]);
    assert_eq!(check(&largest), Ok(()));
    let larger = property(b"A", &std::vec![7; 4097 - overhead]);
    let error = HandshakeError::MetadataTooLarge {
        len: 4097,
        limit: 4096,
    };
    assert_eq!(check(&larger), Err(error));

    let many = |count: u8| -> Heap<u8> {
        (0..count)
            .flat_map(|n| property(&[b'a' + n], b""))
            .collect()
    };
    assert_eq!(check(&many(26)), Ok(()));
    let named =
        |count: u8| -> Heap<u8> { (0..count).flat_map(|n| property(&[b'x', n], b"")).collect() };
    assert_eq!(check(&named(32)), Ok(()));
    let error = HandshakeError::TooManyProperties { limit: 32 };
    assert_eq!(check(&named(33)), Err(error));
}

#[test]
fn identity_rules_hold_for_both_sides() {
    // HOSTILE 27, 28
    let long = [b'i'; 256];
    assert_eq!(
        identity(&property(b"identity", &long[..255])),
        Ok(&long[..255])
    );
    let error = HandshakeError::IdentityTooLong { len: 256 };
    assert_eq!(identity(&property(b"Identity", &long)), Err(error));
    let zero = property(b"Identity", b"\0a");
    assert_eq!(identity(&zero), Err(HandshakeError::ReservedIdentity));
    assert_eq!(identity(b""), Ok(&b""[..]));

    let mut out = LocalMetadata::new();
    let mut config = Config::new(SocketType::Router);
    config.identity = &long;
    let error = ConfigError::IdentityTooLong { len: 256 };
    assert_eq!(encode(&config, &mut out), Err(error));
    config.identity = b"\0";
    assert_eq!(
        encode(&config, &mut out),
        Err(ConfigError::ReservedIdentity)
    );
}

#[test]
fn only_req_dealer_and_router_send_an_identity() {
    // C29
    for kind in SocketType::ALL {
        let mut out = LocalMetadata::new();
        encode(&Config::new(kind), &mut out).unwrap();
        let expected = [SocketType::Req, SocketType::Dealer, SocketType::Router];
        assert_eq!(find(&out, IDENTITY).is_some(), expected.contains(&kind));
        assert_eq!(socket_type(&out), Some(Some(kind)));
    }
}

#[test]
fn bad_local_properties_are_the_caller_s_error() {
    let mut out = LocalMetadata::new();
    let mut refuse = |properties: &[(&str, &[u8])]| {
        let mut config = Config::new(SocketType::Pub);
        config.properties = properties;
        encode(&config, &mut out).unwrap_err()
    };
    let long = [b'n'; 256];
    let long = core::str::from_utf8(&long).unwrap();
    let bad = |index| ConfigError::BadPropertyName { index };
    assert_eq!(refuse(&[("a", b""), ("", b"")]), bad(1));
    assert_eq!(refuse(&[(long, b"")]), bad(0));
    let duplicate = |index| ConfigError::DuplicateProperty { index };
    assert_eq!(refuse(&[("a", b""), ("A", b"")]), duplicate(1));
    assert_eq!(refuse(&[("socket-type", b"")]), duplicate(0));
    assert_eq!(refuse(&[("x-ferromq", b"")]), duplicate(0));
    let limit = LOCAL_METADATA_MAX;
    assert_eq!(
        refuse(&[("a", &[0; 1280])]),
        ConfigError::MetadataTooLarge { limit }
    );
    let many = [("a", &b""[..]); 30];
    assert_eq!(refuse(&many), ConfigError::TooManyProperties { limit: 32 });
}

#[test]
fn as_many_properties_as_a_peer_takes_can_be_configured() {
    let names: Heap<std::string::String> = (0..30).map(|at| std::format!("P{at}")).collect();
    let properties: Heap<(&str, &[u8])> = names.iter().map(|it| (it.as_str(), &b""[..])).collect();
    let encoded = |count: usize| {
        let mut config = Config::new(SocketType::Dealer);
        (config.identity, config.properties) = (b"me", &properties[..count]);
        config.offer = Some(Offer::new(Features::CRC));
        let mut out = LocalMetadata::new();
        encode(&config, &mut out).map(|()| check(&out))
    };
    // 29 and ours, which are three.
    assert_eq!(encoded(29), Ok(Ok(())));
    let limit = 32;
    assert_eq!(encoded(30), Err(ConfigError::TooManyProperties { limit }));
}

#[test]
fn names_have_1_to_255_bytes() {
    let encoded = |len: usize| {
        let name = "n".repeat(len);
        let mut config = Config::new(SocketType::Dealer);
        let properties = [("first", &b""[..]), (name.as_str(), &b"x"[..])];
        config.properties = &properties;
        encode(&config, &mut LocalMetadata::new())
    };
    assert_eq!(encoded(1), Ok(()));
    assert_eq!(encoded(255), Ok(()));
    let index = 1;
    assert_eq!(encoded(0), Err(ConfigError::BadPropertyName { index }));
    assert_eq!(encoded(256), Err(ConfigError::BadPropertyName { index }));
}

#[test]
fn an_identity_has_up_to_255_bytes_and_does_not_start_with_zero() {
    let encoded = |identity: &[u8]| {
        let mut config = Config::new(SocketType::Dealer);
        config.identity = identity;
        encode(&config, &mut LocalMetadata::new())
    };
    assert_eq!(encoded(b""), Ok(()));
    assert_eq!(encoded(&[7; 255]), Ok(()));
    let len = 256;
    assert_eq!(
        encoded(&[7; 256]),
        Err(ConfigError::IdentityTooLong { len })
    );
    assert_eq!(encoded(b"\0a"), Err(ConfigError::ReservedIdentity));
    assert_eq!(encoded(b"a\0"), Ok(()));
}
