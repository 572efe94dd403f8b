//! The other side of `shm://`, made by hand from docs/SHM.md, and all that it can
//! do wrong.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::linux::fs::MetadataExt;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::{Duration, Instant};

use crate::PATIENCE;

const PAGE: usize = 4096;
const HELLO: usize = 40;
const MAGIC: [u8; 8] = *b"FMQ\0shm\n";
/// Where each word lies.
const HEAD: usize = 128;
const TAIL: usize = 136;
const INPUT_WANTED: usize = 144;
const ROOM_WANTED: usize = 152;
const CLOSED: usize = 160;

/// What a side greets with, and the memory that it shows.
#[derive(Debug, Clone)]
pub struct Sharing {
    /// What it calls the protocol.
    pub magic: [u8; 8],
    /// Its version of it.
    pub version: u64,
    /// What it says about its ring.
    pub ring_len: u64,
    /// The number of this connection, in the greeting.
    pub epoch: u64,
    /// The same in its memory.
    pub memory_epoch: u64,
    /// Whether it sends a descriptor.
    pub descriptor: bool,
    /// What its memory is sealed against (fcntl(2), `F_ADD_SEALS`).
    pub seals: i32,
    /// How long its memory is.
    pub len: usize,
    /// Whether all of it has pages.
    pub allocated: bool,
    /// What it sends beside it, as that of a doorbell.
    pub doorbell: Option<RawFd>,
}

impl Default for Sharing {
    /// A peer that does nothing wrong.
    fn default() -> Self {
        Self {
            magic: MAGIC,
            version: 1,
            ring_len: 64 << 10,
            epoch: 7,
            memory_epoch: 7,
            descriptor: true,
            seals: libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW,
            len: PAGE + (64 << 10),
            allocated: true,
            doorbell: None,
        }
    }
}

impl Sharing {
    fn hello(&self, epoch: u64) -> [u8; HELLO] {
        let mut bytes = [0; HELLO];
        bytes[..8].copy_from_slice(&self.magic);
        let numbers = [self.version, self.ring_len, epoch, 0];
        for (place, number) in bytes[8..].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    /// Memory as described, mapped to be written, and its descriptor.
    fn memory(&self) -> (Mapping, OwnedFd) {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: a name that ends with NUL.
        let file = unsafe { libc::memfd_create(c"raw".as_ptr(), flags) };
        assert!(file >= 0, "{}", io::Error::last_os_error());
        // SAFETY: fresh, and nobody else's.
        let file = unsafe { OwnedFd::from_raw_fd(file) };
        let len = self.len as libc::off_t;
        let sized = match self.allocated {
            // SAFETY: a descriptor of our own, and numbers.
            true => unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, len) },
            // SAFETY: the same.
            false => unsafe { libc::ftruncate(file.as_raw_fd(), len) },
        };
        assert_eq!(sized, 0, "{}", io::Error::last_os_error());
        let mapping = Mapping::new(&file, self.len, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: as above.
        let sealed = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, self.seals) };
        assert_eq!(sealed, 0, "{}", io::Error::last_os_error());
        if self.allocated {
            mapping.put(0, &self.hello(self.memory_epoch));
            mapping.word(INPUT_WANTED).store(1, Ordering::Relaxed);
            mapping.word(ROOM_WANTED).store(u64::MAX, Ordering::Relaxed);
        }
        (mapping, file)
    }

    /// Greets, and nothing more, for greetings that are turned away; with the name
    /// of its memory for [`is_mapped`].
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn greet(&self, endpoint: &str) -> (UnixStream, u64) {
        let stream = dial(endpoint);
        let (_, file) = self.memory();
        // Who is turned away at the door is not heard.
        let _ = self.send(&stream, &file);
        let inode = inode(&file);
        (stream, inode)
    }

    fn send(&self, stream: &UnixStream, file: &OwnedFd) -> io::Result<usize> {
        let memory = self.descriptor.then_some(file.as_raw_fd());
        let files: Vec<RawFd> = memory.into_iter().chain(self.doorbell).collect();
        send_with(stream, &self.hello(self.epoch), &files)
    }
}

