use std::io::Write;

use rustix::fs::{MemfdFlags, fstat, memfd_create};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;

fn pair() -> (Bell, Bell) {
    let flags = SocketFlags::CLOEXEC;
    let (a, b) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    (Bell::new(a), Bell::new(b))
}

/// Lends a file that is as long as its region's number.
fn lend(bell: &Bell, number: u64) {
    let file = memfd_create("region", MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, number).unwrap();
    bell.lend(number, number, file).unwrap();
}

/// The numbers of the regions that a peer was told of, each with its own file.
fn heard(bell: &mut Bell) -> Vec<u64> {
    let news = bell.news.drain(..).map(|news| match news {
        News::Lends { number, len, file } => {
            let status = fstat(&file).unwrap();
            assert_eq!(status.st_size.cast_unsigned(), len, "the file of another");
            number
        }
        News::Ended { number } => number,
    });
    news.collect()
}

/// A receiver that takes all but the last byte ends within what is said of a region;
/// the kernel hands over the rest together with the next region, and its file.
#[test]
fn every_region_has_its_own_file_wherever_the_reads_end() {
    for first in 1..size_of::<Region>() * 2 {
        let (ours, mut theirs) = pair();
        lend(&ours, 1);
        lend(&ours, 2);
        theirs.take(first);
        lend(&ours, 3);
        ours.end(2).unwrap();
        theirs.take_all();
        assert_eq!(theirs.broken(), None, "after {first} bytes");
        assert_eq!(heard(&mut theirs), [1, 2, 3, 2], "after {first} bytes");
    }
}

/// As above, where the reads end because so many bytes are taken at a time.
#[test]
fn regions_behind_many_rings_have_their_files() {
    for rings in PIECE - size_of::<Region>()..=PIECE {
        let (ours, mut theirs) = pair();
        (0..rings).for_each(|_| ours.ring());
        lend(&ours, 1);
        lend(&ours, 2);
        theirs.take_all();
        assert_eq!(heard(&mut theirs), [1, 2], "behind {rings} rings");
    }
}

/// Files that nothing is said of are not collected.
#[test]
fn a_peer_that_sends_files_only_is_told_apart() {
    let (ours, mut theirs) = pair();
    for _ in 0..=FILES_MAX {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let file = [ours.socket()];
        control.push(SendAncillaryMessage::ScmRights(&file));
        let ring = [IoSlice::new(&[tag::RING])];
        sendmsg(&ours.socket, &ring, &mut control, SendFlags::empty()).unwrap();
    }
    theirs.take_all();
    assert_eq!(theirs.broken(), Some(Broken::Nonsense));
}

/// More files in one message than there is room for are the peer's fault, and no want of
/// descriptors.
#[test]
fn a_peer_that_sends_many_files_with_a_region_is_told_apart() {
    let (ours, mut theirs) = pair();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = [ours.socket(); 4];
    control.push(SendAncillaryMessage::ScmRights(&files));
    ours.tell(tag::LENDS, 1, 1, &mut control).unwrap();
    theirs.take_all();
    assert_eq!(theirs.broken(), Some(Broken::Nonsense));
}

/// Each thing that is said may hold a descriptor until somebody takes note of it.
#[test]
fn what_is_said_of_regions_is_not_collected_without_end() {
    let (ours, mut theirs) = pair();
    for number in 0..=NEWS_MAX as u64 {
        assert_eq!(theirs.broken(), None, "at {number}");
        match number % 2 {
            0 => lend(&ours, number),
            _ => ours.end(number).unwrap(),
        }
        theirs.take_all();
    }
    assert_eq!(theirs.broken(), Some(Broken::TooMuch));
    assert_eq!(theirs.news.len(), NEWS_MAX);
}

#[test]
fn what_means_nothing_and_floods_are_told_apart() {
    let (ours, mut theirs) = pair();
    let mut socket = std::os::unix::net::UnixStream::from(ours.socket);
    socket.write_all(&[7]).unwrap();
    theirs.take_all();
    assert_eq!(theirs.broken(), Some(Broken::Nonsense));

    let (ours, mut theirs) = pair();
    let mut socket = std::os::unix::net::UnixStream::from(ours.socket);
    let waiting = WAITING_MAX + 1;
    socket
        .write_all(&vec![tag::RING; waiting as usize])
        .unwrap();
    theirs.take_all();
    assert_eq!(theirs.broken(), Some(Broken::Flood { waiting }));
}
