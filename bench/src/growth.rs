//! The cost of growth: time and memory against the number of peers,
//! subscribers and subscriptions, the size of messages and the length of queues.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::{Cell, Contender, Placement, Shape, Via, Workload, format_size};
use crate::measure::{self, Effort, Row};
use crate::progress::Progress;

const MIB: usize = 1 << 20;

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Axis {
    /// Clients of a ROUTER, all busy.
    Clients,
    /// Clients of a ROUTER, ten of them busy.
    IdleClients,
    /// Subscribers of a PUB, who take everything.
    Subscribers,
    /// Subscriptions of one subscriber.
    Subscriptions,
    /// Bytes of a message from PUSH to PULL.
    Size,
    /// Messages queued before the first is received.
    Queue,
}

const AXES: [Axis; 6] = [
    Axis::Clients,
    Axis::IdleClients,
    Axis::Subscribers,
    Axis::Subscriptions,
    Axis::Size,
    Axis::Queue,
];

impl Axis {
    fn values(self) -> &'static [usize] {
        match self {
            Self::Clients => &[1, 10, 100, 1_000, 10_000],
            Self::IdleClients => &[10, 100, 1_000, 10_000],
            // Fewer have threads and are not plain.
            Self::Subscribers => &[20, 100, 1_000, 5_000],
            Self::Subscriptions => &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
            Self::Size => &[8, 64, 512, 4 << 10, 32 << 10, 256 << 10, MIB, 10 * MIB],
            Self::Queue => &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
        }
    }

    fn cell(self, value: usize, placement: Placement) -> Cell {
        let (workload, shape) = match self {
            Self::Clients => (Workload::Clients, Shape::new(64, value, value)),
            Self::IdleClients => (Workload::Clients, Shape::new(64, value, 10)),
            Self::Subscribers => (Workload::PubSub, Shape::new(64, value, 1)),
            Self::Subscriptions => (Workload::Topics, Shape::new(64, 1, value)),
            Self::Size => (Workload::PushPull, Shape::of_size(value)),
            Self::Queue => (Workload::Backlog, Shape::new(64, 1, value)),
        };
        Cell::new(workload, shape, Via::Tcp, placement)
    }

    /// What is timed.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Clients | Self::IdleClients => "a reply",
            Self::Subscribers => "a delivery",
            Self::Subscriptions | Self::Size => "a message",
            Self::Queue => "a message in and out",
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients, all busy",
            Self::IdleClients => "clients, ten busy",
            Self::Subscribers => "subscribers",
            Self::Subscriptions => "subscriptions",
            Self::Size => "message size",
            Self::Queue => "queue length",
        }
    }

    /// The name of its chart.
    pub(crate) fn file_stem(self) -> &'static str {
        match self {
            Self::Clients => "growth-clients",
            Self::IdleClients => "growth-idle-clients",
            Self::Subscribers => "growth-subscribers",
            Self::Subscriptions => "growth-subscriptions",
            Self::Size => "growth-size",
            Self::Queue => "growth-queue",
        }
    }

    pub(crate) fn format(self, value: usize) -> String {
        match self {
            Self::Size => format_size(value),
            _ => value.to_string(),
        }
    }

    /// The exponents of time and memory up to which growth is no surprise: the
    /// time of one operation should not grow but with the bytes that it moves
    /// (and a little with the caches that are left behind), memory not faster
    /// than what is held.
    fn expected(self) -> (f64, f64) {
        let time = if self == Self::Size { 1.1 } else { 0.25 };
        (time, 1.1)
    }
}

/// One contender along one axis.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Curve {
    pub(crate) contender: Contender,
    pub(crate) axis: Axis,
    pub(crate) points: Vec<Point>,
    trouble: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Point {
    pub(crate) value: usize,
    /// Of one operation.
    pub(crate) microseconds: f64,
    /// Of the side on which it grows.
    pub(crate) bytes: f64,
}

/// What is measured: FerroMQ and libzmq, as far as they are selected.
pub(crate) struct Planned {
    contenders: Vec<Contender>,
    effort: Effort,
    placement: Placement,
}

impl Planned {
    pub(crate) fn new(contenders: &[Contender], effort: Effort, placement: Placement) -> Self {
        let measured = [Contender::Libzmq, Contender::Ferromq];
        let is_measured = |who: &&Contender| measured.contains(who);
        Self {
            contenders: contenders.iter().filter(is_measured).copied().collect(),
            effort: Effort {
                rounds: effort.rounds.min(ROUNDS),
                seconds: effort.seconds.min(SECONDS),
                ..effort
            },
            placement,
        }
    }

    /// About how long it takes, in seconds.
    pub(crate) fn cost(&self) -> f64 {
        let cells = AXES.iter().flat_map(|axis| {
            let values = axis.values().iter();
            values.map(|value| axis.cell(*value, self.placement))
        });
        let count = self.contenders.len();
        cells
            .map(|cell| measure::cost(cell, count, self.effort))
            .sum()
    }

