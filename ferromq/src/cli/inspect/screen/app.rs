//! What is on the screen, and what keys do to it.

use std::cmp::Reverse;
use std::time::Duration;

use ferromq::status::{Amount, PeerReport, Rates, Report, SocketReport};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::shown::dropped;

/// Peers that page up and page down move by.
const PAGE: usize = 10;

/// Whether the view goes on after a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Goes,
    Ends,
    /// By Ctrl-C, which raw terminals do not turn into a signal.
    Interrupted,
}

/// What the tables are sorted by, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// As they were made.
    Age,
    Queue,
    Out,
    In,
    Drops,
}

/// The state of the view.
pub(super) struct App {
    pub(super) report: Report,
    pub(super) interval: Duration,
    pub(super) order: Order,
    /// Why there are no more reports.
    pub(super) ended: Option<String>,
    paused: bool,
    /// By key, for sockets change their places.
    selected: Option<(u64, u64)>,
    /// The first peer that is shown.
    scroll: usize,
}

impl App {
    pub(super) fn new(report: Report, interval: Duration) -> Self {
        let mut app = Self {
            report,
            interval,
            order: Order::Age,
            ended: None,
            paused: false,
            selected: None,
            scroll: 0,
        };
        app.settle();
        app
    }

    /// Takes the next report, unless the view is paused.
    pub(super) fn show(&mut self, report: Report) {
        if !self.paused {
            self.report = report;
            self.settle();
        }
    }

    /// There are no more reports.
    pub(super) fn end(&mut self, cause: String) {
        self.ended = Some(cause);
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Flow {
        match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Flow::Interrupted;
            }
            KeyCode::Char('q') | KeyCode::Esc => return Flow::Ends,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => {
                self.order = self.order.next();
                self.settle();
            }
            KeyCode::Down | KeyCode::Char('j') => self.select(1),
            KeyCode::Up | KeyCode::Char('k') => self.select(-1),
            KeyCode::PageDown => self.scroll += PAGE,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        Flow::Goes
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// The place of the selected socket among the others.
    pub(super) fn selected(&self) -> Option<usize> {
        let sockets = &self.report.sockets;
        let selected = self.selected?;
        sockets.iter().position(|socket| socket.key() == selected)
    }

    pub(super) fn selected_socket(&self) -> Option<&SocketReport> {
        self.report.sockets.get(self.selected()?)
    }

    /// The first peer to show where `room` are shown: never so far that a line
    /// would stay empty.
    pub(super) fn scroll_for(&mut self, room: usize) -> usize {
        let peers = self
            .selected_socket()
            .map_or(0, |socket| socket.peers.len());
        self.scroll = self.scroll.min(peers.saturating_sub(room));
        self.scroll
    }

    fn select(&mut self, step: isize) {
        let last = self.report.sockets.len().saturating_sub(1);
        let next = self.selected().unwrap_or(0).saturating_add_signed(step);
        let socket = self.report.sockets.get(next.min(last));
        self.selected = socket.map(SocketReport::key);
        self.scroll = 0;
    }

    /// Sorts, and selects another socket if the selected one is gone.
    fn settle(&mut self) {
        let order = self.order;
        self.report.sockets.sort_by_key(SocketReport::key);
        self.report
            .sockets
            .sort_by_key(|socket| Reverse(order.weight(&Row::of_socket(socket))));
        for socket in &mut self.report.sockets {
            socket
                .peers
                .sort_by_key(|peer| Reverse(order.weight(&Row::of_peer(peer))));
        }
        if self.selected().is_none() {
            self.selected = self.report.sockets.first().map(SocketReport::key);
            self.scroll = 0;
        }
    }
}

impl Order {
    /// The word in the header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Queue => "queues",
            Self::Out => "out/s",
            Self::In => "in/s",
            Self::Drops => "drops",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Age => Self::Queue,
            Self::Queue => Self::Out,
            Self::Out => Self::In,
            Self::In => Self::Drops,
            Self::Drops => Self::Age,
        }
    }

    /// More comes first. Rates are no smaller than 0, and a thousandth of a
    /// message is all that counts.
    fn weight(self, row: &Row) -> u64 {
        match self {
            Self::Age => 0,
            Self::Queue => row.queues,
            Self::Out => (row.rates.sent.messages * 1000.0) as u64,
            Self::In => (row.rates.received.messages * 1000.0) as u64,
            Self::Drops => row.drops,
        }
    }
}

/// What sockets and peers are sorted by.
struct Row {
    queues: u64,
    rates: Rates,
    drops: u64,
}

impl Row {
    fn of_socket(socket: &SocketReport) -> Self {
        Self {
            queues: both(socket.queue_out, socket.queue_in),
            rates: socket.rates.unwrap_or_default(),
            drops: dropped(&socket.drops),
        }
    }

    fn of_peer(peer: &PeerReport) -> Self {
        Self {
            queues: both(peer.queue_out, peer.queue_in),
            rates: peer.rates.unwrap_or_default(),
            drops: dropped(&peer.drops),
        }
    }
}

fn both(out: Amount, inward: Amount) -> u64 {
    out.messages.saturating_add(inward.messages)
}
