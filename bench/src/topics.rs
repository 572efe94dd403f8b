//! Random topics, the same for whoever publishes and whoever subscribes.

use crate::job::{Cell, Workload};

/// Bytes of a topic.
pub(crate) const LEN: usize = 20;
/// How far apart two messages in a row were subscribed to: a step that meets
/// all of a million, so that nothing is found because it lies beside the last.
const STEP: usize = 618_033;

/// The `index`th topic. Never begins with a zero, which belongs to the
/// [greeting](crate::worker::HEARD).
pub(crate) fn topic(index: usize) -> [u8; LEN] {
    let mut topic = [0; LEN];
    let mut state = index as u64;
    for piece in topic.chunks_mut(8) {
        let bytes = next_random(&mut state).to_le_bytes();
        piece.copy_from_slice(&bytes[..piece.len()]);
    }
    topic[0] |= 0x80;
    topic
}

/// What a publisher sends in turn: one body, or one for each topic.
pub(crate) fn bodies(cell: &Cell) -> Vec<&'static [u8]> {
    let size = cell.shape.size;
    if cell.workload != Workload::Topics {
        return vec![vec![0x5a; size].leak()];
    }
    let count = cell.shape.load;
    let memory = vec![0x5a; size * count].leak();
    let mut bodies = Vec::with_capacity(count);
    for (index, body) in memory.chunks_mut(size).enumerate() {
        body[..LEN].copy_from_slice(&topic(index * STEP % count));
        bodies.push(&*body);
    }
    bodies
}

/// SplitMix64.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
