//! One file that is being received: its partial file, its hash, its end. Works
//! on a thread of its own, so that no disk holds up the socket.
//!
//! ```text
//!            ┌──────────── the name is free ───────────┐
//!   Offer ───┤                                         ├─▶ partial file
//!            └─ a file of that size ─▶ Prove ─ other ──┘     │
//!                                       │ same               ├─ empty ─▶ Accept 0
//!                                       ▼                    └─ Prove ─▶ Accept length, or 0
//!   Done ◀── fsync, rename, fsync ◀── End ◀── Chunk … ◀───────────────────────┘
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

use crate::Frame;

use super::directory::{Directory, Existing, Found};
use super::hashing::Hashing;
use super::mailbox::Post;
use super::name::FileName;
use super::orders::{Inbox, Order, Report, Source, Told};
use super::protocol::{CHUNK, Digest};
use super::refusal::{Refusal, RefusalCode};

/// Starts the thread of one file. It ends when the sending end is dropped.
pub(crate) fn start(
    directory: Arc<Directory>,
    existing: Existing,
    name: FileName,
    source: &Source,
    post: Post<Report>,
) -> io::Result<(Sender<Order>, JoinHandle<()>)> {
    let (orders, inbox) = channel();
    let intake = Intake {
        partial_name: name.partial(source.bytes()),
        resumable: matches!(source, Source::Known(_)),
        place: Place {
            directory,
            existing,
            name,
        },
        inbox: Inbox::new(inbox),
        post,
        ticket: 0,
        size: 0,
        stage: Stage::Idle,
        partial: None,
    };
    let thread = thread::Builder::new().name("intake".into());
    Ok((orders, thread.spawn(move || intake.run())?))
}

struct Intake {
    place: Place,
    partial_name: OsString,
    resumable: bool,
    inbox: Inbox,
    post: Post<Report>,
    ticket: u64,
    size: u64,
    stage: Stage,
    /// Open and locked from the moment that it is known to be needed.
    partial: Option<Partial>,
}

struct Place {
    directory: Arc<Directory>,
    existing: Existing,
    name: FileName,
}

/// What is awaited.
enum Stage {
    Idle,
    /// A proof that the sender has the file that is there already. Its hash,
    /// unless it is of another length by now.
    ProvingWhole(Option<Digest>),
    /// A proof that it has what the partial file starts with.
    ProvingPartial,
    Receiving,
}

/// What is there of the file: `hashing` is of its first `written` bytes.
struct Partial {
    file: File,
    written: u64,
    hashing: Hashing,
}

/// Why an offer was left: it was refused, or something newer came.
enum Left {
    Refused(Refusal),
    Overtaken,
}

impl From<Refusal> for Left {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Intake {
    fn run(mut self) {
        while let Some(order) = self.inbox.next() {
            match self.obey(order) {
                Ok(()) | Err(Left::Overtaken) => {}
                Err(Left::Refused(refusal)) => {
                    self.put_away();
                    self.tell(Told::Refused(refusal));
                }
            }
        }
        self.put_away();
    }

    fn obey(&mut self, order: Order) -> Result<(), Left> {
        let stage = std::mem::replace(&mut self.stage, Stage::Idle);
        match (order, stage) {
            (Order::Offer { ticket, size }, _) => {
                (self.ticket, self.size) = (ticket, size);
                self.begin()
            }
            (Order::Proof { digest }, Stage::ProvingWhole(ours)) => match Some(digest) == ours {
                true => {
                    // The beginning of it that an earlier run left, if any.
                    self.partial = None;
                    let _ = self.place.directory.discard(&self.partial_name);
                    self.done(digest)
                }
                false if self.place.existing == Existing::Replace => self.open_partial(),
                false => Err(exists().into()),
            },
            (Order::Proof { digest }, Stage::ProvingPartial) => self.resume(digest),
            (Order::Chunk { data }, Stage::Receiving) => self.write(data),
            (Order::End { digest }, Stage::Receiving) => self.end(digest),
            // The offer was refused while these were on their way here.
            _ => Ok(()),
        }
    }

