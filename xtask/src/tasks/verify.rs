//! `cargo xtask verify`: the long checks, which take minutes to hours each.
//!
//! A seed determines whatever they choose at random; it is printed, and `--seed`
//! repeats it.

mod endurance;
mod files;
mod random;
mod repeated;
mod sanitizers;
mod source;
mod transfer;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::{LongGroup, Verify};
use crate::group::{Outcome, Tally};
use crate::reliability::Figures;
use crate::tasks::{loom, python, simulation};

/// What ends a check early: its text is what there is to show for it.
type Failure = Box<dyn std::error::Error>;

/// Runs the groups that are named; all of them when none is. Each that passes leaves
/// its figures.
pub(crate) fn run(verify: &Verify) -> ExitCode {
    let seed = verify
        .seed
        .unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("seed {seed}; to repeat it: --seed {seed}");
    let interrupted = Interrupted::new();
    let mut tally = Tally::begun();
    for group in LongGroup::value_variants() {
        if verify.groups.is_empty() || verify.groups.contains(group) {
            let value = group.to_possible_value();
            let name = value.as_ref().map_or("group", |value| value.get_name());
            tally.run(name, || match interrupted.check() {
                Ok(()) => check(*group, verify, seed, &interrupted),
                Err(stopped) => Outcome::failed(stopped),
            });
        }
    }
    tally.finish()
}

fn check(group: LongGroup, verify: &Verify, seed: u64, interrupted: &Interrupted) -> Outcome {
    let Verify {
        endurance: options,
        repeated,
        ..
    } = verify;
    match group {
        LongGroup::Files => files::check(&verify.files, seed, interrupted),
        LongGroup::Simulation => simulation::check_many(&verify.simulation, seed),
        LongGroup::Tensors => python::check_tensors(),
        LongGroup::Connections => endurance::connections(options, seed),
        LongGroup::Kills => endurance::kills(options, seed),
        LongGroup::Descriptors => endurance::descriptors(seed),
        LongGroup::Storm => endurance::storm(options, seed),
        LongGroup::Soak => endurance::soak(options, seed),
        LongGroup::Loom => loom::check_long(repeated.model_seconds),
        LongGroup::Hostile => repeated::hostile(repeated.rounds),
        LongGroup::Sanitizers => sanitizers::check(),
        LongGroup::Libsodium => repeated::libsodium(),
        LongGroup::Fuzz => repeated::fuzz(repeated.fuzz_minutes),
    }
}

/// Stores the figures of a group that passed.
fn store(outcome: Outcome, name: &str, figures: impl FnOnce() -> Figures) -> Outcome {
    match outcome {
        Outcome::Passed => match figures().store(name) {
            Ok(()) => Outcome::Passed,
            Err(cause) => Outcome::failed(cause),
        },
        other => other,
    }
}

/// Runs a check that writes its figures to a file, as a JSON array of pairs, and stores
/// them if it passes.
pub(super) fn with_figures(
    name: &str,
    what: &str,
    check: impl FnOnce(&Path) -> Outcome,
) -> Outcome {
    let Ok(file) = tempfile::NamedTempFile::new() else {
        return Outcome::failed("no temporary file can be made");
    };
    let outcome = check(file.path());
    let text = std::fs::read_to_string(file.path()).unwrap_or_default();
    let pairs: Vec<(String, Value)> = serde_json::from_str(&text).unwrap_or_default();
    if matches!(outcome, Outcome::Passed) && pairs.is_empty() {
        return Outcome::failed("it passed and wrote no figures");
    }
    store(outcome, name, || {
        let mut figures = Figures::new(what);
        for (figure, value) in pairs {
            figures.set(figure, value);
        }
        figures
    })
}

/// Whether somebody wants to stop. A check then ends in good order, so that its
/// processes and its gigabytes go away with it.
struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    fn new() -> Self {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // Without it an interruption leaves files behind, no more.
            let _ = signal_hook::flag::register(signal, flag.clone());
        }
        Self(flag)
    }

    /// An error when somebody does.
    fn check(&self) -> Result<(), Failure> {
        match self.0.load(Ordering::Relaxed) {
            true => Err("interrupted".into()),
            false => Ok(()),
        }
    }
}

impl From<Result<Outcome, Failure>> for Outcome {
    fn from(checked: Result<Outcome, Failure>) -> Self {
        checked.unwrap_or_else(Self::failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_passes_and_counts_nothing_has_failed() {
        let checked = |text: &'static str| {
            with_figures("none", "nothing", |file| match std::fs::write(file, text) {
                Ok(()) => Outcome::Passed,
                Err(cause) => Outcome::failed(cause),
            })
        };
        for text in ["", "[]", "no JSON"] {
            assert!(matches!(checked(text), Outcome::Failed(_)), "{text:?}");
        }
    }
}
