//! A report as plain text: a table of the sockets, then of each one's peers.

use ferromq::status::{Report, SocketReport};

use super::columns::{Align, Column, PeerRow, of_peers, of_sockets};
use super::shown;

/// The whole report, as wide as it has to be.
pub(super) fn table(report: &Report) -> Vec<u8> {
    let mut text = shown::process(report) + "\n\n";
    let sockets: Vec<_> = report.sockets.iter().collect();
    write(&of_sockets(), &sockets, "", &mut text);
    for socket in sockets {
        details(socket, &mut text);
    }
    text.push('\n');
    text.into_bytes()
}

fn details(socket: &SocketReport, text: &mut String) {
    *text += &format!(
        "\n{} {}\n",
        shown::socket(socket),
        shown::text(&socket.socket_type)
    );
    for line in socket.endpoints.iter().flat_map(shown::endpoint) {
        *text += &format!("  {line}\n");
    }
    for line in shown::trouble(socket) {
        *text += &format!("  {line}\n");
    }
    if socket.peers.is_empty() {
        return;
    }
    let peers: Vec<_> = socket
        .peers
        .iter()
        .map(|peer| PeerRow { socket, peer })
        .collect();
    write(&of_peers(), &peers, "  ", text);
    let omitted = socket.peers_total.saturating_sub(peers.len() as u64);
    if omitted > 0 {
        *text += &format!("  and {omitted} more peers\n");
    }
}

fn write<R>(columns: &[Column<R>], rows: &[R], indent: &str, text: &mut String) {
    let titles = columns.iter().map(|column| column.title.to_owned());
    let lines: Vec<Vec<String>> = std::iter::once(titles.collect())
        .chain(
            rows.iter()
                .map(|row| columns.iter().map(|c| (c.text)(row)).collect()),
        )
        .collect();
    let width = |index: usize| lines.iter().map(|line| shown::width(&line[index])).max();
    let widths: Vec<_> = (0..columns.len()).map(|i| width(i).unwrap_or(0)).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).zip(columns);
        let cells = cells.map(|((cell, &width), column)| {
            let space = " ".repeat(width - shown::width(cell));
            match column.align {
                Align::Left => format!("{cell}{space}"),
                Align::Right => format!("{space}{cell}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        *text += &format!("{indent}{}\n", line.trim_end());
    }
}
