//! What threads tell the one that has the socket, which sleeps on both.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

/// The end that is written to, from any thread.
#[derive(Debug)]
pub(crate) struct Post<T> {
    items: Sender<T>,
    bell: Arc<PipeWriter>,
}

/// The end that is read, and whose descriptor can be waited for.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    items: Receiver<T>,
    bell: PipeReader,
}

/// A mailbox and its first sending end.
///
/// Whoever posts keeps the number of items that nobody has taken bounded: a
/// pipe of 64 Ki bytes stands behind.
pub(crate) fn mailbox<T>() -> io::Result<(Post<T>, Mailbox<T>)> {
    let (items, taken) = mpsc::channel();
    let (heard, bell) = io::pipe()?;
    let bell = Arc::new(bell);
    Ok((
        Post { items, bell },
        Mailbox {
            items: taken,
            bell: heard,
        },
    ))
}

impl<T> Post<T> {
    /// Posts; false when nobody reads any more.
    pub(crate) fn post(&self, item: T) -> bool {
        // The item first: who hears the bell must find it.
        self.items.send(item).is_ok() && (&*self.bell).write_all(&[0]).is_ok()
    }
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
            bell: self.bell.clone(),
        }
    }
}

impl<T> Mailbox<T> {
    /// The next item, if one is there. Never waits for one.
    pub(crate) fn take(&mut self) -> Option<T> {
        let item = self.items.try_recv().ok()?;
        // Its byte was written, or is being written by a thread that runs.
        let _ = self.bell.read(&mut [0]);
        Some(item)
    }

    /// A descriptor that is readable while items are there.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.bell.try_clone().map(OwnedFd::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_rings_as_often_as_items_come() {
        let (post, mut mailbox) = mailbox().unwrap();
        assert_eq!(mailbox.take(), None);
        let posts = post.clone();
        let poster = std::thread::spawn(move || (0..1000).all(|item| posts.post(item)));
        let taken = std::iter::from_fn(|| Some(mailbox.take())).flatten();
        assert!(taken.take(1000).eq(0..1000));
        assert!(poster.join().unwrap());
        drop(post);
        let mut rest = Vec::new();
        mailbox.bell.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
        assert_eq!(mailbox.take(), None);
    }

    #[test]
    fn nobody_who_reads_is_told() {
        let (post, mailbox) = mailbox().unwrap();
        drop(mailbox);
        assert!(!post.post(()));
    }
}
