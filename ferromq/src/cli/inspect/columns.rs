//! The columns of both tables, for the screen and for plain text.

use ferromq::status::{PeerReport, SocketReport};

use super::shown::{self, count, dropped, flow, rate, size};

/// A column of a table whose rows are of type `R`.
pub(super) struct Column<R> {
    pub(super) title: &'static str,
    /// Characters on a screen.
    pub(super) width: u16,
    pub(super) align: Align,
    /// The least width of a screen that has room for it.
    pub(super) from: u16,
    pub(super) text: fn(&R) -> String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// A peer and the socket that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct PeerRow<'a> {
    pub(super) socket: &'a SocketReport,
    pub(super) peer: &'a PeerReport,
}

const fn left<R>(title: &'static str, width: u16, from: u16, text: fn(&R) -> String) -> Column<R> {
    Column {
        title,
        width,
        align: Align::Left,
        from,
        text,
    }
}

const fn right<R>(title: &'static str, width: u16, from: u16, text: fn(&R) -> String) -> Column<R> {
    Column {
        align: Align::Right,
        ..left(title, width, from, text)
    }
}

/// A screen that has room for everything.
const WIDE: u16 = 130;

/// One line a socket. What leaves is out, what comes is in.
pub(super) fn of_sockets<'a>() -> Vec<Column<&'a SocketReport>> {
    vec![
        left("SOCKET", 12, 0, |s| shown::socket(s)),
        left("TYPE", 6, 0, |s| shown::text(&s.socket_type)),
        left("STATE", 10, WIDE, |s| shown::text(&s.state)),
        left("CALLER", 7, WIDE, |s| shown::text(&s.caller)),
        right("PEERS", 9, 0, |s| {
            format!("{}/{}", count(s.peers_connected), count(s.peers_total))
        }),
        right("OUTQ", 5, 0, |s| count(s.queue_out.messages)),
        right("OUTQ B", 6, WIDE, |s| size(s.queue_out.bytes)),
        right("INQ", 5, 0, |s| count(s.queue_in.messages)),
        right("INQ B", 6, WIDE, |s| size(s.queue_in.bytes)),
        right("OUT/s", 5, 0, |s| {
            rate(s.rates.unwrap_or_default().sent.messages)
        }),
        right("OUT B/s", 7, 0, |s| {
            flow(s.rates.unwrap_or_default().sent.bytes)
        }),
        right("IN/s", 5, 0, |s| {
            rate(s.rates.unwrap_or_default().received.messages)
        }),
        right("IN B/s", 6, 0, |s| {
            flow(s.rates.unwrap_or_default().received.bytes)
        }),
        right("DROPS", 5, 0, |s| count(dropped(&s.drops))),
        right("RECONN", 6, WIDE, |s| count(s.reconnects)),
        right("HSFAIL", 6, WIDE, |s| count(s.handshakes_failed)),
    ]
}

/// One line a peer.
pub(super) fn of_peers<'a>() -> Vec<Column<PeerRow<'a>>> {
    fn rates(row: &PeerRow<'_>) -> ferromq::status::Rates {
        row.peer.rates.unwrap_or_default()
    }
    vec![
        left("PEER", 24, 0, |row| shown::place(row.peer)),
        left("IDENTITY", 13, 0, |row| shown::identity(row.peer)),
        left("STATE", 11, 0, |row| {
            shown::peer_state(row.socket, row.peer)
        }),
        right("OUTQ", 5, 0, |row| count(row.peer.queue_out.messages)),
        right("OUTQ B", 6, WIDE, |row| size(row.peer.queue_out.bytes)),
        right("INQ", 5, 0, |row| count(row.peer.queue_in.messages)),
        right("INQ B", 6, WIDE, |row| size(row.peer.queue_in.bytes)),
        right("OUT/s", 5, 0, |row| rate(rates(row).sent.messages)),
        right("OUT B/s", 7, WIDE, |row| flow(rates(row).sent.bytes)),
        right("IN/s", 5, 0, |row| rate(rates(row).received.messages)),
        right("IN B/s", 6, WIDE, |row| flow(rates(row).received.bytes)),
        right("DROPS", 5, 0, |row| count(dropped(&row.peer.drops))),
        right("RECONN", 6, WIDE, |row| count(row.peer.reconnects)),
    ]
}
