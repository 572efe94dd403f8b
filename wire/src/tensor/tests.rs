extern crate std;

use super::*;
use proptest::prelude::*;

const F32: TensorType = TensorType {
    code: 2,
    bits: 32,
    lanes: 1,
};

fn header(element: TensorType, payload_len: u64) -> TensorHeader {
    TensorHeader {
        element,
        flags: TensorFlags::NONE,
        device_type: 1,
        device_id: 0,
        log2_align: 6,
        part: 0,
        payload_len,
        offset: 0,
        sequence: 7,
        payload_crc: 0,
        user_tag: 0x1122_3344_5566_7788,
    }
}

fn encoded(header: &TensorHeader, shape: &[i64], strides: Option<&[i64]>) -> std::vec::Vec<u8> {
    let mut out = std::vec![0xaa; 4096];
    let len = header.encode(shape, strides, &mut out).unwrap();
    out.truncate(len);
    out
}

/// Puts the checksum right after something was changed.
fn seal(bytes: &mut [u8]) {
    let crc = header_crc(bytes);
    bytes[44..48].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn fields_lie_where_the_format_says() {
    let bytes = encoded(&header(F32, 24), &[2, 3], None);
    assert_eq!(bytes.len(), 128);
    assert_eq!(&bytes[..8], b"ZTN1\x10\x02\0\0");
    assert_eq!(&bytes[8..16], &[2, 32, 1, 0, 1, 6, 0, 0]);
    assert_eq!(bytes[16..24], 24_u64.to_le_bytes());
    assert_eq!(bytes[32..40], 7_u64.to_le_bytes());
    assert_eq!(bytes[48..56], 0x1122_3344_5566_7788_u64.to_le_bytes());
    assert_eq!(bytes[64..72], 2_i64.to_le_bytes());
    assert_eq!(bytes[72..80], 3_i64.to_le_bytes());
    assert_eq!(bytes[80..], [0; 48]);
}

#[test]
fn lengths_follow_dimensions_and_strides() {
    let lens = [
        (0, false),
        (8, false),
        (9, false),
        (16, false),
        (8, true),
        (9, true),
    ];
    let lens = lens.map(|(ndim, strided)| encoded_len(ndim, strided));
    assert_eq!(lens, [128, 128, 192, 192, 192, 256]);
}

#[test]
fn scalars_and_empty_tensors_are_tensors() {
    let scalar = encoded(&header(F32, 4), &[], None);
    assert_eq!(TensorView::parse(&scalar).unwrap().elements(), Some(1));
    let empty = encoded(&header(F32, 0), &[3, 0, i64::MAX], None);
    assert_eq!(TensorView::parse(&empty).unwrap().elements(), Some(0));
}

#[test]
fn the_most_dimensions_fit_and_one_more_does_not() {
    let ones = [1; TENSOR_MAX_DIMENSIONS + 1];
    let mut out = [0; 4096];
    let most = header(F32, 4).encode(&ones[1..], None, &mut out);
    assert_eq!(most, Ok(1984));
    let refused = header(F32, 4).encode(&ones, None, &mut out);
    assert_eq!(refused, Err(TensorError::Dimensions { ndim: 241 }));
}

#[test]
fn every_element_lies_inside_the_payload() {
    let mut out = [0; 512];
    let mut refused = |header: TensorHeader, shape: &[i64], strides: Option<&[i64]>| {
        header.encode(shape, strides, &mut out) == Err(TensorError::Outside { payload_len: 24 })
    };
    let six = header(F32, 24);
    assert!(!refused(six, &[2, 3], None));
    assert!(refused(six, &[7], None));
    assert!(refused(six, &[i64::MAX, i64::MAX], None));
    assert!(!refused(six, &[3, 2], Some(&[1, 3])));
    assert!(refused(six, &[3, 2], Some(&[1, 4])));
    assert!(refused(six, &[3], Some(&[-1])), "before the payload");
    let reversed = TensorHeader { offset: 20, ..six };
    assert!(!refused(reversed, &[6], Some(&[-1])));
    assert!(refused(reversed, &[2], Some(&[i64::MIN])));
    let far = TensorHeader {
        offset: u64::MAX,
        ..six
    };
    assert!(refused(far, &[1], None));
}

#[test]
fn packed_elements_take_their_bits() {
    let int4 = TensorType {
        code: 0,
        bits: 4,
        lanes: 1,
    };
    let packed = TensorHeader {
        flags: TensorFlags::PACKED,
        ..header(int4, 3)
    };
    let mut out = [0; 256];
    assert!(packed.encode(&[6], None, &mut out).is_ok());
    assert!(packed.encode(&[7], None, &mut out).is_err());
    assert!(header(int4, 3).encode(&[6], None, &mut out).is_err());
}

#[test]
fn unknown_elements_and_flags_are_named() {
    let odd = TensorType {
        code: 99,
        bits: 32,
        lanes: 1,
    };
    let mut out = [0; 256];
    let refused = header(odd, 4).encode(&[1], None, &mut out);
    assert_eq!(refused, Err(TensorError::UnknownType(odd)));
    let mut bytes = encoded(&header(F32, 4), &[1], None);
    bytes[7] = 0x80;
    seal(&mut bytes);
    let error = TensorView::parse(&bytes).unwrap_err();
    assert_eq!(error, TensorError::Flags { bits: 0x8000 });
}

#[test]
fn every_single_bit_that_is_wrong_is_noticed() {
    let bytes = encoded(&header(F32, 24), &[3, 2], Some(&[1, 3]));
    for bit in 0..bytes.len() * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(TensorView::parse(&wrong).is_err(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(TensorView::parse(&bytes[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn negative_dimensions_and_a_reserved_word_are_refused() {
    for (at, byte) in [(71, 0x80), (60, 1)] {
        let mut bytes = encoded(&header(F32, 4), &[1], None);
        bytes[at] = byte;
        seal(&mut bytes);
        assert_eq!(TensorView::parse(&bytes).unwrap_err(), TensorError::Field);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        shape in proptest::collection::vec(0_i64..5, 0..12),
        strided: bool,
        sequence: u64,
        user_tag: u64,
    ) {
        let mut strides = std::vec![1; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at] * shape[at];
        }
        let len = shape.iter().product::<i64>().unsigned_abs() * 4;
        let header = TensorHeader { sequence, user_tag, ..header(F32, len) };
        let given = strided.then_some(&strides[..]);
        let bytes = encoded(&header, &shape, given);
        let view = TensorView::parse(&bytes).unwrap();
        prop_assert_eq!(view.shape().collect::<std::vec::Vec<_>>(), shape);
        let read = view.strides().map(|strides| strides.collect::<std::vec::Vec<_>>());
        prop_assert_eq!(read, strided.then_some(strides));
        let flags = view.header().flags;
        prop_assert_eq!(flags.contains(TensorFlags::STRIDED), strided);
        prop_assert_eq!(*view.header(), TensorHeader { flags, ..header });
    }

    #[test]
    fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), len8: u8, ndim: u8) {
        if bytes.len() >= 48 {
            bytes[..4].copy_from_slice(&TENSOR_MAGIC);
            (bytes[4], bytes[5]) = (len8, ndim);
            bytes[7] = 0;
            let len = (usize::from(len8) * 8).min(bytes.len());
            if len >= 48 {
                seal(&mut bytes[..len]);
            }
        }
        let _ = TensorView::parse(&bytes);
    }
}

#[test]
fn a_part_holds_less_than_the_tensor() {
    // The last part has no flag but its number, the first no number but the flag.
    let whole = header(F32, 4);
    assert!(TensorView::parse(&encoded(&whole, &[1], None)).is_ok());
    let mut out = [0; 256];
    assert!(whole.encode(&[1000], None, &mut out).is_err());
    let last = TensorHeader { part: 1, ..whole };
    assert!(last.encode(&[1000], None, &mut out).is_ok());
    let flags = TensorFlags::MORE_PARTS;
    let first = TensorHeader { flags, ..whole };
    assert!(first.encode(&[1000], None, &mut out).is_ok());
}

/// DLPack's table of codes, with the sizes that it gives them.
#[test]
fn the_types_are_those_of_dlpack() {
    let sizes = |code: u8| -> &[u8] {
        match code {
            0 | 1 => &[1, 2, 4, 8, 16, 32, 64, 128],
            2 => &[16, 32, 64, 80, 128],
            4 => &[16],
            5 => &[32, 64, 128],
            6 => &[1, 8],
            7..=14 => &[8],
            15 | 16 => &[6],
            17 => &[4],
            _ => &[],
        }
    };
    for code in 0..=u8::MAX {
        for bits in 0..=u8::MAX {
            let known = |lanes| TensorType { code, bits, lanes }.is_known();
            assert_eq!(known(1), sizes(code).contains(&bits), "{code} {bits}");
            assert_eq!(known(4), known(1));
            assert!(!known(0));
        }
    }
}

#[test]
fn flags_are_a_set() {
    let (a, b) = (TensorFlags::PACKED, TensorFlags::CHECKSUM);
    assert_eq!(a.with(a), a, "twice is once");
    let both = a.with(b);
    assert!(both.contains(a) && both.contains(b) && !a.contains(both));
    assert_eq!(both.bits(), 0b1010);
    let all = [
        TensorFlags::STRIDED,
        TensorFlags::CHECKSUM,
        TensorFlags::READ_ONLY,
        TensorFlags::PACKED,
        TensorFlags::BIG_ENDIAN,
        TensorFlags::MORE_PARTS,
    ];
    // By the format: docs/PROTOCOL.md.
    assert_eq!(all.map(TensorFlags::bits), [1, 2, 4, 8, 16, 32]);
    assert_eq!(TensorFlags::from_bits(0b1010), Some(both));
    assert_eq!(TensorFlags::from_bits(1 << 6), None);
}

#[test]
fn strides_may_go_backwards_and_not_out_of_the_payload() {
    // Elements of 4 bytes at 16, 20 and at 16 - 8, 20 - 8, 16 - 16, 20 - 16.
    let refused = |offset, payload_len| {
        let header = TensorHeader {
            offset,
            ..header(F32, payload_len)
        };
        let mut out = [0; 256];
        header.encode(&[2, 3], Some(&[1, -2]), &mut out).is_err()
    };
    assert!(!refused(16, 24), "from the first byte to the last");
    assert!(refused(12, 24), "4 bytes in front of the payload");
    assert!(refused(16, 23), "a byte behind it");
    assert!(refused(20, 24));
    // All at one place, as a broadcast is.
    let mut out = [0; 256];
    let broadcast = header(F32, 4);
    assert!(broadcast.encode(&[9, 9], Some(&[0, 0]), &mut out).is_ok());
    let shorter = header(F32, 3);
    assert!(shorter.encode(&[9, 9], Some(&[0, 0]), &mut out).is_err());
}
