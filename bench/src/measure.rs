//! Runs the jobs of a cell in turn, and makes figures of what they measured.

use serde::{Deserialize, Serialize};

use crate::coordinator::{self, Reports};
use crate::job::{Cell, Contender, Job, Role, Workload};
use crate::peers;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::statistics::Spread;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// What a run should take, from the first to the last measured message.
    pub(crate) seconds: f64,
    /// In a quick one, jobs that take long to set up are run but once.
    pub(crate) plan: Plan,
}

/// A row of the table: one contender in one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) contender: Contender,
    /// Measured messages, or round trips, a round.
    pub(crate) count: u64,
    pub(crate) rounds: Vec<Option<Figure>>,
    /// Why it could not be measured, or why there are fewer rounds.
    pub(crate) trouble: Option<String>,
}

/// One round of one contender.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Deliveries or round trips a second.
    pub(crate) rate: f64,
    /// Percentiles in microseconds; of whoever asks only.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p99_9: f64,
    /// Of all processes.
    pub(crate) cpu_seconds_per_million: f64,
    pub(crate) server_peak_rss_bytes: u64,
    pub(crate) client_peak_rss_bytes: u64,
    /// What the one that binds held when all was set up.
    pub(crate) server_resident_bytes: u64,
    /// From the first connection until all peers were heard; of plain peers.
    pub(crate) setup_seconds: f64,
    /// How long the client took to queue all; of backlogs.
    pub(crate) client_seconds: f64,
}

/// Below this a run says nothing, however slow the contender.
const LEAST_COUNT: u64 = 10;

/// Those of `contenders` who have a row in `cell`.
pub(crate) fn able(cell: Cell, contenders: &[Contender]) -> Vec<Contender> {
    let only_zero_copy = |who: &Contender| cell.has_zero_copy_rows() || !who.is_zero_copy();
    let able = |who: &Contender| peers::inability(*who, &cell).is_none();
    let contenders = contenders.iter().copied();
    contenders.filter(only_zero_copy).filter(able).collect()
}

/// About how long it takes to measure so many contenders in `cell`, in seconds.
pub(crate) fn cost(cell: Cell, contenders: usize, effort: Effort) -> f64 {
    let rounds = match has_no_pilot(&cell) {
        true => rounds(&cell, effort) as f64,
        false => PILOT + effort.rounds as f64,
    };
    contenders as f64 * rounds * cell.cost(effort)
}

/// How much of a run a pilot takes.
const PILOT: f64 = 0.6;

/// Measures `contenders`, who are able, in `cell`: one run of each, then the
/// next round.
///
/// Interleaved, so that whatever else the machine does meets all of them.
pub(crate) fn measure(
    cell: Cell,
    contenders: &[Contender],
    effort: Effort,
    progress: &Progress,
) -> Vec<Row> {
    let mut rows: Vec<Row> = contenders.iter().map(|who| Row::new(cell, *who)).collect();
    if !has_no_pilot(&cell) {
        for row in &mut rows {
            progress.tell(&format!("{cell}: {}, pilot", row.contender));
            row.fly_pilot(cell, effort);
            progress.done(PILOT * cell.cost(effort));
        }
    }
    let rounds = rounds(&cell, effort);
    for round in 1..=rounds {
        for row in &mut rows {
            progress.tell(&format!("{cell}: {}, {round} of {rounds}", row.contender));
            row.run_round(cell);
            progress.done(cell.cost(effort));
        }
    }
    rows
}

/// Whether the number of messages is the same for all, however fast they are.
fn has_no_pilot(cell: &Cell) -> bool {
    cell.is_heavy() || cell.has_loans_only() || cell.workload == Workload::Backlog
}

fn rounds(cell: &Cell, effort: Effort) -> usize {
    match effort.plan {
        Plan::Quick if cell.is_heavy() => 1,
        _ => effort.rounds,
    }
}

impl Row {
    fn new(cell: Cell, contender: Contender) -> Self {
        Self {
            contender,
            count: cell.fixed_count(),
            rounds: Vec::new(),
            trouble: None,
        }
    }

    /// The row of one who is not measured.
    pub(crate) fn left_out(contender: Contender, reason: &str) -> Self {
        Self {
            contender,
            count: 0,
            rounds: Vec::new(),
            trouble: Some(reason.to_owned()),
        }
    }

    /// Finds out how many messages fill the time of a run.
    fn fly_pilot(&mut self, cell: Cell, effort: Effort) {
        if let Some(figure) = self.run(cell) {
            let sent = figure.rate * effort.seconds / cell.deliveries() as f64;
            self.count = (sent as u64).max(LEAST_COUNT);
        }
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
        let job = Job {
            cell,
            contender: self.contender,
            warm_up: cell.warm_up(self.count),
            count: self.count,
        };
        match coordinator::run(&job) {
            Ok(reports) => Some(Figure::new(&job, &reports)),
            Err(failure) => {
                self.trouble = Some(failure.to_string());
                None
            }
        }
    }