/// A connection, from our side.
#[derive(Debug)]
pub struct SharedStream {
    socket: UnixStream,
    file: OwnedFd,
    mine: Mapping,
    theirs: Mapping,
    ring_len: u64,
    head: u64,
    tail: u64,
    /// What the other side waited for when it was last rung for: input, room.
    rung: [u64; 2],
    read_timeout: Duration,
    write_timeout: Duration,
}

impl SharedStream {
    /// Connects and greets as one should.
    pub(crate) fn connect(endpoint: &str) -> Self {
        Self::with(endpoint, &Sharing::default())
    }

    /// The same with this greeting.
    pub(crate) fn with(endpoint: &str, sharing: &Sharing) -> Self {
        let socket = dial(endpoint);
        let (mine, file) = sharing.memory();
        sharing.send(&socket, &file).expect("a greeting");
        let (hello, memory) = receive_with(&socket);
        let number = |at: usize| u64::from_ne_bytes(hello[at..at + 8].try_into().expect("8 bytes"));
        assert_eq!(number(32), sharing.epoch, "it answers somebody else");
        let theirs = Mapping::new(&memory, PAGE + number(16) as usize, libc::PROT_READ);
        Self {
            socket,
            file,
            mine,
            theirs,
            ring_len: sharing.ring_len,
            head: 0,
            tail: 0,
            rung: [0; 2],
            read_timeout: PATIENCE,
            write_timeout: PATIENCE,
        }
    }

    pub(crate) fn set_read_timeout(&mut self, time: Duration) {
        self.read_timeout = time;
    }

    pub(crate) fn set_write_timeout(&mut self, time: Duration) {
        self.write_timeout = time;
    }

    /// The name of its memory for [`is_mapped`].
    #[must_use]
    pub fn memory(&self) -> u64 {
        inode(&self.file)
    }

    /// Says how many bytes were written, whatever is true.
    pub fn claim_head(&self, head: u64) {
        self.mine.word(HEAD).store(head, Ordering::SeqCst);
        self.ring();
    }

    /// Says how many bytes were read, whatever is true.
    pub fn claim_tail(&self, tail: u64) {
        self.mine.word(TAIL).store(tail, Ordering::SeqCst);
        self.ring();
    }

    /// Lends a region of so many bytes, each of them the region's number.
    pub fn lend(&self, number: u64, len: usize) {
        self.lend_as(number, len, len as u64);
    }

    /// The same, and says that it has `claimed` bytes.
    pub fn lend_as(&self, number: u64, len: usize, claimed: u64) {
        let sharing = Sharing {
            len,
            ..Sharing::default()
        };
        self.lend_memory(&sharing, number, claimed);
    }

    /// The same of memory that we could still cut short.
    pub fn lend_unsealed(&self, number: u64, len: usize) {
        let sharing = Sharing {
            len,
            seals: 0,
            ..Sharing::default()
        };
        self.lend_memory(&sharing, number, len as u64);
    }

    fn lend_memory(&self, sharing: &Sharing, number: u64, claimed: u64) {
        let (mapping, file) = sharing.memory();
        mapping.put(0, &vec![number as u8; sharing.len]);
        let said = [&[1][..], &number.to_ne_bytes(), &claimed.to_ne_bytes()].concat();
        let sent = send_with(&self.socket, &said, &[file.as_raw_fd()]);
        assert_eq!(sent.ok(), Some(said.len()));
    }

    /// How many bytes were written.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Changes the byte that was or will be written at this position.
    pub fn scribble(&self, position: u64, byte: u8) {
        let at = PAGE + (position % self.ring_len) as usize;
        self.mine.put(at, &[byte]);
    }

    /// Tries to cut our memory short, to make holes in it, and to map it for writing
    /// once more: which of the three worked.
    #[must_use]
    pub fn tampers(&self) -> [bool; 3] {
        let fd = self.file.as_raw_fd();
        let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
        // SAFETY: a descriptor of our own, and numbers.
        let shortens = unsafe { libc::ftruncate(fd, 0) } == 0;
        // SAFETY: the same.
        let punches = unsafe { libc::fallocate(fd, punch, 0, PAGE as libc::off_t) } == 0;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh place; one that should not come about is left to the end of
        // the process.
        let mapped = unsafe { libc::mmap(ptr::null_mut(), PAGE, access, libc::MAP_SHARED, fd, 0) };
        [shortens, punches, mapped != libc::MAP_FAILED]
    }

