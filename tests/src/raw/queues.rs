//! What the kernel says of a tcp connection on which nothing moves.

use std::fs;
use std::net::{SocketAddr, TcpStream};

/// Both ends of a connection on this machine, as `/proc/net/tcp` has them: bytes in a
/// receive queue are for whoever should read there, bytes in a send queue alone are with
/// the kernel.
pub(super) fn of(stream: &TcpStream) -> String {
    let (Ok(near), Ok(far)) = (stream.local_addr(), stream.peer_addr()) else {
        return "the connection is gone".into();
    };
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ends = [("this end", near, far), ("the other end", far, near)];
    let told = ends.map(|(name, from, to)| match line_of(&table, from, to) {
        Some(line) => format!("{name}: {}", describe(line)),
        None => format!("{name}: gone"),
    });
    told.join("; ")
}

/// The line of the end at `from`, by its ports: addresses are in an order of their own.
fn line_of(table: &str, from: SocketAddr, to: SocketAddr) -> Option<&str> {
    let ends_in = |field: Option<&str>, port: u16| {
        field.is_some_and(|field| field.ends_with(&format!(":{port:04X}")))
    };
    table.lines().find(|line| {
        let mut fields = line.split_whitespace().skip(1);
        ends_in(fields.next(), from.port()) && ends_in(fields.next(), to.port())
    })
}

/// `sl local remote state send:receive timer:when retransmissions …`, in words.
fn describe(line: &str) -> String {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let Some([state, queues, timer, retransmissions]) = fields.get(3..7) else {
        return format!("{line:?}");
    };
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap_or_default();
    let (send, receive) = queues.split_once(':').unwrap_or_default();
    let (send, receive, again) = (hex(send), hex(receive), hex(retransmissions));
    format!(
        "{send} bytes to send, {receive} bytes to read (state {state}, timer {timer}, \
         {again} retransmissions)"
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_nobody_reads_is_seen_at_the_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut near = TcpStream::connect(address).expect("somebody listens");
        let (far, _) = listener.accept().expect("somebody connected");
        near.write_all(&[0; 1000]).expect("room");
        while far.peek(&mut [0; 1000]).expect("it stands") < 1000 {}
        let told = of(&near);
        let (this, other) = told.split_once("; ").expect("two ends");
        assert!(this.contains(" 0 bytes to read"), "{told}");
        assert!(
            other.contains(": 0 bytes to send, 1000 bytes to read"),
            "{told}"
        );
    }
}