    /// Looks whether there is something under the name.
    fn begin(&mut self) -> Result<(), Left> {
        let found = self.place.directory.find(&self.place.name);
        let found = found.map_err(|cause| Refusal::storage("cannot be looked for", &cause))?;
        let keep = self.place.existing == Existing::Keep;
        match found {
            Found::File { file, len } if len == self.size => self.prove_whole(&file),
            Found::Nothing => self.open_partial(),
            Found::Directory => {
                let cause = "there is a directory of this name";
                Err(Refusal::new(RefusalCode::Exists, cause).into())
            }
            Found::File { .. } | Found::Other if keep => Err(exists().into()),
            Found::File { .. } | Found::Other => self.open_partial(),
        }
    }

    /// It may be the same file: then there is nothing to send. So it is when
    /// our last word on it was lost.
    fn prove_whole(&mut self, file: &File) -> Result<(), Left> {
        self.tell(Told::Prove { length: self.size });
        let mut hash = Sha256::new();
        match self.hash(file, self.size, &mut hash)? {
            Hashed::All => self.stage = Stage::ProvingWhole(Some(hash.finalize().into())),
            // It is being changed by somebody: it is another file.
            Hashed::Short => self.stage = Stage::ProvingWhole(None),
        }
        Ok(())
    }

    /// Opens the partial file, or takes the open one, and has its beginning
    /// proved.
    fn open_partial(&mut self) -> Result<(), Left> {
        if self
            .partial
            .as_ref()
            .is_none_or(|partial| partial.written > self.size)
        {
            self.partial = None;
            self.partial = Some(self.find_partial()?);
        }
        let Some(partial) = &mut self.partial else {
            return Ok(());
        };
        let length = match partial.written {
            // Not hashed yet: it is of an earlier run.
            0 => file_len(&partial.file)?.min(self.size),
            written => written,
        };
        self.check_room(length)?;
        if length == 0 {
            return self.accept_from(0);
        }
        self.tell(Told::Prove { length });
        self.hash_partial(length)?;
        self.stage = Stage::ProvingPartial;
        Ok(())
    }

    fn find_partial(&self) -> Result<Partial, Refusal> {
        let opened = self.place.directory.open_partial(&self.partial_name);
        let file = opened.map_err(|cause| match cause.kind() {
            io::ErrorKind::WouldBlock => {
                Refusal::new(RefusalCode::Busy, "another receiver has this file open")
            }
            _ => Refusal::storage("cannot be written", &cause),
        })?;
        Ok(Partial {
            file,
            written: 0,
            hashing: start_hashing(Sha256::new())?,
        })
    }

    /// Refuses at once what would not fit anyway.
    fn check_room(&self, there: u64) -> Result<(), Refusal> {
        let needed = self.size - there;
        match self.place.directory.room() {
            Ok(room) if room < needed => {
                let cause = format!("no room: {needed} bytes are needed, {room} are free");
                Err(Refusal::new(RefusalCode::Storage, cause))
            }
            // Writing will tell.
            _ => Ok(()),
        }
    }

    /// Hashes what an earlier run left.
    fn hash_partial(&mut self, length: u64) -> Result<(), Left> {
        let Some(mut partial) = self.partial.take_if(|partial| partial.written == 0) else {
            return Ok(());
        };
        let mut hash = Sha256::new();
        let hashed = self.hash(&partial.file, length, &mut hash);
        if let Ok(Hashed::All) = hashed {
            (partial.written, partial.hashing) = (length, start_hashing(hash)?);
        }
        self.partial = Some(partial);
        hashed.map(drop)
    }

    fn resume(&mut self, theirs: Digest) -> Result<(), Left> {
        let Some(partial) = &self.partial else {
            return Ok(());
        };
        match partial.hashing.digest() == Some(theirs) {
            true => self.accept_from(partial.written),
            // The content has changed, here or there.
            false => self.accept_from(0),
        }
    }