    pub(crate) fn close(&self) {
        let closed = self.mine.flag(CLOSED);
        closed.store(1, Ordering::SeqCst);
        self.ring();
    }

    /// Makes the other side look. It may be gone, or have enough to look at.
    fn ring(&self) {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let (fd, byte) = (self.socket.as_raw_fd(), 0_u8);
        // SAFETY: one byte, which outlives the call.
        let _ = unsafe { libc::send(fd, (&raw const byte).cast(), 1, flags) };
    }

    /// Copies as much as fits into the ring; not shown before [`publish`].
    ///
    /// [`publish`]: Self::publish
    fn put(&mut self, bytes: &[u8]) -> usize {
        let tail = self.theirs.word(TAIL).load(Ordering::SeqCst);
        let room = (self.ring_len - (self.head - tail)) as usize;
        let len = room.min(bytes.len());
        for &byte in &bytes[..len] {
            self.scribble(self.head, byte);
            self.head += 1;
        }
        len
    }

    /// Writes into the ring without saying so, as one that is killed then.
    pub fn write_unpublished(&mut self, bytes: &[u8]) {
        assert_eq!(self.put(bytes), bytes.len());
    }

    /// Says what was written.
    pub fn publish(&mut self) {
        self.mine.word(HEAD).store(self.head, Ordering::SeqCst);
        self.ring_for(0, INPUT_WANTED, self.head);
    }

    /// Rings if the other side waits for this position.
    fn ring_for(&mut self, direction: usize, word: usize, position: u64) {
        fence(Ordering::SeqCst);
        let wanted = self.theirs.word(word).load(Ordering::SeqCst);
        if wanted <= position && wanted != self.rung[direction] {
            self.rung[direction] = wanted;
            self.ring();
        }
    }

    fn is_over(&self) -> bool {
        self.theirs.flag(CLOSED).load(Ordering::SeqCst) != 0
    }

