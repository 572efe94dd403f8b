//! What FerroMQ must reach, compared with what was measured.
//!
//! Ratios to the other contenders of the same run: they travel between
//! machines, absolute figures do not.

use std::fmt;

use crate::job::{Cell, Contender, Placement, Shape, Via, Workload};
use crate::report::{CellResults, Results};
use crate::statistics::Spread;
use crate::syscalls;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Bytes of resident memory that an idle connection may take.
const IDLE_CONNECTION_BYTES: f64 = 4096.0;
/// Bytes that either side may hold at messages of 10 MiB.
const LONG_MESSAGES_MIB: f64 = 64.0;

/// One goal and the figure that it is about.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    bound: Bound,
    measured: Spread,
    /// Whom it was compared with, if that was a matter of the results.
    versus: Option<Contender>,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(limit) => self.measured.median >= limit,
            Bound::AtMost(limit) => self.measured.median <= limit,
        }
    }

    pub(crate) fn wanted(&self) -> String {
        match self.bound {
            Bound::AtLeast(limit) => format!("at least {limit}"),
            Bound::AtMost(limit) => format!("at most {limit}"),
        }
    }

    pub(crate) fn verdict(&self) -> &'static str {
        if self.is_met() { "met" } else { "MISSED" }
    }

    /// The median, with the least and the greatest where there are several.
    pub(crate) fn found(&self) -> String {
        let Spread { median, min, max } = self.measured;
        let mut found = format!("{median:.2}");
        if min != max {
            found += &format!(" ({min:.2} - {max:.2})");
        }
        if let Some(versus) = self.versus {
            found += &format!(", best: {versus}");
        }
        found
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, found) = (&self.what, self.found());
        let (wanted, verdict) = (self.wanted(), self.verdict());
        write!(f, "{what}: {found}, {wanted} wanted: {verdict}")
    }
}

/// The goals whose figures were measured.
pub(crate) fn judge(results: &Results) -> Vec<Goal> {
    let mut judge = Judge {
        results,
        goals: Vec::new(),
    };
    for via in [Via::Tcp, Via::Ipc] {
        judge.streams(via);
        judge.round_trips(via);
    }
    judge.inproc();
    judge.publishing();
    judge.memory();
    judge.system_calls();
    judge.goals
}

struct Judge<'a> {
    results: &'a Results,
    goals: Vec<Goal>,
}