    fn accept_from(&mut self, offset: u64) -> Result<(), Left> {
        let Some(partial) = &mut self.partial else {
            return Ok(());
        };
        if offset == 0 {
            (partial.written, partial.hashing) = (0, start_hashing(Sha256::new())?);
        }
        // What lies beyond belongs to nobody.
        let cut = partial.file.set_len(offset);
        cut.map_err(|cause| Refusal::storage("cannot be written", &cause))?;
        self.stage = Stage::Receiving;
        self.tell(Told::Accept { offset });
        Ok(())
    }

    fn write(&mut self, data: Frame) -> Result<(), Left> {
        let Some(partial) = &mut self.partial else {
            return Ok(());
        };
        // First handed over, then written: both go on at once.
        partial.hashing.add(data.clone());
        let written = partial.file.write_all_at(&data, partial.written);
        written.map_err(|cause| Refusal::storage("cannot be written", &cause))?;
        partial.written += data.len() as u64;
        let offset = partial.written;
        self.stage = Stage::Receiving;
        self.tell(Told::Written { offset });
        Ok(())
    }

    /// Everything came: checks it, makes it last, and gives it its name.
    fn end(&mut self, announced: Digest) -> Result<(), Left> {
        let Some(partial) = self.partial.take() else {
            return Ok(());
        };
        let arrived = partial.hashing.digest();
        let untouched = file_len(&partial.file)? == partial.written;
        if arrived != Some(announced) || !untouched {
            self.remove();
            let cause = "what arrived has another SHA-256 than what was sent";
            return Err(Refusal::new(RefusalCode::Digest, cause).into());
        }
        if let Err(cause) = partial.file.sync_all() {
            // Nobody knows what the disk has now.
            self.remove();
            return Err(Refusal::storage("cannot be written to disk", &cause).into());
        }
        let Place {
            directory,
            existing,
            name,
        } = &self.place;
        match directory.publish(&self.partial_name, name, *existing) {
            Ok(()) => self.done(announced),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                self.remove();
                Err(exists().into())
            }
            Err(cause) => Err(Refusal::storage("cannot be named", &cause).into()),
        }
    }

    fn done(&mut self, digest: Digest) -> Result<(), Left> {
        self.tell(Told::Done { digest });
        Ok(())
    }

    /// Adds the first `length` bytes of a file to a hash.
    fn hash(&mut self, file: &File, length: u64, hash: &mut Sha256) -> Result<Hashed, Left> {
        let mut block = vec![0; CHUNK];
        let mut offset = 0;
        while offset < length {
            if self.inbox.overtakes() {
                return Err(Left::Overtaken);
            }
            let wanted = usize::try_from(length - offset).map_or(CHUNK, |left| left.min(CHUNK));
            match file.read_at(&mut block[..wanted], offset) {
                Ok(0) => return Ok(Hashed::Short),
                Ok(len) => {
                    hash.update(&block[..len]);
                    offset += len as u64;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    return Err(Refusal::storage("cannot be read back", &cause).into());
                }
            }
        }
        Ok(Hashed::All)
    }

    /// Closes the partial file, which stays if anything is in it.
    fn put_away(&mut self) {
        if let Some(partial) = self.partial.take()
            && (!self.resumable || file_len(&partial.file).is_ok_and(|len| len == 0))
        {
            self.remove();
        }
    }

    fn remove(&self) {
        // Nothing more can be done about it, and it harms nobody.
        let _ = self.place.directory.remove(&self.partial_name);
    }

    fn tell(&self, told: Told) {
        let ticket = self.ticket;
        // Nobody reads at the end of the program only.
        let _ = self.post.post(Report { ticket, told });
    }
}

fn start_hashing(hash: Sha256) -> Result<Hashing, Refusal> {
    let busy = |cause| {
        Refusal::new(
            RefusalCode::Busy,
            format!("a thread cannot be had: {cause}"),
        )
    };
    Hashing::start(hash).map_err(busy)
}

enum Hashed {
    All,
    /// The file ended before.
    Short,
}

fn file_len(file: &File) -> Result<u64, Refusal> {
    let metadata = file.metadata();
    let metadata = metadata.map_err(|cause| Refusal::storage("cannot be looked at", &cause))?;
    Ok(metadata.len())
}

fn exists() -> Refusal {
    Refusal::new(RefusalCode::Exists, "there is another file of this name")
}