    /// Sleeps until rung for, or the time is over; what is left of it.
    fn sleep(&self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.socket.set_read_timeout(Some(left))?;
        match (&self.socket).read(&mut [0; 64]) {
            Ok(read) => Ok(read > 0),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Read for SharedStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let deadline = Instant::now() + self.read_timeout;
        let mut over = false;
        loop {
            let wanted = self.mine.word(INPUT_WANTED);
            wanted.store(self.tail + 1, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            over |= self.is_over();
            let head = self.theirs.word(HEAD).load(Ordering::SeqCst);
            let len = ((head - self.tail) as usize).min(buf.len());
            if len > 0 {
                for byte in &mut buf[..len] {
                    let ring = (self.theirs.len - PAGE) as u64;
                    *byte = self.theirs.get(PAGE + (self.tail % ring) as usize);
                    self.tail += 1;
                }
                self.mine.word(TAIL).store(self.tail, Ordering::SeqCst);
                self.ring_for(1, ROOM_WANTED, self.tail);
                return Ok(len);
            }
            if over {
                return Ok(0);
            }
            over = !self.sleep(deadline)?;
        }
    }
}

impl Write for SharedStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let deadline = Instant::now() + self.write_timeout;
        loop {
            if self.is_over() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            let written = self.put(buf);
            if written > 0 {
                self.publish();
                return Ok(written);
            }
            let half = self.head - self.ring_len / 2;
            self.mine.word(ROOM_WANTED).store(half, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            let tail = self.theirs.word(TAIL).load(Ordering::SeqCst);
            if tail == self.head - self.ring_len && !self.sleep(deadline)? {
                return Err(ErrorKind::BrokenPipe.into());
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether anybody in this process has a peer's memory mapped.
///
/// # Panics
/// Without /proc.
#[must_use]
pub fn is_mapped(memory: u64) -> bool {
    let maps = fs::read_to_string("/proc/self/maps").expect("our mappings");
    let name = format!(" {memory} ");
    maps.lines()
        .any(|line| line.contains("memfd:raw") && line.contains(&name))
}

fn inode(file: &OwnedFd) -> u64 {
    let file = file.try_clone().expect("a descriptor");
    fs::File::from(file)
        .metadata()
        .expect("its status")
        .st_ino()
}

fn dial(endpoint: &str) -> UnixStream {
    let name = endpoint.strip_prefix("shm://").expect("a shared endpoint");
    let address = SocketAddr::from_abstract_name(format!("ferromq-shm/{name}"));
    UnixStream::connect_addr(&address.expect("a name")).expect("somebody listens there")
}

/// Mapped memory, which anybody may change.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it is accessed atomically or by volatile bytes, from any thread.
unsafe impl Send for Mapping {}
// SAFETY: the same.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(file: &OwnedFd, len: usize, access: i32) -> Self {
        // SAFETY: a fresh place; the file is as long as that.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                access,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        let start = NonNull::new(start.cast()).expect("an address");
        Self { start, len }
    }

    fn at(&self, at: usize) -> NonNull<u8> {
        assert!(at < self.len);
        // SAFETY: within the mapping.
        unsafe { self.start.add(at) }
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at + 8 <= self.len && at.is_multiple_of(8));
        // SAFETY: aligned, and atomics may change at any time.
        unsafe { self.at(at).cast().as_ref() }
    }

    fn flag(&self, at: usize) -> &AtomicU32 {
        assert!(at + 4 <= self.len && at.is_multiple_of(4));
        // SAFETY: as above.
        unsafe { self.at(at).cast().as_ref() }
    }

    fn put(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.len);
        for (index, &byte) in bytes.iter().enumerate() {
            // SAFETY: within the mapping, which whoever calls this made writable.
            unsafe { self.at(at + index).write_volatile(byte) };
        }
    }

    fn get(&self, at: usize) -> u8 {
        assert!(at < self.len);
        // SAFETY: within the mapping.
        unsafe { self.at(at).read_volatile() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped; nothing borrows from it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Room for two descriptors beside a message.
const CONTROL: usize = 24;

/// Space for a control message, aligned for its header.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

fn send_with(stream: &UnixStream, bytes: &[u8], files: &[RawFd]) -> io::Result<usize> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a header of zeroes is one that names nothing.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !files.is_empty() {
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = CONTROL;
        // SAFETY: the space is there.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: and aligned, and nobody else's.
        let header = unsafe { &mut *header };
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_RIGHTS;
        // SAFETY: arithmetic.
        header.cmsg_len = unsafe { libc::CMSG_LEN(size_of_val(files) as u32) } as usize;
        // SAFETY: behind a header that is there.
        let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
        for (at, file) in files.iter().enumerate() {
            // SAFETY: the space is long enough for two descriptors.
            let place = unsafe { data.add(at) };
            // SAFETY: the same.
            unsafe { place.write_unaligned(*file) };
        }
    }
    // SAFETY: everything that the header names outlives the call.
    let sent = unsafe { libc::sendmsg(stream.as_raw_fd(), &raw const message, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// The greeting that comes, and its descriptor.
fn receive_with(stream: &UnixStream) -> ([u8; HELLO], OwnedFd) {
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    let (mut bytes, mut control) = ([0; HELLO], Control([0; CONTROL]));
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a header of zeroes is one that names nothing.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = CONTROL;
    let flags = libc::MSG_WAITALL | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: everything that the header names outlives the call.
    let received = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, flags) };
    assert_eq!(received, HELLO as isize, "no greeting came");
    // SAFETY: the kernel has filled the header in.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    assert!(!header.is_null(), "the greeting has no descriptor");
    // SAFETY: behind a header that is there.
    let data = unsafe { libc::CMSG_DATA(header) }.cast::<RawFd>();
    // SAFETY: the kernel has put one descriptor there.
    let descriptor = unsafe { data.read_unaligned() };
    // SAFETY: it is fresh, and nobody else's.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    (bytes, descriptor)
}
