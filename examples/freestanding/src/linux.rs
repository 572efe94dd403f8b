//! Four system calls of x86_64 Linux (the fifth, exit, is in `system`).

use core::arch::asm;
use embedded_io::{ErrorKind, ErrorType, Read, Write};

const READ: isize = 0;
const WRITE: isize = 1;
const SOCKET: isize = 41;
const CONNECT: isize = 42;

/// An open file: the number that the kernel knows it by.
pub(crate) struct Descriptor(usize);

impl Descriptor {
    pub(crate) fn stdin() -> Self {
        Self(0)
    }

    pub(crate) fn stdout() -> Self {
        Self(1)
    }
}

/// A TCP connection to an IPv4 address.
pub(crate) fn connect(address: [u8; 4], port: u16) -> Result<Descriptor, ErrorKind> {
    const AF_INET: u8 = 2;
    const SOCK_STREAM: usize = 1;
    // SAFETY: the call takes no addresses.
    let socket = unsafe { call(SOCKET, AF_INET.into(), SOCK_STREAM, 0) }?;
    // C's sockaddr_in: family, port and address in network order, zeros.
    let mut name = [0; 16];
    name[0] = AF_INET;
    name[2..4].copy_from_slice(&port.to_be_bytes());
    name[4..8].copy_from_slice(&address);
    let start = name.as_ptr().expose_provenance();
    // SAFETY: the kernel reads `name`, as many bytes as it has.
    unsafe { call(CONNECT, socket, start, name.len()) }?;
    Ok(Descriptor(socket))
}

impl Read for Descriptor {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, ErrorKind> {
        let start = into.as_mut_ptr().expose_provenance();
        // SAFETY: the kernel writes to `into` only, at most its length.
        unsafe { call(READ, self.0, start, into.len()) }
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let start = bytes.as_ptr().expose_provenance();
        // SAFETY: the kernel reads `bytes` only, at most its length.
        unsafe { call(WRITE, self.0, start, bytes.len()) }
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(()) // the kernel keeps nothing back
    }
}

impl ErrorType for Descriptor {
    type Error = ErrorKind;
}

/// A system call.
///
/// # Safety
///
/// What the kernel reads or writes at arguments that are addresses is there, and
/// is the caller's.
unsafe fn call(number: isize, a: usize, b: usize, c: usize) -> Result<usize, ErrorKind> {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; of the registers the kernel
    // changes these three only.
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            out("rcx") _, out("r11") _, options(nostack));
    }
    usize::try_from(result).map_err(|_| ErrorKind::Other)
}
