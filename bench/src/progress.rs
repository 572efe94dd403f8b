//! What is going on, and how long the rest may take: a line that changes on a
//! terminal, else now and then a line.

use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where lines cannot change.
const INTERVAL: Duration = Duration::from_secs(10);

/// Shows what is told.
pub(crate) struct Progress {
    /// Absent where lines cannot change.
    bar: Option<ProgressBar>,
    told: Arc<Mutex<Told>>,
}

struct Told {
    what: String,
    work: Work,
}

impl Progress {
    /// Of work that was planned to take so many seconds, which
    /// [`done`](Self::done) counts.
    pub(crate) fn new(planned: f64) -> Self {
        let told = Arc::new(Mutex::new(Told {
            what: String::new(),
            work: Work::new(planned),
        }));
        if !stderr().is_terminal() {
            let listener = Arc::downgrade(&told);
            thread::spawn(move || write_lines(&listener));
            return Self { bar: None, told };
        }
        let bar = ProgressBar::new(planned.ceil() as u64);
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:30} {prefix} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.enable_steady_tick(Duration::from_secs(1));
        Self {
            bar: Some(bar),
            told,
        }
    }

    /// Says what is done now.
    pub(crate) fn tell(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
        what.clone_into(&mut self.told().what);
    }

    /// So many of the planned seconds are over, however long they took.
    pub(crate) fn done(&self, planned: f64) {
        let mut told = self.told();
        told.work.done += planned;
        if let Some(bar) = &self.bar {
            bar.set_position(told.work.done as u64);
            bar.set_prefix(told.work.format_left());
        }
    }

    pub(crate) fn finish(&self) {
        self.told().what.clear();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what was told last, until nobody will tell more.
fn write_lines(told: &Weak<Mutex<Told>>) {
    while let Some(told) = told.upgrade() {
        let line = {
            let told = told.lock().unwrap_or_else(PoisonError::into_inner);
            let (elapsed, left) = (told.work.began.elapsed(), told.work.format_left());
            let elapsed = format_minutes(elapsed.as_secs());
            (!told.what.is_empty()).then(|| format!("{elapsed}, {left}: {}", told.what))
        };
        drop(told);
        if let Some(line) = line {
            eprintln!("{line}");
        }
        thread::sleep(INTERVAL);
    }
}

/// What was planned, in seconds, and how much of that is done.
struct Work {
    began: Instant,
    planned: f64,
    done: f64,
}

/// Seconds after which what was planned tells less than what was seen.
const CONFIDENCE: f64 = 30.0;

impl Work {
    fn new(planned: f64) -> Self {
        Self {
            began: Instant::now(),
            planned,
            done: 0.0,
        }
    }

    fn format_left(&self) -> String {
        match self.left(self.began.elapsed().as_secs_f64()) {
            left if left < 60.0 => "less than a minute left".to_owned(),
            left => format!("about {:.0} min left", left / 60.0),
        }
    }

    /// Seconds that the rest takes if it goes on as it went.
    fn left(&self, elapsed: f64) -> f64 {
        let pace = (elapsed + CONFIDENCE) / (self.done + CONFIDENCE);
        (self.planned - self.done).max(0.0) * pace
    }
}

fn format_minutes(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_planned_first_and_then_as_slow_as_what_was_done() {
        let mut work = Work::new(600.0);
        assert_eq!(work.left(0.0), 600.0);
        work.done = 270.0;
        assert_eq!(work.left(570.0), 660.0, "twice as slow as planned");
        work.done = 700.0;
        assert_eq!(work.left(700.0), 0.0, "a plan that is over is not negative");
        assert_eq!(format_minutes(605), "10:05");
    }
}
