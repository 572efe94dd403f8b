//! `cargo xtask verify`: the long checks, which take minutes to hours each.
//!
//! A seed determines whatever they choose at random; it is printed, and `--seed`
//! repeats it.

mod files;
mod random;
mod source;
mod transfer;

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::{LongGroup, Verify};
use crate::group::{Outcome, Tally};
use crate::tasks::{python, simulation};

/// What ends a check early: its text is what there is to show for it.
type Failure = Box<dyn std::error::Error>;

/// Runs the groups that are named; all of them when none is.
pub(crate) fn run(verify: &Verify) -> ExitCode {
    let seed = verify
        .seed
        .unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("seed {seed}; to repeat it: --seed {seed}");
    let interrupted = Interrupted::new();
    let mut tally = Tally::default();
    for group in LongGroup::value_variants() {
        if verify.groups.is_empty() || verify.groups.contains(group) {
            let value = group.to_possible_value();
            let name = value.as_ref().map_or("group", |value| value.get_name());
            tally.run(name, || match group {
                LongGroup::Files => files::check(&verify.files, seed, &interrupted),
                LongGroup::Simulation => simulation::check_many(&verify.simulation, seed),
                LongGroup::Tensors => python::check_tensors(),
            });
        }
    }
    tally.finish()
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
