//! How a peer is to die.

use crate::random::Random;

use super::Via;

/// When a peer dies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Death {
    /// When nothing is under way.
    AtRest,
    /// Whatever it does.
    InTheMiddle,
    /// By its own hand, at a point of the transport's; from outside, if it does not come
    /// there. The variable that says so, and its value.
    #[cfg_attr(
        not(feature = "kill-points"),
        expect(dead_code, reason = "nobody dies at points that are not there")
    )]
    AtPoint(&'static str, String),
}

impl Death {
    /// A third at rest; of those over shm a third at points, if this build has them.
    pub(super) fn of(round: u64, via: Via, random: &mut Random) -> Self {
        match round % 3 {
            2 => Self::AtRest,
            1 if via == Via::Shm => point(random).unwrap_or(Self::InTheMiddle),
            _ => Self::InTheMiddle,
        }
    }

    /// What a peer's environment is to have.
    pub(super) fn variable(&self) -> Option<(&'static str, String)> {
        match self {
            Self::AtPoint(variable, value) => Some((variable, value.clone())),
            _ => None,
        }
    }
}

/// Passings among which one is chosen.
#[cfg(feature = "kill-points")]
const PASSINGS: u64 = 200;

#[cfg(feature = "kill-points")]
fn point(random: &mut Random) -> Option<Death> {
    use ferromq_transport_shm::{KILL_AT, KillPoint};

    let last = KillPoint::ALL.len() as u64 - 1;
    let point = KillPoint::ALL.get(random.within(0, last) as usize)?;
    // Much is passed once only, the rest often.
    let passing = match random.happens(75) {
        true => 1,
        false => random.within(2, PASSINGS),
    };
    let value = format!("{}:{passing}", point.label());
    Some(Death::AtPoint(KILL_AT, value))
}

#[cfg(not(feature = "kill-points"))]
fn point(_: &mut Random) -> Option<Death> {
    None
}