impl Judge<'_> {
    fn streams(&mut self, via: Via) {
        let cell = |size| {
            cell(
                Workload::PushPull,
                Shape::of_size(size),
                via,
                Placement::CoreEach,
            )
        };
        self.best(cell(64), Bound::AtLeast(3.0));
        self.best(cell(KIB), Bound::AtLeast(2.0));
        if via == Via::Ipc {
            self.versus(cell(64), Contender::Omq, Bound::AtLeast(2.0));
            self.versus(cell(KIB), Contender::Omq, Bound::AtLeast(2.0));
        }
        self.figure(
            cell(64),
            "CPU us a message",
            Bound::AtMost(0.11),
            |results| {
                let row = results.row(Contender::Ferromq)?;
                row.spread(|figure| figure.cpu_seconds_per_million)
            },
        );
        for size in [64 * KIB, 10 * MIB] {
            self.best(cell(size), Bound::AtLeast(1.0));
            self.versus(cell(size), Contender::Raw, Bound::AtLeast(0.95));
        }
        let cpu_to_raw = |results: &CellResults| {
            let cpu = |who| {
                let row = results.row(who)?;
                row.spread(|figure| figure.cpu_seconds_per_million)
            };
            let (ours, raw) = (cpu(Contender::Ferromq)?, cpu(Contender::Raw)?);
            Some(single(ours.median / raw.median))
        };
        self.figure(
            cell(10 * MIB),
            "CPU, to raw",
            Bound::AtMost(1.1),
            cpu_to_raw,
        );
    }

    fn round_trips(&mut self, via: Via) {
        let cell = |placement| cell(Workload::ReqRep, Shape::of_size(64), via, placement);
        self.versus(
            cell(Placement::OneCore),
            Contender::Raw,
            Bound::AtMost(1.15),
        );
        self.versus(
            cell(Placement::CoreEach),
            Contender::RawBusy,
            Bound::AtMost(1.5),
        );
        self.best(cell(Placement::OneCore), Bound::AtMost(1.0));
        self.best(cell(Placement::CoreEach), Bound::AtMost(1.0));
        self.versus(
            cell(Placement::Unpinned),
            Contender::Raw,
            Bound::AtMost(1.2),
        );
    }

    fn inproc(&mut self) {
        let stream = cell(
            Workload::PushPull,
            Shape::of_size(64),
            Via::Inproc,
            Placement::CoreEach,
        );
        self.best(stream, Bound::AtLeast(2.0));
        let asked = cell(
            Workload::ReqRep,
            Shape::of_size(64),
            Via::Inproc,
            Placement::OneCore,
        );
        self.figure(asked, "us", Bound::AtMost(3.0), |results| {
            results.row(Contender::Ferromq)?.headline(&results.cell)
        });
    }

    fn publishing(&mut self) {
        let to = |peers, via| {
            let shape = Shape::new(64, peers, 1);
            cell(Workload::PubSub, shape, via, Placement::CoreEach)
        };
        self.versus(to(8, Via::Tcp), Contender::Libzmq, Bound::AtLeast(2.0));
        self.versus(to(8, Via::Ipc), Contender::Libzmq, Bound::AtLeast(2.0));
        self.versus(to(100, Via::Tcp), Contender::Libzmq, Bound::AtLeast(2.0));
        self.versus(to(1_000, Via::Tcp), Contender::Libzmq, Bound::AtLeast(2.0));
        // The same process plays the subscribers of both.
        let rate = |peers| {
            let results = self.find(&to(peers, Via::Tcp))?;
            let row = results.row(Contender::Ferromq)?;
            row.headline(&results.cell)
        };
        if let (Some(few), Some(many)) = (rate(100), rate(1_000)) {
            self.goals.push(Goal {
                what: "pub-sub 64 B tcp: time a delivery to 1000, to that of 100".to_owned(),
                bound: Bound::AtMost(1.25),
                measured: single(few.median / many.median),
                versus: None,
            });
        }
        for peers in [1, 1_000] {
            let shape = Shape::new(64, peers, 1_000_000);
            let cell = cell(Workload::Topics, shape, Via::Tcp, Placement::CoreEach);
            self.figure(cell, "M messages/s", Bound::AtLeast(1.0), |results| {
                let row = results.row(Contender::Ferromq)?;
                row.spread(|figure| figure.rate / 1e6)
            });
        }
        let clients = |peers, load| {
            let shape = Shape::new(64, peers, load);
            cell(Workload::Clients, shape, Via::Tcp, Placement::CoreEach)
        };
        self.best(clients(10_000, 10_000), Bound::AtLeast(1.0));
        self.best(clients(10_000, 10), Bound::AtLeast(1.0));
    }

    fn memory(&mut self) {
        for via in [Via::Tcp, Via::Ipc] {
            let shape = Shape::of_size(10 * MIB);
            let cell = cell(Workload::PushPull, shape, via, Placement::CoreEach);
            let of = LONG_MESSAGES_MIB;
            self.figure(cell, "MiB of either side", Bound::AtMost(of), |results| {
                let row = results.row(Contender::Ferromq)?;
                row.spread(|figure| {
                    let most = figure
                        .client_peak_rss_bytes
                        .max(figure.server_peak_rss_bytes);
                    most as f64 / MIB as f64
                })
            });
        }
        let ours = self.results.idle.iter();
        let ours = ours.filter(|row| row.contender == Contender::Ferromq);
        let measured = ours.filter_map(|row| Some((row.connections, row.figures.as_ref()?)));
        if let Some((connections, figures)) = measured.max_by_key(|(number, _)| *number) {
            self.goals.push(Goal {
                what: format!("resident bytes of an idle connection, of {connections}"),
                bound: Bound::AtMost(IDLE_CONNECTION_BYTES),
                measured: single(figures.idle.resident as f64),
                versus: None,
            });
        }
    }

    fn system_calls(&mut self) {
        let row = self.results.syscalls.iter().find(|row| row.is_the_goals());
        if let Some(calls) = row.and_then(|row| row.per_round_trip) {
            self.goals.push(Goal {
                what: "system calls of a round trip over tcp on one core".to_owned(),
                bound: Bound::AtMost(syscalls::GOAL),
                measured: single(calls),
                versus: None,
            });
        }
    }

    /// Ours to the best of the other libraries.
    fn best(&mut self, cell: Cell, bound: Bound) {
        let best = self.find(&cell).and_then(CellResults::best_peer);
        let before = self.goals.len();
        if let Some(best) = best {
            self.compare(cell, best, "the best peer", bound);
        }
        if let Some(goal) = self.goals.get_mut(before) {
            goal.versus = best;
        }
    }

    fn versus(&mut self, cell: Cell, other: Contender, bound: Bound) {
        self.compare(cell, other, &other.to_string(), bound);
    }

    /// Ours to another: the better of our two ways to hand a long body over.
    fn compare(&mut self, cell: Cell, other: Contender, name: &str, bound: Bound) {
        self.figure(cell, &format!("to {name}"), bound, |results| {
            let copied = results.ratio(Contender::Ferromq, other);
            let shared = results.ratio(Contender::FerromqZeroCopy, other);
            match (copied, shared) {
                (Some(copied), Some(shared)) if shared.median > copied.median => Some(shared),
                (copied, _) => copied,
            }
        });
    }

    fn figure(
        &mut self,
        cell: Cell,
        of_what: &str,
        bound: Bound,
        measured: impl Fn(&CellResults) -> Option<Spread>,
    ) {
        let measured = self.find(&cell).and_then(measured);
        self.goals.extend(measured.map(|measured| Goal {
            what: format!("{cell}, {of_what}"),
            bound,
            measured,
            versus: None,
        }));
    }

    fn find(&self, cell: &Cell) -> Option<&CellResults> {
        self.results
            .cells
            .iter()
            .find(|results| results.cell == *cell)
    }
}

fn cell(workload: Workload, shape: Shape, via: Via, placement: Placement) -> Cell {
    Cell {
        workload,
        shape,
        via,
        placement,
    }
}

fn single(value: f64) -> Spread {
    Spread {
        median: value,
        min: value,
        max: value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(bound: Bound, measured: f64) -> Goal {
        Goal {
            what: String::new(),
            bound,
            measured: single(measured),
            versus: None,
        }
    }

    #[test]
    fn a_bound_includes_its_limit() {
        assert!(goal(Bound::AtLeast(2.0), 2.0).is_met());
        assert!(!goal(Bound::AtLeast(2.0), 1.99).is_met());
        assert!(goal(Bound::AtMost(6.5), 6.5).is_met());
        assert!(!goal(Bound::AtMost(6.5), 6.51).is_met());
    }
}
