//! What FerroMQ must reach, compared with what was measured.
//!
//! Ratios to the other contenders of the same run: they travel between
//! machines, absolute figures do not.

mod judge;
mod page;

use std::fmt;

use crate::job::Placement;
use crate::statistics::Spread;

pub(crate) use self::judge::judge;
pub(crate) use self::page::{replace_in, table};

/// One goal and the figure that it is about.
#[derive(Debug)]
pub(crate) struct Goal {
    /// The workload, its size, and the transport.
    what: String,
    /// Absent where it was counted, not timed.
    placement: Option<Placement>,
    /// Absent: no goal, and shown beside those that are.
    bound: Option<Bound>,
    /// What is bounded: `x raw`, `us`.
    unit: String,
    measured: Spread,
    /// The figure of ours that was compared.
    ours: Option<String>,
    /// With whom it was compared, and the figure.
    theirs: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    /// A goal about a figure that is compared with nobody's.
    fn new(what: String, unit: &str, bound: Option<Bound>, measured: Spread) -> Self {
        Self {
            what,
            placement: None,
            bound,
            unit: unit.to_owned(),
            measured,
            ours: None,
            theirs: None,
        }
    }

    fn is_met(&self) -> Option<bool> {
        Some(match self.bound? {
            Bound::AtLeast(limit) => self.measured.median >= limit,
            Bound::AtMost(limit) => self.measured.median <= limit,
        })
    }

    fn wanted(&self) -> String {
        let unit = &self.unit;
        match self.bound {
            Some(Bound::AtLeast(limit)) => format!("at least {limit} {unit}"),
            Some(Bound::AtMost(limit)) => format!("at most {limit} {unit}"),
            None => unit.clone(),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.is_met() {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "no goal",
        }
    }

    /// The median, with the least and the greatest where there are several.
    fn found(&self) -> String {
        let Spread { median, min, max } = self.measured;
        match min == max {
            true => format!("{median:.2}"),
            false => format!("{median:.2} ({min:.2} - {max:.2})"),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if let Some(placement) = self.placement {
            write!(f, " {placement}")?;
        }
        write!(f, ": {}", self.found())?;
        if let Some(theirs) = &self.theirs {
            write!(f, ", {theirs}")?;
        }
        write!(f, "; {}: {}", self.wanted(), self.verdict())
    }
}

/// How many of those that are goals are met, and how many there are.
pub(crate) fn met(goals: &[Goal]) -> (usize, usize) {
    let verdicts: Vec<bool> = goals.iter().filter_map(Goal::is_met).collect();
    (verdicts.iter().filter(|met| **met).count(), verdicts.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn goal(bound: Option<Bound>, measured: f64) -> Goal {
        let measured = Spread {
            median: measured,
            min: measured,
            max: measured,
        };
        Goal::new("something".to_owned(), "us", bound, measured)
    }

    #[test]
    fn a_bound_includes_its_limit() {
        let is_met = |bound, measured| goal(Some(bound), measured).is_met();
        assert_eq!(is_met(Bound::AtLeast(2.0), 2.0), Some(true));
        assert_eq!(is_met(Bound::AtLeast(2.0), 1.99), Some(false));
        assert_eq!(is_met(Bound::AtMost(6.5), 6.5), Some(true));
        assert_eq!(is_met(Bound::AtMost(6.5), 6.51), Some(false));
    }

    #[test]
    fn what_is_no_goal_is_neither_met_nor_missed() {
        let goals = [
            goal(None, 1.0),
            goal(Some(Bound::AtMost(1.0)), 1.0),
            goal(Some(Bound::AtMost(1.0)), 2.0),
        ];
        assert_eq!(met(&goals), (1, 2));
    }
}
