//! Blocks, buffers and their pools: what they hand out stays as it was.

use super::raw::{Region, Shared};
use super::{BlockPool, BufferPool, ReceiveBlock};
use crate::frame::Frame;
use crate::message::PeerInfo;
use proptest::prelude::*;
use std::sync::{Arc, Weak};

fn peer() -> Arc<PeerInfo> {
    Arc::new(PeerInfo::new("PUSH", "tcp://192.0.2.1:5555").with_identity(b"a"))
}

fn block(pool: &Arc<BlockPool>) -> ReceiveBlock {
    pool.block(Some(peer())).expect("memory for a block")
}

/// Reads `bytes` into the block, as a link would.
fn fill(block: &mut ReceiveBlock, bytes: &[u8]) {
    block.prepare_fill().expect("memory for a block");
    append(block, bytes);
}

/// The same without making room first.
fn append(block: &mut ReceiveBlock, bytes: &[u8]) {
    block.space_mut()[..bytes.len()].copy_from_slice(bytes);
    block.filled(bytes.len());
}

/// Enough for frames to be slices, done with at once.
fn leave_sparse(block: &mut ReceiveBlock) {
    fill(block, &[0; 4000]);
    block.consume(4000);
}

/// An orphaned block and the frame that keeps it.
fn orphan(pool: &Arc<BlockPool>) -> Frame {
    let mut block = block(pool);
    leave_sparse(&mut block);
    append(&mut block, b"held");
    block.split_frame(0..4, 4)
}

#[test]
fn frames_are_the_bytes_between_what_is_consumed() {
    let pool = BlockPool::new();
    let mut block = block(&pool);
    leave_sparse(&mut block);
    append(&mut block, b"..hello....world....");
    let hello = block.split_frame(2..7, 9);
    block.consume(2);
    assert_eq!(block.undecoded_mut(), b"world....");
    let world = block.split_frame(0..5, 9);
    assert!(block.is_empty() && !block.is_unique());
    assert_eq!((hello, world), (Frame::from("hello"), Frame::from("world")));
    assert!(block.is_unique());
}

#[test]
fn slices_stay_as_they_were_whatever_is_read_after_them() {
    let pool = BlockPool::new();
    let mut block = block(&pool);
    let mut held = Vec::new();
    for round in 0..200_u32 {
        let bytes: Vec<u8> = (0..3000).map(|i| (i + round) as u8).collect();
        fill(&mut block, &bytes);
        held.push((block.split_frame(100..2900, 3000), bytes));
    }
    for (frame, bytes) in held {
        assert_eq!(*frame, bytes[100..2900]);
    }
    drop(block);
    assert_eq!(pool.live_blocks(), 0);
}

#[test]
fn an_empty_block_without_frames_starts_over() {
    let pool = BlockPool::new();
    let mut block = block(&pool);
    leave_sparse(&mut block);
    append(&mut block, b"frame");
    let frame = block.split_frame(0..5, 5);
    block.prepare_fill().expect("no memory needed");
    assert_eq!(
        block.space_mut().len(),
        ReceiveBlock::CAPACITY - 4005,
        "the frame is alive"
    );
    drop(frame);
    block.prepare_fill().expect("no memory needed");
    assert_eq!(block.space_mut().len(), ReceiveBlock::CAPACITY);
}

#[test]
fn the_rest_of_a_full_block_moves_to_the_front_of_it_or_of_another() {
    for held in [false, true] {
        let pool = BlockPool::new();
        let mut block = block(&pool);
        fill(&mut block, &vec![1; ReceiveBlock::CAPACITY - 7]);
        append(&mut block, b"partial");
        assert!(block.space_mut().is_empty());
        let frame = block.split_frame(0..3000, ReceiveBlock::CAPACITY - 7);
        let frame = held.then_some(frame);
        block.prepare_fill().expect("memory for a block");
        assert_eq!(block.undecoded_mut(), b"partial");
        assert_eq!(block.space_mut().len(), ReceiveBlock::CAPACITY - 7);
        assert_eq!(pool.live_blocks(), 1 + usize::from(held));
        drop(frame);
        assert_eq!(pool.live_blocks(), 1);
    }
}

#[test]
fn blocks_come_back_to_the_pool_and_a_few_are_kept() {
    let pool = BlockPool::new();
    let many: Vec<_> = (0..10).map(|_| block(&pool)).collect();
    assert_eq!(pool.live_blocks(), 10);
    drop(many);
    assert_eq!((pool.live_blocks(), pool.spare_blocks()), (0, 4));
    let again = block(&pool);
    assert_eq!((pool.live_blocks(), pool.spare_blocks()), (1, 3));
    drop(again);
}

