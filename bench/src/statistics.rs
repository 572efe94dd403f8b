//! Medians and percentiles.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::channel::RoundTrip;

/// The middle of several rounds, with the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` without values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self {
            median: (low + high) / 2.0,
            min,
            max,
        })
    }
}

/// The percentiles of `times`, which it sorts. `None` without any.
pub(crate) fn round_trip(times: &mut [Duration]) -> Option<RoundTrip> {
    times.sort_unstable();
    Some(RoundTrip {
        p50: nearest_rank(times, 500)?,
        p99: nearest_rank(times, 990)?,
        p99_9: nearest_rank(times, 999)?,
    })
}

/// The least time, in microseconds, that `per_mille` of all do not exceed.
fn nearest_rank(sorted: &[Duration], per_mille: usize) -> Option<f64> {
    let rank = (sorted.len() * per_mille).div_ceil(1000);
    Some(sorted.get(rank.max(1) - 1)?.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of([4.0, 1.0, 3.0, 10.0]).unwrap();
        assert_eq!(
            spread,
            Spread {
                median: 3.5,
                min: 1.0,
                max: 10.0
            }
        );
        assert_eq!(Spread::of([7.0]).unwrap().median, 7.0);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut times: Vec<_> = (1..=1000).rev().map(Duration::from_micros).collect();
        let percentiles = round_trip(&mut times).unwrap();
        assert!((percentiles.p50 - 500.0).abs() < 1e-6);
        assert!((percentiles.p99 - 990.0).abs() < 1e-6);
        assert!((percentiles.p99_9 - 999.0).abs() < 1e-6);
        assert!(round_trip(&mut []).is_none());
        assert!((round_trip(&mut times[..1]).unwrap().p99_9 - 1.0).abs() < 1e-6);
    }
}
