//! What a suite finds out, and how it runs a check that may hang.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::faulty::Random;

/// The environment variable that repeats a run: the seed that it printed.
pub const SEED_VARIABLE: &str = "FERROMQ_CONFORMANCE_SEED";

/// What a check found wrong, before it is known whose fault it is. Made from
/// any error with `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding(String);

impl Finding {
    /// Says what was seen and what should have been.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Finding {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// `Err` with the text, unless `holds`.
///
/// # Errors
/// The finding, when it does not hold.
pub fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Finding> {
    match holds {
        true => Ok(()),
        false => Err(Finding(otherwise())),
    }
}

/// A behaviour that was promised and not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The check, which is also the name of its test.
    pub check: &'static str,
    /// The behaviour, as a sentence.
    pub behaviour: &'static str,
    /// The transport that does not show it.
    pub transport: String,
    /// The seed that repeats the run.
    pub seed: u64,
    /// What was seen instead.
    pub finding: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            check,
            behaviour,
            transport,
            seed,
            finding,
        } = self;
        write!(
            f,
            "{transport} fails {check}: {finding}\n  promised: {behaviour}\n  again: \
             {SEED_VARIABLE}={seed}"
        )
    }
}

impl std::error::Error for Violation {}

/// How a suite runs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// What all that is random in a run depends on.
    pub seed: u64,
    /// How long a check waits for a single thing to happen before it says that
    /// it did not. Generous: it decides only how fast a failure is told.
    pub patience: Duration,
    /// How long a check takes at most before it is said to hang. More generous: it
    /// waits for many things.
    pub limit: Duration,
}

impl Settings {
    /// Twenty seconds of patience, ten times as much for a whole check, and the seed
    /// of the environment variable [`SEED_VARIABLE`], or else another one each time.
    #[must_use]
    pub fn from_env() -> Self {
        let given = std::env::var(SEED_VARIABLE).ok();
        Self {
            seed: given
                .and_then(|seed| seed.trim().parse().ok())
                .unwrap_or_else(Random::seed),
            patience: Duration::from_secs(20),
            limit: Duration::from_secs(200),
        }
    }

    /// The same with another seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with another patience.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same with another limit.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }
}

/// A check's name, and what it checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// The name, as that of a function.
    pub check: &'static str,
    /// The behaviour, as a sentence.
    pub sentence: &'static str,
}

/// Runs the body of a check on a thread of its own, and gives it up when it
/// hangs: when it takes longer than the limit. A panic in it is a finding too.
///
/// For suites that are built like this one; [`check`](super::check) uses it.
///
/// # Errors
/// What the body found, or that it hangs or panicked.
pub fn supervise(
    behaviour: Behaviour,
    transport: &str,
    settings: &Settings,
    body: impl FnOnce() -> Result<(), Finding> + Send + 'static,
) -> Result<(), Violation> {
    let violation = |finding: String| Violation {
        check: behaviour.check,
        behaviour: behaviour.sentence,
        transport: transport.to_owned(),
        seed: settings.seed,
        finding,
    };
    let (tell, told) = channel();
    let run = move || {
        let outcome = catch_unwind(AssertUnwindSafe(body))
            .unwrap_or_else(|panic| Err(Finding(format!("a panic: {}", words(&*panic)))));
        // Nobody listens any more if it was given up.
        let _ = tell.send(outcome);
    };
    thread::Builder::new()
        .name(behaviour.check.to_owned())
        .spawn(run)
        .map_err(|error| violation(format!("no thread to run it: {error}")))?;
    let limit = settings.limit;
    match told.recv_timeout(limit) {
        Ok(outcome) => outcome.map_err(|Finding(finding)| violation(finding)),
        Err(RecvTimeoutError::Timeout) => Err(violation(format!("it hangs: no end in {limit:?}"))),
        Err(RecvTimeoutError::Disconnected) => Err(violation("its thread vanished".into())),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

/// How a transport fared, check by check.
#[derive(Debug, Clone, Default)]
pub struct Report {
    entries: Vec<(Behaviour, Result<(), Violation>)>,
}

impl Report {
    /// Notes the outcome of one check.
    pub fn note(&mut self, behaviour: Behaviour, outcome: Result<(), Violation>) {
        self.entries.push((behaviour, outcome));
    }

    /// Whether every check passed.
    #[must_use]
    pub fn is_conforming(&self) -> bool {
        self.violations().next().is_none()
    }

    /// What was promised and not kept.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.entries
            .iter()
            .filter_map(|(_, outcome)| outcome.as_ref().err())
    }

    /// Every check and its outcome, in the suite's order.
    pub fn entries(&self) -> &[(Behaviour, Result<(), Violation>)] {
        &self.entries
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (behaviour, outcome) in &self.entries {
            match outcome {
                Ok(()) => writeln!(f, "kept    {}", behaviour.sentence)?,
                Err(violation) => writeln!(f, "BROKEN  {violation}")?,
            }
        }
        let broken = self.violations().count();
        write!(f, "{} kept, {broken} broken", self.entries.len() - broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEHAVIOUR: Behaviour = Behaviour {
        check: "a_check",
        sentence: "it ends",
    };

    fn of(body: impl FnOnce() -> Result<(), Finding> + Send + 'static) -> Result<(), Violation> {
        let settings = Settings::from_env().seed(7);
        supervise(BEHAVIOUR, "carrier pigeons", &settings, body)
    }

    #[test]
    fn a_violation_names_check_behaviour_transport_and_seed() {
        let violation = of(|| ensure(1 > 2, || "1 is not above 2".into())).unwrap_err();
        let text = violation.to_string();
        for part in ["a_check", "it ends", "carrier pigeons", "=7", "not above"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }

    #[test]
    fn what_hangs_and_what_panics_is_found_wanting() {
        let (_keep, never) = channel::<()>();
        let settings = Settings::from_env().limit(Duration::from_millis(10));
        let hanging = supervise(BEHAVIOUR, "snails", &settings, move || Ok(never.recv()?));
        let hanging = hanging.unwrap_err();
        assert!(hanging.finding.contains("hangs"), "{hanging}");
        let panicking = of(|| panic!("oh no")).unwrap_err();
        assert!(panicking.finding.contains("oh no"), "{panicking}");
    }

    #[test]
    fn a_report_counts_what_is_broken() {
        let mut report = Report::default();
        report.note(BEHAVIOUR, of(|| Ok(())));
        assert!(report.is_conforming());
        report.note(BEHAVIOUR, of(|| Err(Finding::new("it does not"))));
        assert!(!report.is_conforming());
        assert!(report.to_string().ends_with("1 kept, 1 broken"));
    }
}