    /// Whether nothing could be measured.
    pub(crate) fn has_failed(&self) -> bool {
        self.rounds.iter().flatten().next().is_none()
    }

    /// A figure over the rounds; `None` without any.
    pub(crate) fn spread(&self, of: impl Fn(&Figure) -> f64) -> Option<Spread> {
        Spread::of(self.rounds.iter().flatten().map(of))
    }

    /// The median rate, or the median of the median round-trip times.
    pub(crate) fn headline(&self, cell: &Cell) -> Option<Spread> {
        self.spread(|figure| figure.headline(cell))
    }

    pub(crate) fn peak(&self, of: impl Fn(&Figure) -> u64) -> u64 {
        let values = self.rounds.iter().flatten().map(of);
        values.max().unwrap_or_default()
    }

    /// This row's headline divided by that of `other`, round by round.
    pub(crate) fn ratio_to(&self, other: &Self, cell: &Cell) -> Option<Spread> {
        let both = self.rounds.iter().zip(&other.rounds);
        let both = both.filter_map(|(of, to)| Some((of.as_ref()?, to.as_ref()?)));
        Spread::of(both.map(|(of, to)| of.headline(cell) / to.headline(cell)))
    }
}

impl Figure {
    fn new(job: &Job, reports: &Reports) -> Self {
        let of = |role| reports.get(&role).copied().unwrap_or_default();
        let (server, client) = (of(Role::Server), of(Role::Client));
        // Whoever receives the last message has the time.
        let seconds = match job.cell.workload {
            Workload::PushPull | Workload::Proxy | Workload::Backlog => server.seconds,
            // What queues hold arrives faster than it was published.
            Workload::PubSub | Workload::Topics => client.seconds.max(server.seconds),
            _ => client.seconds,
        };
        let count = (job.count * job.cell.deliveries()) as f64;
        let cpu_seconds: f64 = reports.values().map(|report| report.cpu_seconds).sum();
        let round_trip = client.round_trip.unwrap_or_default();
        Self {
            rate: count / seconds,
            p50: round_trip.p50,
            p99: round_trip.p99,
            p99_9: round_trip.p99_9,
            cpu_seconds_per_million: cpu_seconds * 1e6 / count,
            server_peak_rss_bytes: server.peak_rss_bytes,
            client_peak_rss_bytes: client.peak_rss_bytes,
            server_resident_bytes: server.resident_bytes,
            setup_seconds: client.setup_seconds,
            client_seconds: client.seconds,
        }
    }

    fn headline(&self, cell: &Cell) -> f64 {
        if cell.is_timed() { self.p50 } else { self.rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Placement, Shape, Via};

    fn cell(workload: Workload) -> Cell {
        Cell::new(workload, Shape::of_size(64), Via::Tcp, Placement::OneCore)
    }

    fn row(figures: &[Option<(f64, f64)>]) -> Row {
        let figure = |(rate, p50)| Figure {
            rate,
            p50,
            ..Figure::default()
        };
        Row {
            contender: Contender::Raw,
            count: 1,
            rounds: figures.iter().map(|both| both.map(figure)).collect(),
            trouble: None,
        }
    }

    #[test]
    fn ratios_compare_runs_of_the_same_round() {
        let ours = row(&[Some((4.0, 8.0)), Some((6.0, 12.0)), None]);
        let raw = row(&[Some((2.0, 4.0)), Some((2.0, 4.0)), Some((100.0, 1.0))]);
        let expected = Some(Spread {
            median: 2.5,
            min: 2.0,
            max: 3.0,
        });
        assert_eq!(ours.ratio_to(&raw, &cell(Workload::PushPull)), expected);
        assert_eq!(ours.ratio_to(&raw, &cell(Workload::ReqRep)), expected);
    }

    #[test]
    fn without_a_common_round_there_is_no_ratio() {
        let cell = cell(Workload::PushPull);
        let ours = row(&[Some((1.0, 1.0)), None]);
        assert_eq!(ours.ratio_to(&row(&[]), &cell), None);
        assert_eq!(ours.ratio_to(&row(&[None, Some((1.0, 1.0))]), &cell), None);
    }

    #[test]
    fn deliveries_are_counted_not_what_was_published() {
        let mut job = Job {
            cell: cell(Workload::PubSub),
            contender: Contender::Ferromq,
            warm_up: 1,
            count: 10,
        };
        job.cell.shape.peers = 8;
        let mut reports = Reports::new();
        let report = crate::channel::Report {
            seconds: 2.0,
            cpu_seconds: 4.0,
            ..Default::default()
        };
        reports.insert(Role::Client, report);
        reports.insert(Role::Server, report);
        let figure = Figure::new(&job, &reports);
        assert_eq!(figure.rate, 40.0);
        assert_eq!(figure.cpu_seconds_per_million, 8.0 * 1e6 / 80.0);
    }
}
