//! Runs the jobs of a cell in turn, and makes figures of what they measured.

use serde::Serialize;

use crate::coordinator::{self, Outcome};
use crate::job::{Cell, Contender, Job, Workload};
use crate::peers;
use crate::statistics::Spread;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// What a run should take, from the first to the last measured message.
    pub(crate) seconds: f64,
}

/// A row of the table: one contender in one cell.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) contender: Contender,
    /// Measured messages, or round trips, a round.
    pub(crate) count: u64,
    #[serde(flatten)]
    pub(crate) figures: Option<Figures>,
    /// Why it could not be measured, or why there are fewer rounds.
    pub(crate) trouble: Option<String>,
    #[serde(skip)]
    rounds: Vec<Option<Figure>>,
}

/// Medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Messages or round trips a second.
    pub(crate) rate: Spread,
    pub(crate) megabytes_per_second: f64,
    /// In microseconds; of `req-rep` only.
    pub(crate) p50: Option<Spread>,
    pub(crate) p99: Option<Spread>,
    pub(crate) p99_9: Option<Spread>,
    /// Of both processes.
    pub(crate) cpu_seconds_per_million: Spread,
    pub(crate) server_peak_rss_bytes: u64,
    pub(crate) client_peak_rss_bytes: u64,
    /// The rate, or the median round-trip time, divided by that of the raw
    /// sockets in the same round.
    pub(crate) to_raw: Option<Spread>,
    pub(crate) to_libzmq: Option<Spread>,
}

/// One round of one contender.
#[derive(Clone, Copy, Debug)]
struct Figure {
    rate: f64,
    p50: f64,
    p99: f64,
    p99_9: f64,
    cpu_seconds_per_million: f64,
    server_peak_rss_bytes: u64,
    client_peak_rss_bytes: u64,
}

/// Below this a run says nothing, however slow the contender.
const LEAST_COUNT: u64 = 10;

/// Measures `contenders` in `cell`: one run of each, then the next round.
///
/// Interleaved, so that whatever else the machine does meets all of them.
pub(crate) fn measure(cell: Cell, contenders: &[Contender], effort: Effort) -> Vec<Row> {
    let mut rows: Vec<Row> = contenders
        .iter()
        .filter(|contender| cell.has_zero_copy_rows() || !contender.is_zero_copy())
        .map(|contender| Row::pilot(cell, *contender, effort))
        .collect();
    for _ in 0..effort.rounds {
        rows.iter_mut().for_each(|row| row.run_round(cell));
    }
    let rounds_of = |contender| {
        let row = rows.iter().find(|row| row.contender == contender);
        row.map(|row| row.rounds.clone()).unwrap_or_default()
    };
    let (raw, libzmq) = (rounds_of(Contender::Raw), rounds_of(Contender::Libzmq));
    for row in &mut rows {
        row.summarise(cell, &raw, &libzmq);
    }
    rows
}

impl Row {
    /// Finds out how many messages fill the time of a run.
    fn pilot(cell: Cell, contender: Contender, effort: Effort) -> Self {
        let mut row = Self {
            contender,
            count: cell.pilot_count(),
            figures: None,
            trouble: peers::absence(contender),
            rounds: Vec::new(),
        };
        if let Some(figure) = row.run(cell) {
            row.count = ((figure.rate * effort.seconds) as u64).max(LEAST_COUNT);
        }
        row
    }

    fn run_round(&mut self, cell: Cell) {
        let figure = self.run(cell);
        self.rounds.push(figure);
    }

    /// One run, unless an earlier one failed: most likely this one would, too.
    fn run(&mut self, cell: Cell) -> Option<Figure> {
        if self.trouble.is_some() {
            return None;
        }
        let warm_up = self.count / 5 + 1;
        let job = Job {
            cell,
            contender: self.contender,
            warm_up,
            count: self.count,
        };
        match coordinator::run(&job) {
            Ok(outcome) => Some(Figure::new(&job, &outcome)),
            Err(failure) => {
                self.trouble = Some(failure.to_string());
                None
            }
        }
    }

