//! The results as tables for people and as JSON for programs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::growth::Curve;
use crate::idle::IdleRow;
use crate::job::{Cell, Contender};
use crate::machine::Machine;
use crate::measure::{Effort, Row};
use crate::peers::Failure;
use crate::statistics::Spread;
use crate::syscalls::SyscallRow;
use crate::table::Table;

/// All that a run of the benchmark found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) effort: Effort,
    /// Who could not be measured at all, and why.
    pub(crate) absent: Vec<String>,
    pub(crate) cells: Vec<CellResults>,
    pub(crate) idle: Vec<IdleRow>,
    pub(crate) syscalls: Vec<SyscallRow>,
    pub(crate) growth: Vec<Curve>,
}

/// The rows of one cell, or why it has none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CellResults {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) rows: Vec<Row>,
    pub(crate) skipped: Option<String>,
}

impl CellResults {
    pub(crate) fn new(cell: Cell, rows: Vec<Row>) -> Self {
        let skipped = None;
        Self {
            cell,
            rows,
            skipped,
        }
    }

    pub(crate) fn skipped(cell: Cell, reason: String) -> Self {
        Self {
            cell,
            rows: Vec::new(),
            skipped: Some(reason),
        }
    }

    pub(crate) fn row(&self, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|row| row.contender == contender)
    }

    /// The ratio of two contenders' headlines.
    pub(crate) fn ratio(&self, of: Contender, to: Contender) -> Option<Spread> {
        self.row(of)?.ratio_to(self.row(to)?, &self.cell)
    }

    /// The other libraries' best.
    pub(crate) fn best_peer(&self) -> Option<Contender> {
        let peers = self.rows.iter().filter(|row| row.contender.is_peer());
        let with_headlines =
            peers.filter_map(|row| Some((row.contender, row.headline(&self.cell)?.median)));
        let better = |(_, one): &(_, f64), (_, other): &(_, f64)| match self.cell.is_timed() {
            true => other.total_cmp(one),
            false => one.total_cmp(other),
        };
        Some(with_headlines.max_by(better)?.0)
    }
}

impl Results {
    pub(crate) fn new(machine: Machine, effort: Effort) -> Self {
        Self {
            machine,
            effort,
            absent: Vec::new(),
            cells: Vec::new(),
            idle: Vec::new(),
            syscalls: Vec::new(),
            growth: Vec::new(),
        }
    }

    /// Writes them to `file`, if there is to be one, as one JSON object.
    pub(crate) fn save(&self, file: Option<&Path>) -> Result<(), Failure> {
        let Some(file) = file else { return Ok(()) };
        let mut file = BufWriter::new(File::create(file)?);
        serde_json::to_writer_pretty(&mut file, self)?;
        writeln!(file)?;
        Ok(file.flush()?)
    }

    /// Reads what several runs wrote; the later ones' cells replace the same
    /// cells of the earlier ones.
    pub(crate) fn read_json(files: &[PathBuf]) -> Result<Self, Failure> {
        let mut all: Option<Self> = None;
        for file in files {
            let next: Self = serde_json::from_str(&fs::read_to_string(file)?)
                .map_err(|error| format!("{}: {error}", file.display()))?;
            all = Some(match all {
                None => next,
                Some(all) => all.replaced_by(next),
            });
        }
        Ok(all.ok_or("no results")?)
    }

    fn replaced_by(mut self, next: Self) -> Self {
        for cell in next.cells {
            match self.cells.iter_mut().find(|old| old.cell == cell.cell) {
                Some(old) => *old = cell,
                None => self.cells.push(cell),
            }
        }
        if !next.growth.is_empty() {
            self.growth = next.growth;
        }
        if !next.idle.is_empty() {
            self.idle = next.idle;
        }
        if !next.syscalls.is_empty() {
            self.syscalls = next.syscalls;
        }
        self.machine = next.machine;
        self.effort = next.effort;
        self.absent = next.absent;
        self
    }
}

/// All tables, one below the other.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::new();
    if !results.cells.is_empty() {
        text += &workloads_table(&results.cells).to_string();
    }
    if !results.idle.is_empty() {
        text += &format!("{}\n", idle_table(&results.idle));
    }
    if !results.syscalls.is_empty() {
        text += &format!("{}\n", syscalls_table(&results.syscalls));
    }
    if let Some(line) = variation(&results.cells) {
        text += &format!("{line}\n\n");
    }
    text
}

/// How many rows' rounds differ much, if any do.
pub(crate) fn variation(cells: &[CellResults]) -> Option<String> {
    /// Of the median, between the least and the greatest.
    const MUCH: f64 = 0.3;
    let headlines = cells
        .iter()
        .flat_map(|results| results.rows.iter().map(|row| row.headline(&results.cell)));
    let headlines: Vec<Spread> = headlines.flatten().collect();
    let varies = |spread: &&Spread| (spread.max - spread.min) / spread.median > MUCH;
    let varying = headlines.iter().filter(varies).count();
    let all = headlines.len();
    let percent = MUCH * 100.0;
    (varying > 0)
        .then(|| format!("noise: {varying} of {all} rows vary by more than {percent:.0} %"))
}

/// The table of the workloads.
fn workloads_table(cells: &[CellResults]) -> Table {
    let mut table = Table::new(5, &HEAD);
    for results in cells {
        for row in &results.rows {
            let names = names(&results.cell, &row.contender.to_string());
            if let Some(figures) = figures(results, row) {
                table.row([names.clone(), figures].concat());
            }
            if let Some(trouble) = &row.trouble {
                table.note(names, trouble.clone());
            }
        }
        if let Some(reason) = &results.skipped {
            table.note(names(&results.cell, ""), reason.clone());
        }
        table.gap();
    }
    table
}

