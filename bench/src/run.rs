//! A run of the benchmark: its parts, one after the other.

use std::collections::BTreeMap;

use crate::cli::Selection;
use crate::growth;
use crate::idle;
use crate::job::{Cell, Contender, Placement, Via};
use crate::machine::{Machine, Watch};
use crate::measure::{self, Row};
use crate::peers::{self, Failure};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{CellResults, Results};
use crate::syscalls;

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Workloads,
    Idle,
    Syscalls,
    Growth,
}

impl Part {
    /// Those of a run that names none.
    pub(crate) fn of(plan: Plan) -> &'static [Self] {
        const ALL: &[Part] = &[Part::Workloads, Part::Idle, Part::Syscalls, Part::Growth];
        match plan {
            Plan::Full => ALL,
            Plan::Quick => &ALL[..3],
        }
    }
}

/// Measures `parts` of what is selected.
pub(crate) fn run(selection: &Selection, parts: &[Part]) -> Result<Results, Failure> {
    let machine = Machine::here();
    println!("{machine}\n");
    let contenders = selection.contenders();
    let (absent, present) = contenders
        .into_iter()
        .map(|contender| (contender, peers::absence(contender)))
        .partition::<Vec<_>, _>(|(_, reason)| reason.is_some());
    let mut results = Results::new(machine, selection.effort());
    for (contender, reason) in absent {
        let line = format!("{contender}: {}", reason.unwrap_or_default());
        println!("{line}");
        results.absent.push(line);
    }
    let present: Vec<_> = present
        .into_iter()
        .map(|(contender, _)| contender)
        .collect();
    let planned = Planned::new(selection, parts, &present, results.machine.cores());
    let cost = planned.cost(selection);
    let minutes = (cost / 60.0).ceil();
    println!("This takes about {minutes} min on an idle machine.\n");
    let progress = Progress::new(cost);
    let watch = Watch::begin();
    planned.measure(selection, &mut results, &progress)?;
    results.machine.noise.extend(watch.end());
    progress.finish();
    results.save(selection.json.as_deref())?;
    Ok(results)
}

/// What is to be measured, of whom.
struct Planned {
    cells: Vec<(Cell, Vec<Contender>)>,
    idle: Vec<(Contender, usize)>,
    syscalls: Vec<(Via, Contender)>,
    growth: Option<growth::Planned>,
    cores: usize,
}

impl Planned {
    fn new(selection: &Selection, parts: &[Part], present: &[Contender], cores: usize) -> Self {
        let is_present = |who: &Contender| present.contains(who);
        let has = |part: Part| parts.contains(&part);
        let mut cells = Vec::new();
        for cell in selection
            .cells()
            .into_iter()
            .filter(|_| has(Part::Workloads))
        {
            let mut contenders = selection.contenders_of(&cell);
            contenders.retain(is_present);
            cells.push((cell, measure::able(cell, &contenders)));
        }
        let mut counted = selection.counted_contenders();
        counted.retain(is_present);
        let idle = idle::plan(&counted, selection.connections());
        let syscalls = syscalls::plan(&counted, &selection.vias());
        let placement = match cores {
            1 => Placement::OneCore,
            _ => Placement::CoreEach,
        };
        let growth = growth::Planned::new(present, selection.effort(), placement);
        Self {
            cells,
            idle: if has(Part::Idle) { idle } else { Vec::new() },
            syscalls: if has(Part::Syscalls) {
                syscalls
            } else {
                Vec::new()
            },
            growth: has(Part::Growth).then_some(growth),
            cores,
        }
    }

    /// About how long it takes, in seconds.
    fn cost(&self, selection: &Selection) -> f64 {
        let effort = selection.effort();
        let cells = self.cells.iter().filter(|(cell, _)| self.has_room(cell));
        let cells = cells.map(|(cell, contenders)| measure::cost(*cell, contenders.len(), effort));
        cells.sum::<f64>()
            + idle::cost(&self.idle)
            + self.syscalls.len() as f64 * syscalls::COST
            + self.growth.as_ref().map_or(0.0, growth::Planned::cost)
    }

