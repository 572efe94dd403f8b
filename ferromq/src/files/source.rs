//! The file that is being sent: read and hashed on a thread of its own, ahead
//! of what the receiver has granted, in a bounded number of buffers.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::Frame;

use super::error::FileError;
use super::mailbox::Post;
use super::protocol::{CHUNK, Digest, WINDOW};

/// Chunks in memory: a window, and what is being read and hashed meanwhile.
const BUFFERS: usize = WINDOW as usize / CHUNK + 4;
/// States of the hash that are kept, one a chunk: more than can be on their
/// way, so that a lost connection costs no second reading of the file.
const MARKS: usize = 2 * BUFFERS;

/// What is wanted of a source. A later one ends what an earlier one began.
#[derive(Debug)]
pub(crate) enum Want {
    /// The hash of the first bytes.
    Proof { id: u64, length: u64 },
    /// Chunks from there on, which is 0 or what was proved last.
    Chunks { id: u64, offset: u64, chunk: usize },
    /// A buffer comes back.
    Buffer(Vec<u8>),
    /// Nothing more.
    End,
}

/// What a source gives.
#[derive(Debug)]
pub(crate) struct Given {
    /// That of the [`Want`].
    pub(crate) id: u64,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Proof {
        length: u64,
        digest: Digest,
    },
    Chunk {
        offset: u64,
        data: Frame,
    },
    /// All chunks were given; the hash of the file.
    End {
        digest: Digest,
    },
    Failed(FileError),
}

/// The way to the thread of one file, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader(Sender<Want>);

impl Reader {
    /// Starts the thread.
    pub(crate) fn start(file: File, opened: Metadata, post: Post<Given>) -> io::Result<Self> {
        let (wants, inbox) = channel();
        let source = Source {
            file,
            opened,
            hash: Sha256::new(),
            hashed: 0,
            marks: VecDeque::new(),
            inbox: Inbox {
                wants: inbox,
                waiting: VecDeque::new(),
                free: Vec::new(),
                made: 0,
            },
            back: wants.clone(),
            post,
        };
        let thread = thread::Builder::new().name("read".into());
        thread.spawn(move || source.run())?;
        Ok(Self(wants))
    }

    pub(crate) fn want(&self, want: Want) {
        // A source that failed has told so.
        let _ = self.0.send(want);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.want(Want::End);
    }
}

struct Source {
    file: File,
    opened: Metadata,
    /// The hash of the first `hashed` bytes.
    hash: Sha256,
    hashed: u64,
    /// Earlier states of it, the oldest first.
    marks: VecDeque<(u64, Sha256)>,
    inbox: Inbox,
    back: Sender<Want>,
    post: Post<Given>,
}

/// Why something was not finished.
enum Cut {
    /// Something newer is wanted.
    Overtaken,
    Failed(FileError),
}

impl Source {
    fn run(mut self) {
        while let Some(want) = self.inbox.next() {
            let (id, done) = match want {
                Want::Proof { id, length } => (id, self.prove(id, length)),
                Want::Chunks { id, offset, chunk } => (id, self.give_chunks(id, offset, chunk)),
                // The inbox keeps these.
                Want::Buffer(_) | Want::End => continue,
            };
            if let Err(Cut::Failed(error)) = done {
                self.give(id, What::Failed(error));
            }
        }
    }

    fn prove(&mut self, id: u64, length: u64) -> Result<(), Cut> {
        self.go_to(length)?;
        let digest = self.hash.clone().finalize().into();
        self.give(id, What::Proof { length, digest });
        Ok(())
    }

    /// Brings the hash to the first `length` bytes, from the nearest state
    /// before.
    fn go_to(&mut self, length: u64) -> Result<(), Cut> {
        while self.hashed > length {
            let (hashed, hash) = self.marks.pop_back().unwrap_or_default();
            (self.hashed, self.hash) = (hashed, hash);
        }
        let mut buffer = Vec::new();
        while self.hashed < length {
            if self.inbox.overtakes() {
                return Err(Cut::Overtaken);
            }
            self.read(&mut buffer, length, CHUNK)?;
            self.add(&buffer);
        }
        Ok(())
    }