    /// Measures all axes.
    pub(crate) fn measure(&self, progress: &Progress) -> Vec<Curve> {
        AXES.iter()
            .flat_map(|axis| self.measure_axis(*axis, progress))
            .collect()
    }

    fn measure_axis(&self, axis: Axis, progress: &Progress) -> Vec<Curve> {
        let contenders = self.contenders.iter();
        let mut curves: Vec<Curve> = contenders.map(|who| Curve::new(*who, axis)).collect();
        for value in axis.values().iter().copied() {
            let cell = axis.cell(value, self.placement);
            let rows = measure::measure(cell, &self.contenders, self.effort, progress);
            for (curve, row) in curves.iter_mut().zip(rows) {
                curve.add(value, &row);
            }
        }
        curves
    }
}

/// A line through many points needs less of each.
const ROUNDS: usize = 3;
const SECONDS: f64 = 0.1;

impl Curve {
    fn new(contender: Contender, axis: Axis) -> Self {
        Self {
            contender,
            axis,
            points: Vec::new(),
            trouble: Vec::new(),
        }
    }

    fn add(&mut self, value: usize, row: &Row) {
        if let Some(trouble) = &row.trouble {
            let value = self.axis.format(value);
            self.trouble.push(format!("at {value}: {trouble}"));
        }
        let axis = self.axis;
        let seconds = row.spread(|figure| match axis {
            Axis::Queue => 1.0 / figure.rate + figure.client_seconds / value as f64,
            _ => 1.0 / figure.rate,
        });
        let bytes = row.spread(|figure| match axis {
            Axis::Size => figure
                .client_peak_rss_bytes
                .max(figure.server_peak_rss_bytes) as f64,
            Axis::Queue => figure.client_peak_rss_bytes as f64,
            _ => figure.server_resident_bytes as f64,
        });
        if let (Some(seconds), Some(bytes)) = (seconds, bytes) {
            self.points.push(Point {
                value,
                microseconds: seconds.median * 1e6,
                bytes: bytes.median,
            });
        }
    }

    /// The exponents of time and memory, where it has grown large: over the
    /// last three points. Memory is what is beyond the first point's.
    pub(crate) fn exponents(&self) -> Option<(f64, f64)> {
        let (first, tail) = (self.points.first()?, self.points.len().checked_sub(3)?);
        let tail = &self.points[tail..];
        let held = |point: &Point| (point.bytes - first.bytes).max(1.0);
        let time = tail.iter().map(|point| (point.value, point.microseconds));
        let memory = tail.iter().map(|point| (point.value, held(point)));
        Some((exponent(time)?, exponent(memory)?))
    }
}

/// The slope of the straight line that fits the logarithms best.
fn exponent(points: impl Iterator<Item = (usize, f64)>) -> Option<f64> {
    let points: Vec<_> = points.map(|(x, y)| ((x as f64).ln(), y.ln())).collect();
    let count = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let common: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    (spread > 0.0).then(|| common / spread)
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            contender, axis, ..
        } = self;
        writeln!(f, "{}: {contender}", axis.name())?;
        for point in &self.points {
            let value = axis.format(point.value);
            let mebibytes = point.bytes / MIB as f64;
            let time = point.microseconds;
            writeln!(f, "  {value:>10}  {time:>12.3} us  {mebibytes:>10.1} MiB")?;
        }
        for trouble in &self.trouble {
            writeln!(f, "  {trouble}")?;
        }
        let Some((time, memory)) = self.exponents() else {
            return Ok(());
        };
        let operation = axis.operation();
        writeln!(
            f,
            "  time of {operation} ~ n^{time:.2}, memory ~ n^{memory:.2}"
        )?;
        let (time_limit, memory_limit) = axis.expected();
        if time > time_limit {
            writeln!(f, "  TIME grows faster than n^{time_limit}")?;
        }
        if memory > memory_limit {
            writeln!(f, "  MEMORY grows faster than linear")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponent_of_a_power_is_found() {
        let squares = [10, 100, 1_000].map(|n| (n, 3.0 * (n * n) as f64));
        assert!((exponent(squares.into_iter()).unwrap() - 2.0).abs() < 1e-9);
        let flat = [10, 100, 1_000].map(|n| (n, 7.0));
        assert!(exponent(flat.into_iter()).unwrap().abs() < 1e-9);
        assert_eq!(exponent([(10, 1.0)].into_iter()), None);
    }

    #[test]
    fn growth_beyond_the_expected_is_told() {
        let mut curve = Curve::new(Contender::Ferromq, Axis::Clients);
        for value in [1_usize, 10, 100, 1_000] {
            curve.points.push(Point {
                value,
                microseconds: value as f64,
                bytes: (value * value * 4096) as f64,
            });
        }
        let told = curve.to_string();
        assert!(
            told.contains("TIME grows") && told.contains("MEMORY grows"),
            "{told}"
        );
        for point in &mut curve.points {
            point.microseconds = 2.0;
            point.bytes = 4096.0 * point.value as f64;
        }
        assert!(!curve.to_string().contains("grows"));
    }
}
