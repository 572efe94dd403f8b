//! What is going on: a line that changes on a terminal, else now and then a line.

use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where lines cannot change.
const INTERVAL: Duration = Duration::from_secs(3);

/// Shows what is told.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines(Arc<Mutex<String>>),
}

impl Progress {
    /// Of `steps`, which [`step`](Self::step) counts.
    pub(crate) fn new(steps: usize) -> Self {
        if !stderr().is_terminal() {
            let told = Arc::new(Mutex::new(String::new()));
            let listener = Arc::downgrade(&told);
            thread::spawn(move || write_lines(&listener));
            return Self::Lines(told);
        }
        let bar = ProgressBar::new(steps as u64);
        let style =
            ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_secs(1));
        Self::Bar(bar)
    }

    /// Says what is done now.
    pub(crate) fn tell(&self, what: &str) {
        match self {
            Self::Bar(bar) => bar.set_message(what.to_owned()),
            Self::Lines(told) => {
                what.clone_into(&mut told.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    pub(crate) fn step(&self) {
        if let Self::Bar(bar) = self {
            bar.inc(1);
        }
    }

    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Writes what was told last, until nobody will tell more.
fn write_lines(told: &Weak<Mutex<String>>) {
    while let Some(told) = told.upgrade() {
        let line = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        drop(told);
        if !line.is_empty() {
            eprintln!("{line} ...");
        }
        thread::sleep(INTERVAL);
    }
}
