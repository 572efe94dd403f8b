//! Numbers and names as people read them, safe for any terminal.

use ferromq::status::{EndpointReport, PeerReport, Report, SocketReport};

use crate::cli::text::escape;

/// Foreign text without anything that a terminal would obey.
pub(super) fn text(foreign: &str) -> String {
    bytes(foreign.as_bytes())
}

/// The same for bytes: `\xHH` stands for what is not UTF-8.
pub(super) fn bytes(foreign: &[u8]) -> String {
    let mut shown = Vec::with_capacity(foreign.len());
    // A vector takes everything, and only escapes are added.
    let _ = escape(foreign, &mut shown);
    String::from_utf8_lossy(&shown).into_owned()
}

/// Columns of a terminal that a text takes.
pub(super) fn width(text: &str) -> usize {
    ratatui::text::Span::raw(text).width()
}

/// A text in so many columns at most; an ellipsis stands for what is cut off.
pub(super) fn cut(text: String, columns: usize) -> String {
    if width(&text) <= columns {
        return text;
    }
    let mut shown = String::new();
    for c in text.chars() {
        shown.push(c);
        if width(&shown) >= columns {
            shown.pop();
            break;
        }
    }
    shown + "\u{2026}"
}

/// A count in five characters at most: `9999`, `12.3k`, `4.5M`.
pub(super) fn count(count: u64) -> String {
    if count < 10_000 {
        return count.to_string();
    }
    scaled(count as f64, 1000.0, "kMGTPE")
}

/// Bytes, in powers of 1,024: `512`, `1.5K`, `20M`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    scaled(bytes as f64, 1024.0, "KMGTPE")
}

/// Messages a second.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        0.0 => "0".into(),
        0.0..10.0 => format!("{rate:.1}"),
        _ => count(rate.round() as u64),
    }
}

/// Bytes a second.
pub(super) fn flow(rate: f64) -> String {
    size(rate.round() as u64)
}

/// What a socket is called: its name, or its context and number.
pub(super) fn socket(socket: &SocketReport) -> String {
    match &*socket.name {
        "" => format!("#{}.{}", socket.context, socket.id),
        name => text(name),
    }
}

/// An identity, or nothing.
pub(super) fn identity(peer: &PeerReport) -> String {
    let identity = peer.identity.as_ref();
    let known = identity.and_then(|identity| identity.bytes());
    known.map_or_else(String::new, |identity| bytes(&identity))
}

/// Where a peer is, or where one is wanted; and by what it is reached, if not by what
/// that says.
pub(super) fn place(peer: &PeerReport) -> String {
    let place = text(peer.address.as_deref().unwrap_or(&peer.endpoint));
    match &peer.via {
        Some(via) => format!("{place} via {}", text(via)),
        None => place,
    }
}

/// Whether a peer is connected, or how far its endpoint has come.
pub(super) fn peer_state(socket: &SocketReport, peer: &PeerReport) -> String {
    if peer.state != "unconnected" {
        return text(&peer.state);
    }
    let of_peer = |endpoint: &&EndpointReport| endpoint.endpoint == peer.endpoint;
    let endpoint = socket.endpoints.iter().find(of_peer);
    // Between the loss of a link and the news of it, the endpoint lags.
    match endpoint.map(|endpoint| &*endpoint.state) {
        None | Some("connected") => "unconnected".into(),
        Some(state) => text(state),
    }
}

/// An endpoint and what happens there; the cause of a failure in a second line.
pub(super) fn endpoint(endpoint: &EndpointReport) -> Vec<String> {
    let mut line = format!("{} {}", text(&endpoint.state), text(&endpoint.endpoint));
    match (&*endpoint.state, endpoint.connections) {
        ("listening", accepted) => line += &format!(", {} accepted", count(accepted)),
        (_, 0 | 1) => {}
        (_, made) => line += &format!(", {} reconnects", count(made - 1)),
    }
    if let Some(pause) = endpoint.retry_in_ms {
        line += &format!(", again in {:.1} s", pause as f64 / 1000.0);
    }
    let failure = endpoint.failure.as_deref();
    std::iter::once(line)
        .chain(failure.map(|failure| format!("  {}", text(failure))))
        .collect()
}

