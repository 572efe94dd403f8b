//! Whether something that is measured again and again grows.

use crate::Failure;

/// What it grew by over all samples: Theil and Sen's slope, the median of the
/// slopes between any two samples, so that single peaks say nothing.
pub(crate) fn growth(samples: &[i64]) -> f64 {
    let mut slopes = Vec::new();
    for (from, first) in samples.iter().enumerate() {
        for (steps, last) in samples.iter().skip(from).enumerate().skip(1) {
            slopes.push((last - first) as f64 / steps as f64);
        }
    }
    slopes.sort_by(f64::total_cmp);
    let median = slopes.get(slopes.len() / 2).copied().unwrap_or(0.0);
    median * samples.len().saturating_sub(1) as f64
}

/// Fails where `samples`, but for the first quarter in which things warm up, grow
/// by more than `margin`. What they grew by otherwise.
pub(crate) fn check(what: &str, samples: &[i64], margin: i64) -> Result<i64, Failure> {
    let settled = samples.get(samples.len() / 4..).unwrap_or_default();
    if settled.len() < LEAST {
        return Err(format!("{what}: {} samples say nothing", settled.len()).into());
    }
    let grown = growth(settled) as i64;
    match grown <= margin {
        true => Ok(grown),
        false => {
            let failed = format!("{what} grow by {grown}, more than {margin}: {settled:?}");
            Err(failed.into())
        }
    }
}

/// Samples below which a slope is chance.
const LEAST: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples around a level, with peaks.
    fn noisy(grow: i64) -> Vec<i64> {
        let peak = |at: i64| if at % 7 == 3 { 50_000 } else { 0 };
        let noise = |at: i64| (at * 7919) % 101;
        (0..40)
            .map(|at| 1_000_000 + noise(at) + peak(at) + at * grow)
            .collect()
    }

    #[test]
    fn peaks_and_noise_are_no_growth() {
        assert!(growth(&noisy(0)).abs() < 200.0);
        assert!(check("bytes", &noisy(0), 200).is_ok());
    }

    #[test]
    fn a_leak_shows_through_peaks_and_noise() {
        let grown = growth(&noisy(100));
        assert!((3700.0..4100.0).contains(&grown), "{grown}");
        let failure = check("bytes", &noisy(100), 1000).unwrap_err().to_string();
        assert!(failure.starts_with("bytes grow by "), "{failure}");
    }

    #[test]
    fn warming_up_is_no_leak() {
        let samples: Vec<i64> = (0..40).map(|at| at.min(9) * 1000).collect();
        assert_eq!(check("bytes", &samples, 0).unwrap(), 0);
    }

    #[test]
    fn too_few_samples_are_a_failure() {
        assert!(check("bytes", &[1, 1, 1, 1], 100).is_err());
    }
}
