//! A link made of two descriptors.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

use crate::joined::Joined;
use crate::link::{Link, PeerAddress};

/// A [`Link`] that reads from one descriptor and writes to another: a pair of
/// pipes, or what a child process reads and writes.
///
/// Both have to be non-blocking. What was written stays readable after the link
/// is gone, as it does in a pipe. A link over one descriptor is better off on
/// its own: see [`Joined`] for what this costs.
#[derive(Debug)]
pub struct Duplex<R, W> {
    /// `None` after a shutdown.
    ends: Option<(R, W)>,
    joined: Joined,
    peer: PeerAddress,
}

impl<R, W> Duplex<R, W>
where
    R: Read + AsRawFd + Send,
    W: Write + AsRawFd + Send,
{
    /// The link that reads from `input` and writes to `output`.
    ///
    /// # Errors
    /// As [`Joined::new`] and [`Joined::watch`].
    pub fn new(input: R, output: W, peer: PeerAddress) -> io::Result<Self> {
        let joined = Joined::new()?;
        joined.watch(input.as_raw_fd())?;
        joined.watch(output.as_raw_fd())?;
        let ends = Some((input, output));
        Ok(Self { ends, joined, peer })
    }

    /// Reads into a first buffer of `len` bytes, and perhaps more.
    fn read_with(
        &mut self,
        len: usize,
        mut read: impl FnMut(&mut R) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let Some((input, _)) = &mut self.ends else {
            return Ok(0);
        };
        let count = retry(|| read(input))?;
        if count > 0 && count < len {
            // What told of these bytes may have told of the end as well.
            self.joined.ring();
        }
        Ok(count)
    }

    fn write_with(
        &mut self,
        mut write: impl FnMut(&mut W) -> io::Result<usize>,
    ) -> io::Result<usize> {
        match &mut self.ends {
            Some((_, output)) => retry(|| write(output)),
            None => Err(ErrorKind::BrokenPipe.into()),
        }
    }
}

/// A pipe sends SIGPIPE to a writer that nobody reads, and knows no flag against
/// it: Rust's runtime ignores the signal, and who embeds this in another
/// language has to.
impl<R, W> Link for Duplex<R, W>
where
    R: Read + AsRawFd + Send,
    W: Write + AsRawFd + Send,
{
    fn fd(&self) -> RawFd {
        self.joined.fd()
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_with(buf.len(), |input| input.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.read_with(len, |input| input.read_vectored(bufs))
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_with(|output| output.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_with(|output| output.write_vectored(bufs))
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn shutdown(&mut self) {
        self.ends = None;
    }
}

/// Repeats what a signal interrupted.
fn retry(mut operation: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{PipeReader, PipeWriter};

    type PipeLink = Duplex<PipeReader, PipeWriter>;

    fn pipe() -> (PipeReader, PipeWriter) {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        (reader, writer)
    }

    fn pair() -> (PipeLink, PipeLink) {
        let ((a, to_a), (b, to_b)) = (pipe(), pipe());
        let peer = || PeerAddress::new("pipe://elsewhere".parse().unwrap());
        let first = Duplex::new(a, to_b, peer()).unwrap();
        (first, Duplex::new(b, to_a, peer()).unwrap())
    }

    #[test]
    fn each_side_reads_what_the_other_writes() {
        let (mut a, mut b) = pair();
        let mut buf = [0; 8];
        assert_eq!(a.write(b"there").unwrap(), 5);
        assert_eq!(b.read(&mut buf).unwrap(), 5);
        assert_eq!(
            b.write_vectored(&[IoSlice::new(b"ba"), IoSlice::new(b"ck")])
                .unwrap(),
            4
        );
        assert_eq!(a.read(&mut buf).unwrap(), 4);
        assert_eq!(&buf[..4], b"back");
        let empty = a.read(&mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn the_end_comes_after_the_last_words() {
        let (mut a, mut b) = pair();
        a.write(b"bye").unwrap();
        a.shutdown();
        assert_eq!(b.read(&mut [0; 8]).unwrap(), 3);
        // A process that another test starts has the pipes until it is itself.
        let end = loop {
            match b.read(&mut [0; 8]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                read => break read.unwrap(),
            }
        };
        assert_eq!(end, 0);
        let lost = loop {
            match b.write(b"x") {
                Ok(_) => std::thread::yield_now(),
                Err(error) => break error,
            }
        };
        assert_eq!(lost.kind(), ErrorKind::BrokenPipe);
        assert_eq!(a.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(a.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
