//! A raw peer over a link of a transport's.

use std::io::{self, ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use ferromq_transport::Link;

use crate::PATIENCE;

/// A link that is read and written as a blocking socket with time limits is.
pub(crate) struct LinkStream {
    pub(crate) link: Box<dyn Link>,
    pub(crate) read_timeout: Duration,
    pub(crate) write_timeout: Duration,
}

impl LinkStream {
    pub(crate) fn new(link: Box<dyn Link>) -> Self {
        Self {
            link,
            read_timeout: PATIENCE,
            write_timeout: PATIENCE,
        }
    }
}

impl std::fmt::Debug for LinkStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkStream").finish_non_exhaustive()
    }
}

/// Repeats what would block, for as long as that.
fn patiently(
    timeout: Duration,
    mut operation: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    let deadline = Instant::now() + timeout;
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                thread::yield_now();
            }
            other => return other,
        }
    }
}

impl Read for LinkStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        patiently(self.read_timeout, || self.link.read(buf))
    }
}

impl Write for LinkStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        patiently(self.write_timeout, || self.link.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
