//! SHA-256 on a thread of its own: it takes as long as everything else that
//! happens to a file, and can go on beside it.

use std::io;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread;

use sha2::{Digest as _, Sha256};

use crate::Frame;

use super::protocol::Digest;

/// Pieces that may wait to be hashed.
const AHEAD: usize = 4;

/// A running hash. Its thread ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Hashing(SyncSender<Job>);

enum Job {
    Add(Frame),
    /// Tell the hash of all that was added before.
    Tell(Sender<Digest>),
}

impl Hashing {
    /// Goes on from a state.
    pub(crate) fn start(mut hash: Sha256) -> io::Result<Self> {
        let (jobs, inbox) = sync_channel(AHEAD);
        let work = move || {
            for job in inbox {
                match job {
                    Job::Add(piece) => hash.update(&piece),
                    Job::Tell(answer) => {
                        // Who asked may have been ended.
                        let _ = answer.send(hash.clone().finalize().into());
                    }
                }
            }
        };
        thread::Builder::new().name("hash".into()).spawn(work)?;
        Ok(Self(jobs))
    }

    /// Adds a piece; waits while several others wait.
    pub(crate) fn add(&self, piece: Frame) {
        // The thread ends by a panic only, and then no digest is told.
        let _ = self.0.send(Job::Add(piece));
    }

    /// The hash of all that was added, as soon as it is known; `None` when the
    /// thread has panicked.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let (answer, told) = channel();
        self.0.send(Job::Tell(answer)).ok()?;
        told.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_all_that_was_added_and_more_can_follow() {
        let hashing = Hashing::start(Sha256::new_with_prefix(b"a")).unwrap();
        let digest = |text: &str| Some(Sha256::digest(text).into());
        assert_eq!(hashing.digest(), digest("a"));
        (0..20).for_each(|_| hashing.add(Frame::from("b")));
        assert_eq!(hashing.digest(), digest(&format!("a{}", "b".repeat(20))));
    }
}
