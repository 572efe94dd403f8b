//! Everything that differs between systems or needs `unsafe`.
//!
//! Linux is the first choice; macOS gets the nearest thing that it has.

mod interfaces;

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use ferromq_transport::Credentials;
pub(crate) use interfaces::interface_addresses;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Flags for every send: a vanished peer is an error, never a signal. Where the
/// flag does not exist, socket2 sets SO_NOSIGPIPE on the socket instead.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;
#[cfg(target_vendor = "apple")]
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::empty();

/// The most buffers that one vectored call takes.
pub(crate) const IOV_MAX: usize = 1024;

/// A stream socket that neither blocks nor survives `exec`.
pub(crate) fn stream_socket(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    #[cfg(target_os = "linux")]
    {
        Socket::new(domain, Type::STREAM.nonblocking(), protocol)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let socket = Socket::new(domain, Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Accepts one connection with the same two properties, in one call where the
/// system has accept4.
pub(crate) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    #[cfg(target_os = "linux")]
    {
        listener.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (socket, address) = listener.accept()?;
        socket.set_nonblocking(true)?;
        Ok((socket, address))
    }
}

/// Whether an error of accept(2) concerns one waiting connection, now gone, and
/// not the listener. Linux hands on errors that the new connection already has.
pub(crate) fn concerns_peer_only(error: &io::Error) -> bool {
    let errno = error.raw_os_error();
    #[cfg(target_os = "linux")]
    if errno == Some(libc::ENONET) {
        return true;
    }
    matches!(
        errno,
        Some(
            libc::ECONNABORTED
                | libc::ECONNRESET
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
        )
    )
}

/// Whether a non-blocking connect was started. An interrupted one goes on too.
pub(crate) fn is_in_progress(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR))
}

/// Whether the system lacks the address family altogether.
pub(crate) fn is_unknown_family(errno: i32) -> bool {
    errno == libc::EAFNOSUPPORT
}

/// Sets TCP_USER_TIMEOUT where there is one.
pub(crate) fn set_unacknowledged_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(timeout))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (socket, timeout);
        Ok(())
    }
}

/// Bytes in the socket's send queue that the peer has not acknowledged; 0 where
/// the system does not say.
pub(crate) fn unacknowledged(socket: &Socket) -> usize {
    #[cfg(target_os = "linux")]
    {
        let mut queued: libc::c_int = 0;
        // SAFETY: the descriptor is the socket's own; TIOCOUTQ (SIOCOUTQ) writes
        // one integer to the place that it is given.
        let status = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
        if status == 0 {
            usize::try_from(queued).unwrap_or(0)
        } else {
            0
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        0
    }
}

/// Asks the system to call the socket readable from `bytes` on. It is a hint, so
/// a refusal is no error.
pub(crate) fn set_receive_low_water(socket: &Socket, bytes: usize) {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is the socket's own, and `value` is an integer of
    // `len` bytes that outlives the call, which only reads it.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const value).cast(),
            len,
        );
    }
}

/// Whether the last packet for the socket was handled on the CPU that we are on.
pub(crate) fn shares_core(socket: &Socket) -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: takes no arguments and only reads the calling thread's CPU
        // number; a failure is a negative number.
        let ours = unsafe { libc::sched_getcpu() };
        match (socket.cpu_affinity(), usize::try_from(ours)) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            _ => false,
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        false
    }
}

/// Our effective user id.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: takes no arguments and cannot fail (POSIX, geteuid).
    unsafe { libc::geteuid() }
}

/// Whether a poller would call the socket writable now, which asks for more than a byte
/// of room: a third of a TCP socket's buffer, three quarters of a Unix socket's.
pub(crate) fn is_writable(socket: &Socket) -> bool {
    let mut fds = [PollFd::new(socket, PollFlags::OUT)];
    // Whatever it cannot tell is for the write to find out.
    !matches!(
        rustix::event::poll(&mut fds, Some(&Timespec::default())),
        Ok(0)
    )
}

/// What the kernel says about the process on the other end of a Unix socket.
#[cfg(target_os = "linux")]
pub(crate) fn peer_credentials(socket: &Socket) -> io::Result<Credentials> {
    use std::os::fd::AsRawFd;

    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the descriptor is open while `socket` is borrowed; the pointers are
    // to live, writable values, and `len` is the size of the first. SO_PEERCRED
    // writes at most `len` bytes of a `ucred`, which is valid for any bytes.
    let status = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut len,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Credentials {
        // 0 stands for a process outside our pid namespace.
        pid: u32::try_from(credentials.pid).ok().filter(|&pid| pid != 0),
        uid: credentials.uid,
        gid: credentials.gid,
    })
}

/// What the kernel says about the process on the other end of a Unix socket.
#[cfg(not(target_os = "linux"))]
pub(crate) fn peer_credentials(socket: &Socket) -> io::Result<Credentials> {
    use std::os::fd::AsRawFd;

    let (mut uid, mut gid) = (0, 0);
    // SAFETY: the descriptor is open while `socket` is borrowed, and the pointers
    // are to live, writable ids.
    let status = unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Credentials {
        pid: None,
        uid,
        gid,
    })
}

/// Has a Unix socket's file made for its user alone, before it is bound.
/// Elsewhere than on Linux the umask decides, and credentials are checked anyway.
pub(crate) fn restrict_to_owner(socket: &Socket) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsFd;
        use std::os::unix::fs::PermissionsExt;

        // bind(2) takes the file's mode from the socket's own (unix(7)).
        let file = fs::File::from(socket.as_fd().try_clone_to_owned()?);
        file.set_permissions(fs::Permissions::from_mode(0o600))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        Ok(())
    }
}

/// Lets every user connect to a Unix socket's file, without following a link
/// that somebody put in its place.
pub(crate) fn open_to_everyone(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let everyone = fs::Permissions::from_mode(0o666);
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::OpenOptionsExt;

        let place = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
            .open(path)?;
        if place.metadata()?.file_type().is_symlink() {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        // fchmod(2) refuses such a descriptor, its name in /proc does not.
        fs::set_permissions(format!("/proc/self/fd/{}", place.as_raw_fd()), everyone)
    }
    #[cfg(not(target_os = "linux"))]
    {
        fs::set_permissions(path, everyone)
    }
}

/// Whether Unix sockets may have names without files.
pub(crate) const HAS_ABSTRACT_NAMES: bool = cfg!(target_os = "linux");

/// An interface's number, as IPv6 zones want it.
pub(crate) fn interface_index(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: `name` is a live string with a terminating NUL, which the call
    // only reads.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}
