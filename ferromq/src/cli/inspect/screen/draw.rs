//! Drawing: the sockets above, the selected one below.
//!
//! ```text
//!  process, interval, order                      1 line
//!  sockets                                       up to half
//!  ── selected socket ──
//!  endpoints, drops                              as many as fit
//!  peers                                         the rest
//!  keys                                          1 line
//! ```

use ferromq::status::SocketReport;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row, Table, TableState};

use super::super::columns::{Align, Column, PeerRow, of_peers, of_sockets};
use super::super::shown;
use super::app::App;

pub(super) const KEYS: &str = " q quit   up/down socket   pgup/pgdn peers   s sort   p pause";
/// Endpoints that are listed of the selected socket.
const ENDPOINTS: usize = 4;

const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);
const FAINT: Style = Style::new().add_modifier(Modifier::DIM);

pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App) {
    let sockets = app.report.sockets.len() as u16;
    let half = frame.area().height / 2;
    let rows = sockets.saturating_add(1).clamp(2, half.max(2));
    let [header, table, details, footer] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    draw_header(frame, app, header);
    draw_sockets(frame, app, table);
    draw_details(frame, app, details);
    frame.render_widget(Line::styled(KEYS, FAINT), footer);
}

fn draw_header(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let left = Line::styled(format!(" {}", shown::process(&app.report)), STRONG);
    let state = match (&app.ended, app.is_paused()) {
        (Some(_), _) => "ENDED  ",
        (None, true) => "PAUSED  ",
        (None, false) => "",
    };
    let interval = app.interval.as_secs_f64();
    let right = Line::from(vec![
        Span::styled(state, CHOSEN),
        Span::raw(format!(" every {interval} s, by {} ", app.order.name())),
    ]);
    let room = area.width.saturating_sub(right.width() as u16);
    frame.render_widget(
        left,
        Rect {
            width: room,
            ..area
        },
    );
    frame.render_widget(right.alignment(Alignment::Right), area);
}

fn draw_sockets(frame: &mut Frame<'_>, app: &App, area: Rect) {
    let sockets: Vec<_> = app.report.sockets.iter().collect();
    let mut state = TableState::new().with_selected(app.selected());
    let table = table(&of_sockets(), &sockets, area.width).row_highlight_style(CHOSEN);
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_details(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let Some(socket) = app.selected_socket() else {
        let none = "This process has no sockets.";
        frame.render_widget(Paragraph::new(none).alignment(Alignment::Center), area);
        return;
    };
    let title = format!(
        " {} {} ",
        shown::socket(socket),
        shown::text(&socket.socket_type)
    );
    let block = Block::new().borders(Borders::TOP).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = lines_of(socket);
    let [above, below] =
        Layout::vertical([Constraint::Length(lines.len() as u16), Constraint::Min(0)]).areas(inner);
    frame.render_widget(Paragraph::new(Text::from(lines)), above);
    draw_peers(frame, app, below);
}

fn draw_peers(frame: &mut Frame<'_>, app: &mut App, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let first = app.scroll_for(room);
    let Some(socket) = app.selected_socket() else {
        return;
    };
    let peers = socket.peers.iter().skip(first).take(room);
    let rows: Vec<_> = peers.map(|peer| PeerRow { socket, peer }).collect();
    frame.render_widget(table(&of_peers(), &rows, area.width), area);
    // Where in a long list this is, at its end.
    if room > 0 && socket.peers_total > rows.len() as u64 {
        let of = format!(
            " {}-{} of {} ",
            first + 1,
            first + rows.len(),
            socket.peers_total
        );
        let width = (of.len() as u16).min(area.width);
        let corner = Rect {
            x: area.right() - width,
            y: area.bottom() - 1,
            width,
            height: 1,
        };
        frame.render_widget(Line::styled(of, CHOSEN), corner);
    }
}

/// What is told of the selected socket besides its peers.
fn lines_of(socket: &SocketReport) -> Vec<Line<'static>> {
    let mut lines: Vec<_> = socket
        .endpoints
        .iter()
        .take(ENDPOINTS)
        .flat_map(shown::endpoint)
        .map(|line| Line::raw(format!(" {line}")))
        .collect();
    let more = socket.endpoints.len().saturating_sub(ENDPOINTS);
    if more > 0 {
        lines.push(Line::raw(format!(" and {more} more endpoints")));
    }
    let trouble = shown::trouble(socket).into_iter();
    lines.extend(trouble.map(|line| Line::raw(format!(" {line}"))));
    lines
}

/// A table of the columns that the width has room for.
fn table<R>(columns: &[Column<R>], rows: &[R], width: u16) -> Table<'static> {
    let columns: Vec<_> = columns
        .iter()
        .filter(|column| column.from <= width)
        .collect();
    let cell = |column: &Column<R>, text: String| {
        let alignment = match column.align {
            Align::Left => Alignment::Left,
            Align::Right => Alignment::Right,
        };
        Cell::new(Text::from(text).alignment(alignment))
    };
    let titles = columns
        .iter()
        .map(|column| cell(column, column.title.into()));
    let header = Row::new(titles.collect::<Vec<_>>()).style(STRONG);
    let rows = rows.iter().map(|row| {
        let cells = columns.iter().enumerate().map(|(index, column)| {
            let text = (column.text)(row);
            // The first has room to spare, perhaps.
            let text = match index {
                0 => text,
                _ => shown::cut(text, column.width.into()),
            };
            cell(column, text)
        });
        Row::new(cells.collect::<Vec<_>>())
    });
    // The first column takes what a wide screen has to spare.
    let widths = columns
        .iter()
        .enumerate()
        .map(|(index, column)| match index {
            0 => Constraint::Min(column.width),
            _ => Constraint::Length(column.width),
        });
    Table::new(rows.collect::<Vec<_>>(), widths.collect::<Vec<_>>())
        .header(header)
        .column_spacing(1)
}
