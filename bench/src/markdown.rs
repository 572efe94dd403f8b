//! The results as a page: goals, tables, charts.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::charts::Drawn;
use crate::goals::{self, Goal};
use crate::peers::Failure;
use crate::report::{self, HEAD, Results};

/// The page's name in its directory.
const PAGE: &str = "results.md";

/// Writes the page, which shows the charts beside it, to `directory`.
pub(crate) fn write(
    results: &Results,
    goals: &[Goal],
    charts: &[Drawn],
    directory: &Path,
) -> Result<(), Failure> {
    fs::write(directory.join(PAGE), page(results, goals, charts)?)?;
    Ok(())
}

fn page(results: &Results, goals: &[Goal], charts: &[Drawn]) -> Result<String, Failure> {
    let machine = &results.machine;
    let mut page = String::from(
        "# Results\n\nWritten by the benchmark program; do not edit. What the figures mean, and \
         how they\ncame about, is told in [PERFORMANCE.md](../PERFORMANCE.md).\n\n",
    );
    writeln!(page, "- Machine: {}", machine.hardware())?;
    writeln!(page, "- Date: {}", machine.date())?;
    writeln!(page, "- Command: `{}`", machine.command())?;
    writeln!(page, "- Versions: {}", machine.versions())?;
    let effort = &results.effort;
    writeln!(
        page,
        "- {} rounds, each of about {} s a contender, in turn; medians with least and greatest",
        effort.rounds, effort.seconds
    )?;
    let variation = report::variation(&results.cells);
    for line in machine.noise.iter().chain(&variation) {
        writeln!(page, "- Noise: {}", line.trim_start_matches("noise: "))?;
    }
    for line in &results.absent {
        writeln!(page, "- Not measured: {line}")?;
    }
    write_goals(&mut page, goals)?;
    write_charts(&mut page, charts)?;
    write_workloads(&mut page, results)?;
    write_others(&mut page, results)?;
    Ok(page)
}

fn write_goals(page: &mut String, goals: &[Goal]) -> Result<(), Failure> {
    if goals.is_empty() {
        return Ok(());
    }
    let (met, all) = goals::met(goals);
    let table = goals::table(goals)?;
    writeln!(
        page,
        "\n## Goals\n\n{met} of {all} are met.\n\n{}",
        table.trim_end()
    )?;
    Ok(())
}

fn write_charts(page: &mut String, charts: &[Drawn]) -> Result<(), Failure> {
    if !charts.is_empty() {
        page.push_str("\n## Charts\n");
    }
    for Drawn { file, title } in charts {
        writeln!(page, "\n![{title}]({file})")?;
    }
    Ok(())
}

fn write_workloads(page: &mut String, results: &Results) -> Result<(), Failure> {
    if results.cells.is_empty() {
        return Ok(());
    }
    page.push_str(
        "\n## Workloads\n\nRSS is the peak of the side that connects, and of the side that binds. \
         CPU is of all\nprocesses. The median of round trips is that of each round's p50. `x` is the ratio, round by round, to the raw sockets, to libzmq, \
         and to the\nbest of the other libraries; of round trips it is that of the times.\n\n",
    );
    writeln!(page, "| {} |", HEAD.join(" | "))?;
    writeln!(page, "|{}", "---|".repeat(HEAD.len()))?;
    for cell in &results.cells {
        for row in &cell.rows {
            let names = report::names(&cell.cell, &row.contender.to_string());
            if let Some(figures) = report::figures(cell, row) {
                writeln!(page, "| {} | {} |", names.join(" | "), figures.join(" | "))?;
            }
            if let Some(trouble) = &row.trouble {
                let blank = " |".repeat(HEAD.len() - names.len() - 1);
                writeln!(page, "| {} | {trouble} |{blank}", names.join(" | "))?;
            }
        }
        if let Some(reason) = &cell.skipped {
            let names = report::names(&cell.cell, "");
            let blank = " |".repeat(HEAD.len() - names.len() - 1);
            writeln!(page, "| {} | {reason} |{blank}", names.join(" | "))?;
        }
    }
    Ok(())
}

fn write_others(page: &mut String, results: &Results) -> Result<(), Failure> {
    let tables = report::tables(&Results {
        cells: Vec::new(),
        ..results.clone()
    });
    if !tables.is_empty() {
        writeln!(
            page,
            "\n## Memory and system calls\n\n```text\n{}\n```",
            tables.trim_end()
        )?;
    }
    if !results.growth.is_empty() {
        page.push_str("\n## Growth\n\n```text\n");
        for curve in &results.growth {
            writeln!(page, "{curve}")?;
        }
        page.push_str("```\n");
    }
    Ok(())
}