    fn summarise(&mut self, cell: Cell, raw: &[Option<Figure>], libzmq: &[Option<Figure>]) {
        let spread =
            |value: fn(&Figure) -> f64| Spread::of(self.rounds.iter().flatten().map(value));
        let peak = |value: fn(&Figure) -> u64| {
            self.rounds
                .iter()
                .flatten()
                .map(value)
                .max()
                .unwrap_or_default()
        };
        let is_round_trip = cell.workload == Workload::ReqRep;
        let round_trip = |value| spread(value).filter(|_| is_round_trip);
        let (Some(rate), Some(cpu_seconds_per_million)) = (
            spread(|figure| figure.rate),
            spread(|figure| figure.cpu_seconds_per_million),
        ) else {
            return;
        };
        self.figures = Some(Figures {
            rate,
            megabytes_per_second: rate.median * cell.size as f64 / 1e6,
            p50: round_trip(|figure| figure.p50),
            p99: round_trip(|figure| figure.p99),
            p99_9: round_trip(|figure| figure.p99_9),
            cpu_seconds_per_million,
            server_peak_rss_bytes: peak(|figure| figure.server_peak_rss_bytes),
            client_peak_rss_bytes: peak(|figure| figure.client_peak_rss_bytes),
            to_raw: ratio(cell.workload, &self.rounds, raw),
            to_libzmq: ratio(cell.workload, &self.rounds, libzmq),
        });
    }
}

impl Figure {
    fn new(job: &Job, outcome: &Outcome) -> Self {
        let count = job.count as f64;
        // PULL sees the messages arrive, REQ sees the replies.
        let seconds = match job.cell.workload {
            Workload::PushPull => outcome.server.seconds,
            Workload::ReqRep => outcome.client.seconds,
        };
        let cpu_seconds = outcome.server.cpu_seconds + outcome.client.cpu_seconds;
        let round_trip = outcome.client.round_trip.unwrap_or_default();
        Self {
            rate: count / seconds,
            p50: round_trip.p50,
            p99: round_trip.p99,
            p99_9: round_trip.p99_9,
            cpu_seconds_per_million: cpu_seconds * 1e6 / count,
            server_peak_rss_bytes: outcome.server.peak_rss_bytes,
            client_peak_rss_bytes: outcome.client.peak_rss_bytes,
        }
    }

    fn headline(&self, workload: Workload) -> f64 {
        match workload {
            Workload::PushPull => self.rate,
            Workload::ReqRep => self.p50,
        }
    }
}

/// The ratio of two contenders' headlines, round by round.
fn ratio(workload: Workload, of: &[Option<Figure>], to: &[Option<Figure>]) -> Option<Spread> {
    let rounds = of
        .iter()
        .zip(to)
        .filter_map(|(of, to)| Some((of.as_ref()?, to.as_ref()?)));
    Spread::of(rounds.map(|(of, to)| of.headline(workload) / to.headline(workload)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(rate: f64, p50: f64) -> Option<Figure> {
        Some(Figure {
            rate,
            p50,
            p99: 0.0,
            p99_9: 0.0,
            cpu_seconds_per_million: 0.0,
            server_peak_rss_bytes: 0,
            client_peak_rss_bytes: 0,
        })
    }

    #[test]
    fn ratios_compare_runs_of_the_same_round() {
        let ours = [figure(4.0, 8.0), figure(6.0, 12.0), None];
        let raw = [figure(2.0, 4.0), figure(2.0, 4.0), figure(100.0, 1.0)];
        let rates = ratio(Workload::PushPull, &ours, &raw).unwrap();
        assert_eq!(
            rates,
            Spread {
                median: 2.5,
                min: 2.0,
                max: 3.0
            }
        );
        let times = ratio(Workload::ReqRep, &ours, &raw).unwrap();
        assert_eq!(
            times,
            Spread {
                median: 2.5,
                min: 2.0,
                max: 3.0
            }
        );
    }

    #[test]
    fn without_a_common_round_there_is_no_ratio() {
        assert_eq!(
            ratio(Workload::PushPull, &[figure(1.0, 1.0), None], &[]),
            None
        );
        assert_eq!(
            ratio(Workload::PushPull, &[figure(1.0, 1.0)], &[None]),
            None
        );
    }
}