    fn give_chunks(&mut self, id: u64, offset: u64, chunk: usize) -> Result<(), Cut> {
        self.go_to(offset)?;
        while self.hashed < self.opened.len() {
            let mut buffer = self.inbox.buffer()?;
            self.read(&mut buffer, self.opened.len(), chunk)?;
            let data = Frame::from_owner(Lent {
                bytes: buffer,
                home: self.back.clone(),
            });
            // First given, then hashed: both go on at once.
            let offset = self.hashed;
            self.give(
                id,
                What::Chunk {
                    offset,
                    data: data.clone(),
                },
            );
            self.add(&data);
        }
        self.check_unchanged()?;
        let digest = self.hash.clone().finalize().into();
        self.give(id, What::End { digest });
        Ok(())
    }

    /// Fills the buffer with what follows, up to `end`.
    fn read(&self, buffer: &mut Vec<u8>, end: u64, most: usize) -> Result<(), Cut> {
        let wanted = usize::try_from(end - self.hashed).map_or(most, |left| left.min(most));
        buffer.resize(wanted, 0);
        match self.file.read_exact_at(buffer, self.hashed) {
            Ok(()) => Ok(()),
            Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Cut::Failed(FileError::Changed))
            }
            Err(cause) => Err(Cut::Failed(FileError::Read(cause))),
        }
    }

    fn add(&mut self, data: &[u8]) {
        if self.marks.len() == MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back((self.hashed, self.hash.clone()));
        self.hash.update(data);
        self.hashed += data.len() as u64;
    }

    /// A file that was written to while it was read is no file that ever was.
    fn check_unchanged(&self) -> Result<(), Cut> {
        let now = self.file.metadata();
        let now = now.map_err(|cause| Cut::Failed(FileError::Read(cause)))?;
        let facts = |of: &Metadata| (of.len(), of.mtime(), of.mtime_nsec());
        // What the system makes up has no length, but content.
        let beyond = self.file.read_at(&mut [0], self.opened.len());
        match (beyond, facts(&now) == facts(&self.opened)) {
            (Ok(0), true) => Ok(()),
            (Err(cause), _) => Err(Cut::Failed(FileError::Read(cause))),
            _ => Err(Cut::Failed(FileError::Changed)),
        }
    }

    fn give(&self, id: u64, what: What) {
        // Nobody reads once the file is given up.
        let _ = self.post.post(Given { id, what });
    }
}

/// A chunk's memory, which comes back when nobody has the chunk any more.
struct Lent {
    bytes: Vec<u8>,
    home: Sender<Want>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let _ = self.home.send(Want::Buffer(bytes));
    }
}

/// What is wanted, in order, with a look ahead; and the buffers.
struct Inbox {
    wants: Receiver<Want>,
    waiting: VecDeque<Want>,
    free: Vec<Vec<u8>>,
    made: usize,
}

impl Inbox {
    /// The newest want; `None` at the end.
    fn next(&mut self) -> Option<Want> {
        loop {
            self.look();
            let newest = self.waiting.pop_back();
            self.waiting.clear();
            match newest {
                Some(Want::End) => return None,
                Some(want) => return Some(want),
                None => {
                    let want = self.wants.recv().ok()?;
                    self.keep(want);
                }
            }
        }
    }

    /// Whether something newer is wanted.
    fn overtakes(&mut self) -> bool {
        self.look();
        !self.waiting.is_empty()
    }

    /// An empty buffer, as soon as there is one.
    fn buffer(&mut self) -> Result<Vec<u8>, Cut> {
        loop {
            if self.overtakes() {
                return Err(Cut::Overtaken);
            }
            if let Some(buffer) = self.free.pop() {
                return Ok(buffer);
            }
            if self.made < BUFFERS {
                self.made += 1;
                return Ok(Vec::with_capacity(CHUNK));
            }
            match self.wants.recv() {
                Ok(want) => self.keep(want),
                Err(_) => return Err(Cut::Overtaken),
            }
        }
    }

    fn look(&mut self) {
        loop {
            match self.wants.try_recv() {
                Ok(want) => self.keep(want),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn keep(&mut self, want: Want) {
        match want {
            Want::Buffer(buffer) => self.free.push(buffer),
            want => self.waiting.push_back(want),
        }
    }
}