/// Drops with their causes, and the rest that tells of trouble: a line, and another one
/// where peers were turned away.
pub(super) fn trouble(socket: &SocketReport) -> Vec<String> {
    let mut all: Vec<_> = socket
        .drops
        .iter()
        .map(|(cause, messages)| format!("{} {}", count(*messages), text(cause)))
        .collect();
    if all.is_empty() {
        all.push("none".into());
    }
    let dropped = format!(
        "dropped: {}; reconnects: {}; handshakes failed: {}",
        all.join(", "),
        count(socket.reconnects),
        count(socket.handshakes_failed)
    );
    let away: Vec<_> = [
        ("not let in", socket.authentications_failed),
        ("of these undecided", socket.authentications_undecided),
        ("by address", socket.addresses_refused),
        ("for violations", socket.violations),
    ]
    .into_iter()
    .filter(|(_, peers)| *peers > 0)
    .map(|(why, peers)| format!("{} {why}", count(peers)))
    .collect();
    let away = (!away.is_empty()).then(|| format!("turned away: {}", away.join(", ")));
    std::iter::once(dropped).chain(away).collect()
}

/// The process in a few words.
pub(super) fn process(report: &Report) -> String {
    let sockets = report.sockets.len() as u64 + report.sockets_omitted;
    let plural = if sockets == 1 { "" } else { "s" };
    format!(
        "process {} ({}): {sockets} socket{plural}",
        report.pid,
        text(&report.program)
    )
}

/// Messages dropped for any cause.
pub(super) fn dropped(drops: &std::collections::BTreeMap<String, u64>) -> u64 {
    drops
        .values()
        .fold(0, |sum, more| sum.saturating_add(*more))
}

fn scaled(mut number: f64, base: f64, units: &str) -> String {
    let mut unit = None;
    for next in units.chars() {
        // What would be rounded to the base is one of the next unit.
        if number < base - 0.5 && unit.is_some() {
            break;
        }
        number /= base;
        unit = Some(next);
    }
    let unit = unit.map_or_else(String::new, String::from);
    match number < 99.95 {
        true => format!("{number:.1}{unit}"),
        false => format!("{number:.0}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_where_its_address_says_and_by_what_it_is_reached() {
        let peer = |rest: &str| -> PeerReport {
            let amount = r#"{"messages":0,"bytes":0}"#;
            let json = format!(
                r#"{{"id":"0","endpoint":"tcp://*:1",{rest}"state":"connected","sent":{amount},
                "received":{amount},"queue_out":{amount},"queue_in":{amount},"reconnects":0,
                "ignored_commands":0}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let at = r#""address":"tcp://127.0.0.1:2","#;
        assert_eq!(place(&peer(at)), "tcp://127.0.0.1:2");
        let moved = peer(&format!(r#"{at}"via":"shm","#));
        assert_eq!(place(&moved), "tcp://127.0.0.1:2 via shm");
        assert_eq!(place(&peer("")), "tcp://*:1");
    }

    #[test]
    fn numbers_stay_short() {
        for (number, shown) in [
            (0, "0"),
            (9_999, "9999"),
            (10_000, "10.0k"),
            (99_949, "99.9k"),
            (123_456, "123k"),
            (999_499, "999k"),
            (999_600, "1.0M"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(count(number), shown);
        }
        for (number, shown) in [
            (1023, "1023"),
            (1024, "1.0K"),
            (1536, "1.5K"),
            (20 << 20, "20.0M"),
            (1023 << 20, "1023M"),
            ((1 << 30) - 1, "1.0G"),
        ] {
            assert_eq!(size(number), shown);
        }
        assert_eq!(
            (rate(0.0), rate(0.25), rate(12.6)),
            ("0".into(), "0.2".into(), "13".into())
        );
    }

    #[test]
    fn nothing_foreign_reaches_the_terminal_as_it_is() {
        assert_eq!(text("a\x1b[2J\u{9b}ö"), "a\\x1b[2J\\xc2\\x9bö");
        assert_eq!(bytes(b"\xff\0a"), "\\xff\\x00a");
    }

    #[test]
    fn what_is_cut_says_so() {
        let shown = |text: &str, columns| cut(text.into(), columns);
        assert_eq!(shown("abc", 3), "abc");
        assert_eq!(shown("abcd", 3), "ab…");
        // Wide characters take two columns.
        assert_eq!(shown("世界世界", 5), "世界…");
        assert_eq!(shown("世界世界", 4), "世…");
    }
}
