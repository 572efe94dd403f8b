//! The tasks: each a function from its arguments to how the process ends.

mod bench;
mod coverage;
mod debian_rust;
mod examples;
mod firmware;
mod freestanding;
mod fuzz;
mod guard;
mod interop;
mod loom;
mod manual;
mod mutants;
mod programs;
mod python;
mod rdma;
mod simulation;
mod test;
mod verify;

use std::io;
use std::process::ExitCode;

use crate::cli::Task;
use crate::group::Tally;

/// Does what the command line asks for.
pub(crate) fn run(task: Task) -> io::Result<ExitCode> {
    match task {
        Task::Test { rdma: true, .. } => Ok(test::run_rdma()),
        Task::Test { only, require, .. } => Ok(test::run(&only, &require)),
        Task::Verify(verify) => Ok(verify::run(&verify)),
        Task::Manual => {
            let mut tally = Tally::begun();
            tally.run("manual", manual::check);
            Ok(tally.finish())
        }
        Task::NoStd => {
            let mut tally = Tally::begun();
            tally.run("no-std", freestanding::check);
            Ok(tally.finish())
        }
        Task::Interop { filter } => {
            let mut tally = Tally::begun();
            tally.run("interop", || interop::check(filter.as_deref()));
            Ok(tally.finish())
        }
        Task::Examples { filter } => {
            let mut tally = Tally::begun();
            tally.run("examples", || examples::check(filter.as_deref()));
            Ok(tally.finish())
        }
        Task::Wheel => {
            let mut tally = Tally::begun();
            tally.run("wheel", python::wheel);
            Ok(tally.finish())
        }
        Task::Firmware => {
            let mut tally = Tally::begun();
            tally.run("firmware", examples::check_firmware);
            Ok(tally.finish())
        }
        Task::Fuzz {
            minutes,
            input,
            target,
        } => fuzz::run(minutes, target.as_deref(), input.as_deref()),
        Task::Coverage => coverage::run(),
        Task::Mutants(options) => mutants::run(&options),
        Task::Guard { update, keep } => guard::run(update, keep.as_deref()),
        Task::Bench {
            python: true,
            arguments,
            ..
        } => python::compare(&arguments),
        Task::Bench {
            quick, arguments, ..
        } => bench::run(quick, &arguments),
    }
}