    /// Whether the machine has the cores.
    fn has_room(&self, cell: &Cell) -> bool {
        !cell.placement.wants_two_cores() || self.cores > 1
    }

    fn measure(
        &self,
        selection: &Selection,
        results: &mut Results,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let mut failures = Failures::default();
        for (cell, contenders) in &self.cells {
            if self.has_room(cell) {
                let (worth_it, rest) = failures.split(contenders);
                let mut rows = measure::measure(*cell, &worth_it, selection.effort(), progress);
                failures.note(&rows);
                rows.extend(rest.into_iter().map(|who| Row::left_out(who, GIVEN_UP)));
                results.cells.push(CellResults::new(*cell, rows));
            } else {
                let skipped = "skipped: there is no second core".to_owned();
                results.cells.push(CellResults::skipped(*cell, skipped));
            }
            // A run that is cut short leaves what it has.
            results.save(selection.json.as_deref())?;
        }
        results.idle = idle::weigh(&self.idle, progress);
        results.syscalls = syscalls::count(&self.syscalls, selection.round_trips(), progress);
        if let Some(growth) = &self.growth {
            results.save(selection.json.as_deref())?;
            results.growth = growth.measure(progress);
        }
        Ok(())
    }
}

/// Who failed in how many cells in a row. One that hangs takes its time each time.
#[derive(Default)]
struct Failures(BTreeMap<Contender, usize>);

/// After so many failures there will be no success.
const MOST_FAILURES: usize = 3;
const GIVEN_UP: &str = "left out: it failed three times in a row";

impl Failures {
    fn note(&mut self, rows: &[Row]) {
        for row in rows {
            let failures = self.0.entry(row.contender).or_default();
            *failures = if row.has_failed() { *failures + 1 } else { 0 };
        }
    }

    /// Those who are worth a try, and the others.
    fn split(&self, contenders: &[Contender]) -> (Vec<Contender>, Vec<Contender>) {
        let failures = |who: &Contender| self.0.get(who).copied().unwrap_or_default();
        let contenders = contenders.iter().copied();
        contenders.partition(|who| failures(who) < MOST_FAILURES)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    fn row(contender: Contender, rate: Option<f64>) -> Row {
        let figure = |rate| measure::Figure {
            rate,
            ..Default::default()
        };
        Row {
            rounds: vec![rate.map(figure)],
            ..Row::left_out(contender, "")
        }
    }

    #[test]
    fn a_quick_run_takes_three_minutes_and_a_whole_one_half_an_hour() {
        let cost = |arguments: &[&str]| {
            let selection = Cli::parse_from(arguments).selection;
            let (parts, everybody) = (Part::of(selection.plan()), selection.contenders());
            Planned::new(&selection, parts, &everybody, 2).cost(&selection)
        };
        let (quick, whole) = (
            cost(&["ferromq-bench", "--quick"]),
            cost(&["ferromq-bench"]),
        );
        assert!(quick <= 180.0, "{quick} s");
        assert!(whole <= 1_800.0, "{whole} s");
    }

    #[test]
    fn who_fails_again_and_again_is_left_out_and_who_recovers_is_not() {
        let (good, bad) = (Contender::Ferromq, Contender::Rzmq);
        let mut failures = Failures::default();
        let both = [good, bad];
        for _ in 0..MOST_FAILURES - 1 {
            failures.note(&[row(good, Some(1.0)), row(bad, None)]);
        }
        assert_eq!(failures.split(&both), (both.to_vec(), Vec::new()));
        failures.note(&[row(bad, Some(1.0))]);
        for _ in 0..MOST_FAILURES {
            assert_eq!(failures.split(&both).1, []);
            failures.note(&[row(bad, None)]);
        }
        assert_eq!(failures.split(&both), (vec![good], vec![bad]));
    }
}
