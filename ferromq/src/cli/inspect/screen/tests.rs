//! What is on the screen, character by character.

use std::time::Duration;

use ferromq::status::Report;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{App, Flow};
use super::draw::draw;

fn report(json: &str) -> Report {
    serde_json::from_str(json).unwrap()
}

/// Three sockets, one of them with trouble.
fn example() -> Report {
    let amount =
        |messages: u64, bytes: u64| format!(r#"{{"messages":{messages},"bytes":{bytes}}}"#);
    let none = amount(0, 0);
    let rates = |out: f64, inward: f64| {
        format!(
            r#"{{"sent":{{"messages":{out},"bytes":{}}},"received":{{"messages":{inward},"bytes":{}}}}}"#,
            out * 100.0,
            inward * 100.0
        )
    };
    let peer = |id: u64, rest: &str, queue: u64, out: f64| {
        format!(
            r#"{{"id":"{id}","endpoint":"tcp://127.0.0.1:5555",{rest},"sent":{none},
            "received":{none},"queue_out":{},"queue_in":{none},"reconnects":2,
            "ignored_commands":0,"rates":{}}}"#,
            amount(queue, queue * 100),
            rates(out, 0.0)
        )
    };
    let socket =
        |id: u64, name: &str, kind: &str, drops: &str, out: f64, endpoints: &str, peers: &str| {
            format!(
                r#"{{"context":1,"id":{id},"name":"{name}","type":"{kind}","state":"open",
            "caller":"waiting","send_hwm":1000,"receive_hwm":1000,"endpoints":[{endpoints}],
            "sent":{none},"received":{none},"queue_out":{},"queue_in":{none},"drops":{{{drops}}},
            "reconnects":2,"handshakes_failed":1,"authentications_failed":1,
            "addresses_refused":3,"peers_total":2,"peers_connected":1,
            "peers":[{peers}],"rates":{}}}"#,
                amount(id * 10, id * 1000),
                rates(out, 0.0)
            )
        };
    let peers = [
        peer(
            0,
            r#""state":"connected","address":"tcp://127.0.0.1:41234","identity":{"hex":"00ff1b"}"#,
            7,
            1.5,
        ),
        peer(1, r#""state":"unconnected""#, 1000, 0.0),
    ]
    .join(",");
    let endpoints = r#"{"endpoint":"tcp://127.0.0.1:5555","state":"retrying","connections":3,
        "retry_in_ms":1234,"failure":"nothing accepts connections there"}"#;
    let sockets = [
        socket(0, "", "PULL", "", 0.0, "", ""),
        socket(
            1,
            "work\\u001b[2J",
            "PUSH",
            r#""subscriber_full":12,"link_lost":1"#,
            1.5,
            endpoints,
            &peers,
        ),
        socket(2, "news", "PUB", r#""no_peer":123456"#, 2_500_000.0, "", ""),
    ]
    .join(",");
    report(&format!(
        r#"{{"ferromq_status":1,"pid":4711,"program":"broker","clock_us":1,"time_ms":1,
        "sockets":[{sockets}]}}"#
    ))
}

fn app() -> App {
    App::new(example(), Duration::from_secs(1))
}

/// The lines of a screen of that size, without trailing spaces.
fn screen(app: &mut App, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, app)).unwrap();
    let buffer = terminal.backend().buffer();
    (0..height)
        .map(|y| {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            line.trim_end().to_owned()
        })
        .collect()
}

fn press(app: &mut App, code: KeyCode) -> Flow {
    app.press(KeyEvent::new(code, KeyModifiers::NONE))
}

