//! The results as a table for people and as JSON for programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::goals::Goal;
use crate::idle::IdleRow;
use crate::job::{Cell, Contender, format_size};
use crate::machine::Machine;
use crate::measure::{Effort, Figures, Row};
use crate::peers::Failure;
use crate::statistics::Spread;
use crate::syscalls::SyscallRow;
use crate::table::Table;

/// All that a run of the benchmark found.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) effort: Effort,
    pub(crate) cells: Vec<CellResults>,
    pub(crate) idle: Vec<IdleRow>,
    pub(crate) syscalls: Vec<SyscallRow>,
    pub(crate) goals: Vec<Goal>,
}

/// The rows of one cell, or why it has none.
#[derive(Debug, Serialize)]
pub(crate) struct CellResults {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    pub(crate) rows: Vec<Row>,
    pub(crate) skipped: Option<String>,
}

impl CellResults {
    pub(crate) fn row(&self, contender: Contender) -> Option<&Row> {
        self.rows.iter().find(|row| row.contender == contender)
    }
}

impl Results {
    /// Writes them to `file` as one JSON object.
    pub(crate) fn write_json(&self, file: &Path) -> Result<(), Failure> {
        let mut file = BufWriter::new(File::create(file)?);
        serde_json::to_writer_pretty(&mut file, self)?;
        writeln!(file)?;
        Ok(file.flush()?)
    }
}

/// The table of the workloads.
pub(crate) fn workloads_table(cells: &[CellResults]) -> Table {
    let mut table = Table::new(
        5,
        &[
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
        ],
    );
    for results in cells {
        for row in &results.rows {
            let names = names(&results.cell, &row.contender.to_string());
            if let Some(figures) = &row.figures {
                table.row([names.clone(), cells_of(figures)].concat());
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

/// The table of the idle connections.
pub(crate) fn idle_table(rows: &[IdleRow]) -> Table {
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
pub(crate) fn syscalls_table(rows: &[SyscallRow]) -> Table {
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

fn names(cell: &Cell, contender: &str) -> Vec<String> {
    vec![
        cell.workload.to_string(),
        format_size(cell.size),
        cell.via.to_string(),
        cell.placement.to_string(),
        contender.to_owned(),
    ]
}

fn cells_of(figures: &Figures) -> Vec<String> {
    let (headline, spread) = match &figures.p50 {
        Some(p50) => (
            format!("{:.2} us", p50.median),
            format!("{:.2} - {:.2}", p50.min, p50.max),
        ),
        None => rate(&figures.rate),
    };
    let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
    let rss = format!(
        "{} + {}",
        mebibytes(figures.client_peak_rss_bytes),
        mebibytes(figures.server_peak_rss_bytes)
    );
    let percentile = |value: &Option<Spread>| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{:.1}", value.median))
    };
    let ratio = |value: &Option<Spread>| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{:.2}", value.median))
    };
    vec![
        headline,
        spread,
        format!("{:.0}", figures.megabytes_per_second),
        percentile(&figures.p99),
        percentile(&figures.p99_9),
        format!("{:.3}", figures.cpu_seconds_per_million.median),
        rss,
        ratio(&figures.to_raw),
        ratio(&figures.to_libzmq),
    ]
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