#[test]
fn the_last_frame_of_an_orphan_gives_it_back_from_another_thread() {
    let pool = BlockPool::new();
    let frame = orphan(&pool);
    let clone = frame.clone();
    drop(frame);
    assert_eq!((pool.live_blocks(), pool.spare_blocks()), (1, 0));
    std::thread::spawn(move || assert_eq!(clone, b"held"))
        .join()
        .expect("the bytes are there");
    assert_eq!((pool.live_blocks(), pool.spare_blocks()), (0, 1));
}

#[test]
fn a_block_that_is_sparse_is_not_pinned() {
    let pool = BlockPool::new();
    let mut block = block(&pool);
    fill(&mut block, &[7; 100]);
    let frame = block.split_frame(0..100, 100);
    assert!(block.is_unique());
    assert_eq!(frame, [7; 100]);
    assert_eq!(frame.origin().map(PeerInfo::identity), Some(&b"a"[..]));
}

#[test]
fn frames_of_4_kib_are_copied_to_an_aligned_place() {
    let pool = BlockPool::new();
    let mut block = block(&pool);
    fill(&mut block, &[7; 9000]);
    block.consume(1);
    let shorter = block.split_frame(0..4095, 4095);
    assert!(!block.is_unique());
    drop(shorter);
    let longer = block.split_frame(0..4096, 4096);
    assert!(block.is_unique());
    assert_eq!(longer.as_ptr().align_offset(64), 0);
    assert_eq!(*longer, [7; 4096]);
    assert!(longer.origin().is_some());
}

#[test]
fn held_frames_never_pin_more_than_16_orphans() {
    for prepares in [true, false] {
        let pool = BlockPool::new();
        let held: Vec<_> = (0..100)
            .map(|_| {
                let mut block = block(&pool);
                if prepares {
                    leave_sparse(&mut block);
                }
                append(&mut block, &[&[0; 4000], &b"held"[..]].concat());
                block.split_frame(4000..4004, 4004)
            })
            .collect();
        assert_eq!(pool.live_blocks(), 16);
        assert!(held.iter().all(|frame| frame == b"held"));
        drop(held);
        assert_eq!(pool.live_blocks(), 0);
    }
}

#[test]
fn the_peer_lives_as_long_as_its_frames() {
    let pool = BlockPool::new();
    let peer = peer();
    let weak: Weak<PeerInfo> = Arc::downgrade(&peer);
    let mut block = pool.block(Some(peer)).expect("memory for a block");
    fill(&mut block, b"copied");
    let copied = block.split_frame(0..6, 6);
    leave_sparse(&mut block);
    append(&mut block, b"sliced");
    let sliced = block.split_frame(0..6, 6);
    drop(block);
    for (frame, left) in [(copied, 1), (sliced, 0)] {
        assert_eq!(frame.origin().map(PeerInfo::socket_type), Some("PUSH"));
        drop(frame);
        assert_eq!(weak.strong_count(), left);
    }
    assert_eq!(pool.live_blocks(), 0);
}

#[test]
#[should_panic(expected = "frozen")]
fn frozen_bytes_are_never_written() {
    let pool = BlockPool::new();
    let region = Region::map(BlockPool::BLOCK_SIZE).expect("memory");
    let mut ticketed = super::raw::Ticketed::new(region, pool, None);
    let _slice: Shared = ticketed.split(0..10);
    let _ = ticketed.bytes_mut(9..20);
}

proptest! {
    /// Against a naive model: a queue of bytes, frames as vectors.
    #[test]
    fn a_block_hands_out_what_was_read(
        steps in prop::collection::vec((0..9000_usize, 0..5000_usize, any::<bool>()), 1..60),
    ) {
        let pool = BlockPool::new();
        let mut block = block(&pool);
        let mut unread = Vec::new();
        let mut held = Vec::new();
        let mut next = 0_u8;
        for (read, frame, keep) in steps {
            block.prepare_fill().expect("memory for a block");
            let read = read.min(block.space_mut().len());
            let bytes: Vec<u8> = (0..read).map(|i| next.wrapping_add((i / 7) as u8)).collect();
            next = next.wrapping_add(31);
            append(&mut block, &bytes);
            unread.extend_from_slice(&bytes);
            prop_assert_eq!(&*block.undecoded_mut(), &unread[..]);
            while frame > 0 && unread.len() >= frame + 2 {
                let rest = unread.split_off(frame + 2);
                held.push((block.split_frame(2..frame + 2, frame + 2), unread.split_off(2)));
                unread = rest;
            }
            if !keep {
                held.clear();
            }
            for (frame, expected) in &held {
                prop_assert_eq!(frame, expected);
            }
        }
        drop(held);
        drop(block);
        prop_assert_eq!(pool.live_blocks(), 0);
    }
}

