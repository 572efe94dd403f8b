//! Link options as socket options.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ferromq_transport::{Keepalive, LinkOptions};
use socket2::{Domain, Protocol, Socket, TcpKeepalive};

use crate::sys;

/// A socket for `address`, with what has to be set before it is connected or
/// listens: the window scale depends on the buffers.
pub(crate) fn open(address: &SocketAddr, options: &LinkOptions) -> io::Result<Socket> {
    let socket = sys::stream_socket(Domain::for_address(*address), Some(Protocol::TCP))?;
    set_buffers(&socket, options)?;
    set_traffic_class(&socket, address, options)?;
    Ok(socket)
}

/// The kernel's buffers, TCP's or a Unix socket's.
pub(crate) fn set_buffers(socket: &Socket, options: &LinkOptions) -> io::Result<()> {
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(())
}

/// What a connection needs and a listener does not.
pub(crate) fn set_stream_options(socket: &Socket, options: &LinkOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(options.nodelay)?;
    set_keepalive(socket, &options.keepalive)?;
    match options.unacknowledged_timeout {
        Some(timeout) => sys::set_unacknowledged_timeout(socket, timeout),
        None => Ok(()),
    }
}

fn set_keepalive(socket: &Socket, keepalive: &Keepalive) -> io::Result<()> {
    match *keepalive {
        Keepalive::Off => socket.set_keepalive(false),
        Keepalive::On {
            idle,
            interval,
            count,
        } => {
            let mut params = TcpKeepalive::new();
            if let Some(idle) = idle {
                params = params.with_time(whole_seconds(idle));
            }
            if let Some(interval) = interval {
                params = params.with_interval(whole_seconds(interval));
            }
            if let Some(count) = count {
                params = params.with_retries(count);
            }
            // Turns the probes on, too.
            socket.set_tcp_keepalive(&params)
        }
        _ => Ok(()),
    }
}

fn set_traffic_class(
    socket: &Socket,
    address: &SocketAddr,
    options: &LinkOptions,
) -> io::Result<()> {
    match (options.traffic_class, address) {
        (None, _) => Ok(()),
        (Some(class), SocketAddr::V4(_)) => socket.set_tos_v4(class.into()),
        (Some(class), SocketAddr::V6(_)) => socket.set_tclass_v6(class.into()),
    }
}

/// The system counts in seconds, and refuses none.
fn whole_seconds(time: Duration) -> Duration {
    let partial = u64::from(time.subsec_nanos() != 0);
    Duration::from_secs(time.as_secs().saturating_add(partial).max(1))
}
