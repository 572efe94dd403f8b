//! A tensor's header: believed only if each element lies inside the payload.

use ferromq_wire::{TensorFlags, TensorView};

/// Bytes of the fixed part; its checksum's place.
const FIXED: usize = 128;
const CRC_AT: usize = 44;

/// Target `tensor`. Settings: whether to put the right checksum into the header.
pub(crate) fn fuzz_tensor(data: &[u8]) {
    let Some((settings, header)) = data.split_first() else {
        return;
    };
    let mut header = header.to_vec();
    if settings & 1 == 1 {
        correct(&mut header);
    }
    let Ok(view) = TensorView::parse(&header) else {
        return;
    };
    let shape: Vec<i64> = view.shape().collect();
    let strides: Option<Vec<i64>> = view.strides().map(Iterator::collect);
    check_elements(&view, &shape, strides.as_deref());
    // What was read is written as it was: no byte is lost, none is invented.
    let mut written = vec![0xee; header.len()];
    let encoded = view
        .header()
        .encode(&shape, strides.as_deref(), &mut written);
    let len = encoded.expect("what was read can be written");
    assert_eq!(len % 64, 0);
    assert_eq!(readable(&written[..len]), readable(&header[..len]));
    let mut tight = vec![0; len - 1];
    let encoded = view.header().encode(&shape, strides.as_deref(), &mut tight);
    assert!(encoded.is_err(), "there was no room");
}

/// The header without what stands between shape and strides and behind them, which
/// nobody reads, and without its checksum, which counts it.
fn readable(header: &[u8]) -> Vec<u8> {
    let (ndim, strided) = (usize::from(header[5]), header[6] & 1 == 1);
    let mut bytes = header.to_vec();
    bytes[CRC_AT..CRC_AT + 4].fill(0);
    let shape_end = 64 + 8 * ndim;
    let strides_at = 64 + 8 * ndim.max(8);
    bytes[shape_end..strides_at].fill(0);
    let end = strides_at + if strided { 8 * ndim } else { 0 };
    bytes[end..].fill(0);
    bytes
}

/// Every corner of the tensor is inside the payload, in numbers that cannot overflow.
fn check_elements(view: &TensorView<'_>, shape: &[i64], strides: Option<&[i64]>) {
    let header = view.header();
    assert!(shape.iter().all(|len| *len >= 0));
    assert!(header.element.is_known());
    let count = shape
        .iter()
        .try_fold(1_u128, |all, len| all.checked_mul(*len as u128));
    let count = match shape.contains(&0) {
        true => 0,
        false => count.expect("what cannot be counted is refused"),
    };
    assert_eq!(view.elements().map(u128::from), Some(count));
    let partial = header.flags.contains(TensorFlags::MORE_PARTS) || header.part > 0;
    if count == 0 || partial {
        return;
    }
    let (payload, offset) = (i128::from(header.payload_len), i128::from(header.offset));
    let bits = i128::from(header.element.bits) * i128::from(header.element.lanes);
    if header.flags.contains(TensorFlags::PACKED) {
        assert!(strides.is_none(), "no address is a fraction of a byte");
        assert!(offset * 8 + count as i128 * bits <= payload * 8);
        return;
    }
    let lane =
        i128::from(header.element.bits).div_euclid(8) + i128::from(header.element.bits % 8 > 0);
    let size = lane * i128::from(header.element.lanes);
    let (mut first, mut last) = (offset, offset);
    match strides {
        None => last += (count as i128 - 1) * size,
        Some(strides) => {
            for (len, stride) in shape.iter().zip(strides) {
                let reach = (i128::from(*len) - 1) * i128::from(*stride) * size;
                first += reach.min(0);
                last += reach.max(0);
            }
        }
    }
    assert!(first >= 0 && last + size <= payload, "{header:?}");
}

/// Writes the checksum that the header's own length asks for.
fn correct(header: &mut [u8]) {
    let len = header.get(4).map_or(0, |len8| usize::from(*len8) * 8);
    if len < FIXED || len > header.len() {
        return;
    }
    let header = &mut header[..len];
    header[CRC_AT..CRC_AT + 4].fill(0);
    let crc = crc32(header);
    header[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

/// CRC-32, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| match sum & 1 {
            0 => sum >> 1,
            _ => sum >> 1 ^ 0xEDB8_8320,
        })
    });
    !sum
}