/// Fills a buffer with a pattern in steps of at most `step`.
fn fill_buffer(pool: &Arc<BufferPool>, len: usize, step: usize) -> Frame {
    let mut buffer = pool.buffer(len as u64).expect("memory");
    let mut done = 0;
    while buffer.missing() > 0 {
        let space = buffer.space_mut().expect("memory");
        assert!(!space.is_empty() && space.len() <= 1 << 20);
        let n = space.len().min(step);
        for (i, byte) in space[..n].iter_mut().enumerate() {
            *byte = pattern(done + i);
        }
        let piece = buffer.filled(n);
        assert_eq!((piece.len(), piece[0]), (n, pattern(done)));
        done += n;
    }
    assert!(buffer.space_mut().expect("nothing to grow").is_empty());
    buffer.freeze(Some(peer()))
}

fn pattern(i: usize) -> u8 {
    (i ^ (i >> 12)) as u8
}

#[test]
fn bodies_are_whole_aligned_and_know_their_peer() {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    for (len, step) in [(1, 1), (5000, 77), (100_000, 65_536), (3 << 20, 700_000)] {
        let frame = fill_buffer(&pool, len, step);
        assert_eq!(frame.len(), len);
        assert_eq!(frame.as_ptr().align_offset(64), 0);
        assert!(
            frame
                .iter()
                .enumerate()
                .all(|(i, &byte)| byte == pattern(i)),
            "{len}"
        );
        assert_eq!(frame.origin().map(PeerInfo::identity), Some(&b"a"[..]));
    }
}

#[test]
fn a_body_of_zero_bytes_is_an_empty_frame() {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    let buffer = pool.buffer(0).expect("memory");
    assert_eq!(buffer.missing(), 0);
    assert_eq!(*buffer.freeze(None), []);
}

#[test]
fn a_long_body_takes_what_has_arrived_not_what_was_announced() {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    let announced = 1 << 40;
    let mut buffer = pool.buffer(announced).expect("a megabyte");
    assert_eq!(buffer.reserved(), 1 << 20);
    for _ in 0..20 {
        let n = buffer.space_mut().expect("memory").len();
        buffer.filled(n);
        let arrived = announced as usize - buffer.missing();
        assert!(buffer.reserved() <= 2 * (arrived + 64), "{arrived}");
    }
}

#[test]
fn a_growing_body_keeps_its_bytes() {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    let frame = fill_buffer(&pool, (17 << 20) + 3, 1 << 20);
    assert!(
        frame
            .iter()
            .enumerate()
            .all(|(i, &byte)| byte == pattern(i))
    );
}

#[test]
fn a_body_longer_than_memory_is_an_error_that_says_how_long() {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    let error = pool.buffer(u64::MAX).expect_err("no such memory");
    assert_eq!(
        error.to_string(),
        format!("no memory for a buffer of {} bytes", usize::MAX)
    );
}

#[test]
fn buffers_are_kept_warm_up_to_the_limit_oldest_freed_first() {
    let limit = 1_300_000;
    let pool = BufferPool::new(limit);
    let sizes = [200_000, 400_000, 300_000];
    let frames: Vec<_> = sizes
        .iter()
        .map(|&len| fill_buffer(&pool, len, len))
        .collect();
    assert_eq!(pool.kept_bytes(), 0);
    let addresses: Vec<_> = frames.iter().map(|frame| frame.as_ptr()).collect();
    drop(frames);
    let kept = pool.kept_bytes();
    assert!((900_000..=limit).contains(&kept), "{kept}");
    // Another of 200,000 bytes is the oldest one's.
    let again = fill_buffer(&pool, 199_000, 199_000);
    assert_eq!(again.as_ptr(), addresses[0]);
    // One more than fits: what is oldest now goes, the 400,000.
    let other = fill_buffer(&pool, 500_000, 500_000);
    drop((again, other));
    assert!((1_000_000..=limit).contains(&pool.kept_bytes()));
    assert_eq!(fill_buffer(&pool, 300_000, 300_000).as_ptr(), addresses[2]);
    let too_long = fill_buffer(&pool, 2 << 20, 1 << 20);
    let before = pool.kept_bytes();
    drop(too_long);
    assert_eq!(pool.kept_bytes(), before);
}

#[test]
fn a_body_cut_short_gives_its_buffer_back() {
    let pool = BufferPool::new(BufferPool::DEFAULT_LIMIT);
    let mut buffer = pool.buffer(100_000).expect("memory");
    buffer.filled(10);
    drop(buffer);
    assert!(pool.kept_bytes() >= 100_000);
}

#[test]
fn regions_grow_with_their_bytes() {
    let mut region = Region::map(5000).expect("memory");
    assert_eq!(region.len(), 8192);
    region.bytes_mut(0..8192).fill(9);
    region.grow(1 << 20).expect("memory");
    assert_eq!(region.len(), 1 << 20);
    let (old, new) = region.bytes_mut(0..1 << 20).split_at(8192);
    assert!(old.iter().all(|&byte| byte == 9) && new.iter().all(|&byte| byte == 0));
    assert!(region.grow(usize::MAX).is_err());
    assert_eq!(region.bytes_mut(8191..8193), [9, 0]);
}
