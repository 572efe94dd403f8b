//! What FerroMQ must reach, compared with what was measured.
//!
//! Ratios to the other contenders of the same run: they travel between
//! machines, absolute figures do not.

use std::fmt;

use serde::Serialize;

use crate::idle::IdleRow;
use crate::job::{Contender, Placement, Via, Workload};
use crate::measure::Figures;
use crate::report::CellResults;
use crate::statistics::Spread;
use crate::syscalls::{self, SyscallRow};

/// Bytes of resident memory that an idle connection may take.
const IDLE_CONNECTION_BYTES: f64 = 4096.0;

/// One goal and the figure that it is about.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    what: &'static str,
    bound: Bound,
    measured: f64,
    met: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn new(what: &'static str, bound: Bound, measured: f64) -> Self {
        let met = match bound {
            Bound::AtLeast(limit) => measured >= limit,
            Bound::AtMost(limit) => measured <= limit,
        };
        Self {
            what,
            bound,
            measured,
            met,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, limit) = match self.bound {
            Bound::AtLeast(limit) => ("at least", limit),
            Bound::AtMost(limit) => ("at most", limit),
        };
        let verdict = if self.met { "met" } else { "MISSED" };
        write!(
            f,
            "{}: {:.2}, {word} {limit} wanted: {verdict}",
            self.what, self.measured
        )
    }
}

/// The goals whose figures were measured.
pub(crate) fn judge(cells: &[CellResults], idle: &[IdleRow], calls: &[SyscallRow]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut judge = |what, bound, measured: Option<f64>| {
        goals.extend(measured.map(|measured| Goal::new(what, bound, measured)));
    };
    let ratio = |workload, size, placement, to: fn(&Figures) -> Option<Spread>| {
        let cell = cells.iter().find(|results| {
            let cell = &results.cell;
            cell.workload == workload
                && cell.size == size
                && cell.via == Via::Tcp
                && cell.placement == placement
        })?;
        Some(to(cell.row(Contender::Ferromq)?.figures.as_ref()?)?.median)
    };
    judge(
        "REQ/REP round trip over tcp on one core, to raw",
        Bound::AtMost(1.25),
        ratio(Workload::ReqRep, 64, Placement::OneCore, |figures| {
            figures.to_raw
        }),
    );
    judge(
        "64 B PUSH/PULL over tcp with a core each, to libzmq",
        Bound::AtLeast(2.0),
        ratio(Workload::PushPull, 64, Placement::CoreEach, |figures| {
            figures.to_libzmq
        }),
    );
    judge(
        "10 MiB PUSH/PULL over tcp with a core each, to the raw stream",
        Bound::AtLeast(0.9),
        ratio(
            Workload::PushPull,
            10 << 20,
            Placement::CoreEach,
            |figures| figures.to_raw,
        ),
    );
    judge(
        "10 MiB PUSH/PULL over tcp on one core, to the raw stream",
        Bound::AtLeast(0.9),
        ratio(
            Workload::PushPull,
            10 << 20,
            Placement::OneCore,
            |figures| figures.to_raw,
        ),
    );
    judge(
        "resident bytes of an idle connection, of the most that were open",
        Bound::AtMost(IDLE_CONNECTION_BYTES),
        idle_connection_bytes(idle),
    );
    judge(
        "system calls of a round trip, both sides",
        Bound::AtMost(syscalls::GOAL),
        calls
            .iter()
            .find(|row| row.is_the_goals())
            .and_then(|row| row.per_round_trip),
    );
    goals
}

fn idle_connection_bytes(idle: &[IdleRow]) -> Option<f64> {
    let ours = idle
        .iter()
        .filter(|row| row.contender == Contender::Ferromq);
    let measured = ours.filter_map(|row| Some((row.connections, row.figures.as_ref()?)));
    let (_, figures) = measured.max_by_key(|(connections, _)| *connections)?;
    Some(figures.idle.resident as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_includes_its_limit() {
        assert!(Goal::new("", Bound::AtLeast(2.0), 2.0).met);
        assert!(!Goal::new("", Bound::AtLeast(2.0), 1.99).met);
        assert!(Goal::new("", Bound::AtMost(6.5), 6.5).met);
        assert!(!Goal::new("", Bound::AtMost(6.5), 6.51).met);
    }

    #[test]
    fn nothing_measured_is_nothing_judged() {
        assert!(judge(&[], &[], &[]).is_empty());
    }
}