/// The heads of the names' columns and of the figures'.
pub(crate) const HEAD: [&str; 15] = [
    "workload",
    "size",
    "via",
    "cores",
    "contender",
    "median",
    "min - max",
    "MB/s",
    "p99 us",
    "p99.9 us",
    "CPU s/M",
    "RSS MiB",
    "x raw",
    "x libzmq",
    "x best",
];

/// The table of the idle connections.
fn idle_table(rows: &[IdleRow]) -> Table {
    let head = [
        "idle PULL",
        "connections",
        "RSS B each",
        "heap B each",
        "used: RSS B",
        "used: heap B",
    ];
    let mut table = Table::new(1, &head);
    for row in rows {
        let contender = row.contender.to_string();
        let connections = row.connections.to_string();
        match (&row.figures, &row.trouble) {
            (Some(figures), _) => table.row(vec![
                contender,
                connections,
                figures.idle.resident.to_string(),
                figures.idle.heap.to_string(),
                figures.used.resident.to_string(),
                figures.used.heap.to_string(),
            ]),
            (None, trouble) => {
                let reason = trouble.as_deref().unwrap_or("not measured");
                table.note(
                    vec![contender],
                    format!("{connections} connections: {reason}"),
                );
            }
        }
    }
    table
}

/// The table of the system calls.
fn syscalls_table(rows: &[SyscallRow]) -> Table {
    let mut table = Table::new(
        3,
        &["system calls", "via", "cores", "a round trip", "counted"],
    );
    for row in rows {
        let names = [
            row.contender.to_string(),
            row.via.to_string(),
            row.placement.to_string(),
        ];
        match (row.per_round_trip, &row.trouble) {
            (Some(calls), _) => {
                table.row([&names[..], &[format!("{calls:.2}"), row.method.to_string()]].concat())
            }
            (None, trouble) => {
                table.note(names.to_vec(), trouble.clone().unwrap_or_default());
            }
        }
    }
    table
}

pub(crate) fn names(cell: &Cell, contender: &str) -> Vec<String> {
    vec![
        cell.workload.to_string(),
        cell.format_shape(),
        cell.format_carrier(),
        cell.placement.to_string(),
        contender.to_owned(),
    ]
}

/// What stands in a row behind the names; `None` if it was not measured.
pub(crate) fn figures(results: &CellResults, row: &Row) -> Option<Vec<String>> {
    let cell = &results.cell;
    let rate_spread = row.spread(|figure| figure.rate)?;
    let (headline, spread) = headline_and_spread(results, row)?;
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let rss = format!(
        "{} + {}",
        mebibytes(row.peak(|figure| figure.client_peak_rss_bytes)),
        mebibytes(row.peak(|figure| figure.server_peak_rss_bytes))
    );
    let none = || "-".to_owned();
    let percentile = |value: Option<Spread>| {
        let value = value.filter(|value| value.median > 0.0);
        value.map_or_else(none, |value| format!("{:.1}", value.median))
    };
    let ratio = |to: Option<Contender>| {
        let ratio = to.and_then(|to| row.ratio_to(results.row(to)?, cell));
        ratio.map_or_else(none, |ratio| format!("{:.2}", ratio.median))
    };
    Some(vec![
        headline,
        spread,
        format!("{:.0}", rate_spread.median * cell.shape.size as f64 / 1e6),
        percentile(row.spread(|figure| figure.p99)),
        percentile(row.spread(|figure| figure.p99_9)),
        format!(
            "{:.3}",
            row.spread(|figure| figure.cpu_seconds_per_million)?.median
        ),
        rss,
        ratio(Some(Contender::Raw)),
        ratio(Some(Contender::Libzmq)),
        ratio(results.best_peer()),
    ])
}

/// A row's headline with its unit.
pub(crate) fn headline(results: &CellResults, row: &Row) -> Option<String> {
    Some(headline_and_spread(results, row)?.0)
}

fn headline_and_spread(results: &CellResults, row: &Row) -> Option<(String, String)> {
    let headline = row.headline(&results.cell)?;
    Some(match results.cell.is_timed() {
        true => time(&headline),
        false => rate(&headline),
    })
}

/// Microseconds.
fn time(time: &Spread) -> (String, String) {
    let Spread { median, min, max } = time;
    (format!("{median:.2} us"), format!("{min:.2} - {max:.2}"))
}

/// Messages a second, in the unit that leaves three digits or so.
fn rate(rate: &Spread) -> (String, String) {
    let (unit, scale) = match rate.median {
        median if median >= 1e6 => ("M/s", 1e6),
        median if median >= 1e4 => ("k/s", 1e3),
        _ => ("/s", 1.0),
    };
    let [median, min, max] = [rate.median, rate.min, rate.max].map(|value| value / scale);
    (
        format!("{median:.2} {unit}"),
        format!("{min:.2} - {max:.2}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shown_in_the_unit_of_their_median() {
        let spread = |median: f64| Spread {
            median,
            min: median / 2.0,
            max: median * 2.0,
        };
        assert_eq!(rate(&spread(21.5e6)).0, "21.50 M/s");
        assert_eq!(
            rate(&spread(50e3)),
            ("50.00 k/s".into(), "25.00 - 100.00".into())
        );
        assert_eq!(rate(&spread(350.0)).0, "350.00 /s");
    }
}