#[test]
fn a_small_terminal_shows_what_matters() {
    let mut app = app();
    press(&mut app, KeyCode::Down);
    let lines = screen(&mut app, 80, 24);
    let expected = r"
 process 4711 (broker): 3 sockets                             every 1 s, by age
SOCKET             TYPE       PEERS  OUTQ   INQ OUT/s OUT B/s  IN/s IN B/s DROPS
#1.0               PULL         1/2     0     0     0       0     0      0     0
work\x1b[2J        PUSH         1/2    10     0   1.5     150     0      0    13
news               PUB          1/2    20     0  2.5M    238M     0      0  123k
 work\x1b[2J PUSH ──────────────────────────────────────────────────────────────
 retrying tcp://127.0.0.1:5555, 2 reconnects, again in 1.2 s
   nothing accepts connections there
 dropped: 1 link_lost, 12 subscriber_full; reconnects: 2; handshakes failed: 1
 turned away: 1 not let in, 3 by address
PEER                     IDENTITY      STATE        OUTQ   INQ OUT/s  IN/s DROPS
tcp://127.0.0.1:41234    \x00\xff\x1b  connected       7     0   1.5     0     0
tcp://127.0.0.1:5555                   retrying     1000     0     0     0     0";
    assert_eq!(lines[..13].join("\n"), expected[1..]);
    assert!(lines[13..23].iter().all(String::is_empty), "{lines:?}");
    assert_eq!(lines[23], super::draw::KEYS);
}

#[test]
fn a_large_terminal_shows_everything() {
    let mut app = app();
    press(&mut app, KeyCode::Down);
    let lines = screen(&mut app, 200, 50);
    for title in ["STATE", "CALLER", "OUTQ B", "INQ B", "RECONN", "HSFAIL"] {
        assert!(lines[1].contains(title), "{}", lines[1]);
    }
    let cells: Vec<_> = lines[3].split_whitespace().collect();
    let socket = [
        r"work\x1b[2J",
        "PUSH",
        "open",
        "waiting",
        "1/2",
        "10",
        "1000",
        "0",
        "0",
        "1.5",
        "150",
        "0",
        "0",
        "13",
        "2",
        "1",
    ];
    assert_eq!(cells, socket);
    let cells: Vec<_> = lines[11].split_whitespace().collect();
    let peer = [
        "tcp://127.0.0.1:41234",
        r"\x00\xff\x1b",
        "connected",
        "7",
        "700",
        "0",
        "0",
        "1.5",
        "150",
        "0",
        "0",
        "0",
        "2",
    ];
    assert_eq!(cells, peer);
    assert_eq!(lines[49], super::draw::KEYS);
}

#[test]
fn every_size_of_terminal_is_drawn() {
    let mut app = app();
    for (width, height) in [(1, 1), (3, 2), (10, 4), (80, 1), (1, 24), (79, 9), (130, 5)] {
        for _ in 0..3 {
            screen(&mut app, width, height);
            press(&mut app, KeyCode::Down);
        }
    }
}

/// The first words of the lines of the upper table.
fn order(app: &mut App) -> Vec<String> {
    let lines = screen(app, 80, 24);
    let first = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
    lines[2..5].iter().map(first).collect()
}

#[test]
fn sorting_goes_round_and_keeps_the_selection() {
    let mut app = app();
    press(&mut app, KeyCode::Down);
    let chosen = app.selected_socket().unwrap().key();
    let (pull, push, publisher) = ("#1.0", r"work\x1b[2J", "news");
    assert_eq!(order(&mut app), [pull, push, publisher]);
    for (name, first) in [
        ("queues", publisher),
        ("out/s", publisher),
        ("in/s", pull),
        ("drops", publisher),
        ("age", pull),
    ] {
        press(&mut app, KeyCode::Char('s'));
        assert_eq!(app.order.name(), name);
        assert_eq!(order(&mut app)[0], first, "by {name}");
        assert_eq!(app.selected_socket().unwrap().key(), chosen);
    }
    // Peers are sorted too.
    press(&mut app, KeyCode::Char('s'));
    let lines = screen(&mut app, 80, 24);
    assert!(
        lines[11].contains("retrying") && lines[12].contains("connected"),
        "{lines:?}"
    );
}

#[test]
fn the_selection_stays_within_and_moves_on_when_its_socket_is_gone() {
    let mut app = app();
    press(&mut app, KeyCode::Up);
    assert_eq!(app.selected(), Some(0));
    for _ in 0..5 {
        press(&mut app, KeyCode::Down);
    }
    assert_eq!(app.selected(), Some(2));
    let mut fewer = example();
    fewer.sockets.truncate(2);
    app.show(fewer);
    assert_eq!(app.selected(), Some(0));
    let mut none = example();
    none.sockets.clear();
    app.show(none);
    assert_eq!(app.selected(), None);
    press(&mut app, KeyCode::Down);
    let lines = screen(&mut app, 80, 24);
    assert!(
        lines
            .iter()
            .any(|line| line.contains("This process has no sockets."))
    );
}

#[test]
fn a_paused_view_stays_as_it_is() {
    let mut app = app();
    press(&mut app, KeyCode::Char('p'));
    let mut none = example();
    none.sockets.clear();
    app.show(none.clone());
    assert_eq!(app.report.sockets.len(), 3);
    assert!(screen(&mut app, 80, 24)[0].contains("PAUSED"));
    press(&mut app, KeyCode::Char(' '));
    app.show(none);
    assert!(app.report.sockets.is_empty() && !app.is_paused());
}

#[test]
fn the_end_of_the_process_is_shown_and_the_last_picture_stays() {
    let mut app = app();
    app.end("gone".into());
    let lines = screen(&mut app, 80, 24);
    assert!(
        lines[0].contains("ENDED") && lines[2].contains("PULL"),
        "{lines:?}"
    );
}

#[test]
fn many_peers_are_scrolled_to_their_end_and_no_further() {
    let mut app = app();
    let mut report = example();
    let socket = &mut report.sockets[1];
    let peer = socket.peers[0].clone();
    socket.peers = (0..100)
        .map(|number| {
            let mut peer = peer.clone();
            peer.address = Some(format!("tcp://peer-{number}:1"));
            peer
        })
        .collect();
    socket.peers_total = 5000;
    app.show(report);
    press(&mut app, KeyCode::Down);
    let lines = screen(&mut app, 80, 24);
    assert!(lines[11].starts_with("tcp://peer-0:1 "), "{lines:?}");
    assert!(lines[22].ends_with("1-12 of 5000"), "{lines:?}");
    for _ in 0..20 {
        press(&mut app, KeyCode::PageDown);
    }
    let lines = screen(&mut app, 80, 24);
    assert!(lines[11].starts_with("tcp://peer-88:1 "), "{lines:?}");
    assert!(lines[22].ends_with("89-100 of 5000"), "{lines:?}");
    press(&mut app, KeyCode::PageUp);
    assert!(screen(&mut app, 80, 24)[11].starts_with("tcp://peer-78:1 "));
    press(&mut app, KeyCode::Home);
    assert!(screen(&mut app, 80, 24)[11].starts_with("tcp://peer-0:1 "));
}

#[test]
fn keys_end_the_view() {
    let mut app = app();
    assert_eq!(press(&mut app, KeyCode::Char('x')), Flow::Goes);
    assert_eq!(press(&mut app, KeyCode::Char('c')), Flow::Goes);
    assert_eq!(press(&mut app, KeyCode::Char('q')), Flow::Ends);
    assert_eq!(press(&mut app, KeyCode::Esc), Flow::Ends);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.press(interrupt), Flow::Interrupted);
}
