//! The live view: it draws when there is something new, and reads keys in
//! between.

mod app;
mod draw;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use ferromq::status::{Report, StatusError};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use super::sampler::Sampler;
use crate::cli::error::Failure;
use crate::cli::interrupt;
use app::{App, Flow};

/// Longest time that a report, or the end by a signal, waits to be seen.
const LOOK: Duration = Duration::from_millis(50);

/// What the sampling thread tells.
type Update = Result<Report, StatusError>;

/// Shows the process until `q`. Its end ends the updates and not the view.
pub(super) fn run(sampler: Sampler, interval: Duration) -> Result<(), Failure> {
    let app = App::new(sampler.first().clone(), interval);
    let paused = Arc::new(AtomicBool::new(false));
    let updates = start_sampling(sampler, interval, paused.clone())?;
    interrupt::on_signal(|| {})?;
    // Also puts the terminal back in order if something panics.
    let watched = ratatui::try_init()
        .map_err(Failure::system("use the terminal"))
        .and_then(|mut terminal| watch(&mut terminal, app, &updates, &paused));
    ratatui::restore();
    watched
}

fn watch(
    terminal: &mut DefaultTerminal,
    mut app: App,
    updates: &Receiver<Update>,
    paused: &AtomicBool,
) -> Result<(), Failure> {
    let refused = || Failure::system("use the terminal");
    loop {
        terminal
            .draw(|frame| draw::draw(frame, &mut app))
            .map_err(refused())?;
        // Until there is something to draw.
        loop {
            if let Some(signal) = interrupt::interrupted() {
                return Err(signal);
            }
            if event::poll(LOOK).map_err(refused())? {
                match event::read().map_err(refused())? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => match app.press(key) {
                        Flow::Goes => {}
                        Flow::Ends => return Ok(()),
                        Flow::Interrupted => return Err(Failure::Interrupted { signal: 2 }),
                    },
                    Event::Resize(..) => {}
                    _ => continue,
                }
                paused.store(app.is_paused(), Ordering::Relaxed);
                break;
            }
            match updates.try_recv() {
                Ok(Ok(report)) => app.show(report),
                Ok(Err(cause)) => app.end(cause.to_string()),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => continue,
            }
            break;
        }
    }
}

/// Asks on a thread of its own, so that keys work while a process is slow.
fn start_sampling(
    mut sampler: Sampler,
    interval: Duration,
    paused: Arc<AtomicBool>,
) -> Result<Receiver<Update>, Failure> {
    let (told, updates) = mpsc::sync_channel(1);
    let sample = move || {
        loop {
            thread::sleep(interval);
            if paused.load(Ordering::Relaxed) {
                continue;
            }
            let update = sampler.next();
            let ended = update.is_err();
            if told.send(update).is_err() || ended {
                return;
            }
        }
    };
    let started = thread::Builder::new().name("sample".into()).spawn(sample);
    started
        .map(|_| updates)
        .map_err(Failure::system("start a thread"))
}
