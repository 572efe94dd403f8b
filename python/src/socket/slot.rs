//! Where a socket is while it is open.

use std::sync::Mutex;

use ferromq::{AnySocket, Error};

use crate::context::lock;

/// The socket, or how it ended. What is closed holds no context any more.
pub(crate) struct Slot(Mutex<Place>);

enum Place {
    Open(AnySocket),
    Closed,
    Terminated,
}

impl Slot {
    pub(crate) fn new(socket: AnySocket) -> Self {
        Self(Mutex::new(Place::Open(socket)))
    }

    /// Another handle of it.
    pub(crate) fn socket(&self) -> Result<AnySocket, Error> {
        match &*lock(&self.0) {
            Place::Open(socket) => Ok(socket.clone()),
            Place::Closed => Err(Error::Closed),
            Place::Terminated => Err(Error::Terminated),
        }
    }

    /// Calls it where it is, if it is open: another handle costs as much as a short
    /// call. Nobody can close it meanwhile, so the call must not wait.
    #[inline]
    pub(crate) fn with<T>(&self, call: impl FnOnce(&AnySocket) -> T) -> Option<T> {
        match &*lock(&self.0) {
            Place::Open(socket) => Some(call(socket)),
            Place::Closed | Place::Terminated => None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(&*lock(&self.0), Place::Open(_))
    }

    /// Closes it, and answers the handle to drop.
    pub(crate) fn close(&self) -> Option<AnySocket> {
        let socket = self.close_silently()?;
        socket.close();
        Some(socket)
    }

    /// Takes the handle out and tells nobody.
    pub(crate) fn close_silently(&self) -> Option<AnySocket> {
        self.end(Place::Closed)
    }

    /// Its context ends.
    pub(crate) fn terminate(&self) -> Option<AnySocket> {
        self.end(Place::Terminated)
    }

    fn end(&self, how: Place) -> Option<AnySocket> {
        let mut place = lock(&self.0);
        match &*place {
            Place::Open(_) => match std::mem::replace(&mut *place, how) {
                Place::Open(socket) => Some(socket),
                _ => None,
            },
            _ => None,
        }
    }
}
