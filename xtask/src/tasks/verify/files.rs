//! A large file arrives whole, whoever of the two programs is killed on the way.
//!
//! ```text
//!   source ──► ferromq send ──tcp, then ipc──► ferromq receive ──► inbox
//!                   ▲                               ▲
//!                   └──── kill -9, start again ─────┘
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::random::Random;
use super::source::Source;
use super::transfer::{Place, Side, Transfer};
use super::{Failure, Interrupted};
use crate::cli::FilesOptions;
use crate::group::Outcome;
use crate::reliability::Figures;
use crate::{process, workspace};

pub(super) fn check(options: &FilesOptions, seed: u64, interrupted: &Interrupted) -> Outcome {
    Outcome::from(checked(options, seed, interrupted))
}

fn checked(
    options: &FilesOptions,
    seed: u64,
    interrupted: &Interrupted,
) -> Result<Outcome, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("ferromq-verify-")
        .tempdir()?;
    let size = options.size;
    if let Some(skipped) = without_room(directory.path(), size)? {
        return Ok(skipped);
    }
    let program = match build()? {
        Ok(program) => program,
        Err(failed) => return Ok(failed),
    };
    interrupted.check()?;
    println!(
        "files: writing {} to {}",
        in_units(size),
        directory.path().display()
    );
    let path = directory.path().join("big");
    let mut random = Random::new(seed);
    let source = Source::create(path, size, &mut random, interrupted)?;
    for endpoint in [free_tcp_endpoint()?, ipc_endpoint(directory.path())] {
        let inbox = directory.path().join("inbox");
        std::fs::create_dir(&inbox)?;
        let kills = plan(&mut random, size, options.kills);
        println!("files: over {endpoint}, {} kills", kills.len());
        let place = Place {
            program: &program,
            source: &source,
            inbox: &inbox,
            endpoint: &endpoint,
        };
        Transfer::new(place, interrupted).run(&kills)?;
        std::fs::remove_dir_all(&inbox)?;
    }
    Ok(super::store(Outcome::Passed, "files", || {
        let mut figures = Figures::new("files: a large one over tcp and over ipc, with `kill -9`");
        figures.set("bytes of the file", size);
        figures.set("times that a process was killed", 2 * options.kills);
        figures
    }))
}

/// The end of a process, by `kill -9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kill {
    pub(super) side: Side,
    pub(super) moment: Moment,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// As soon as so many bytes of the file are written.
    Written(u64),
    /// So long after the last start, in whatever goes on then: connecting, proving
    /// what is there, sending. But not later than with so many bytes written.
    After(Duration, u64),
}

/// Both sides in turn, at moments spread over the file: after its first hundredth,
/// and before its last twentieth, for who has all of it cannot be killed on the way.
fn plan(random: &mut Random, size: u64, kills: u32) -> Vec<Kill> {
    let share = size / 100 * 94 / u64::from(kills.max(1));
    let one = |number: u32| {
        let begin = size / 100 + share * u64::from(number);
        let written = begin + random.below(share);
        let side = match number % 2 {
            0 => Side::Receiver,
            _ => Side::Sender,
        };
        let moment = match number % 3 {
            // Hashes do some gigabytes a second: within this time the two look at
            // what is there, and begin to send.
            2 => Moment::After(Duration::from_nanos(random.below(size / 4)), written),
            _ => Moment::Written(written),
        };
        Kill { side, moment }
    };
    (0..kills).map(one).collect()
}

/// The file, and what is received of it, have to be there at once.
fn without_room(directory: &Path, size: u64) -> io::Result<Option<Outcome>> {
    let system = rustix::fs::statvfs(directory)?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    let needed = size.saturating_mul(2).saturating_add(SPARE);
    Ok((free < needed).then(|| {
        let place = std::env::temp_dir();
        let (needed, free) = (in_units(needed), in_units(free));
        let why = format!(
            "{needed} are needed in {}, {free} are free",
            place.display()
        );
        let enable = "TMPDIR=/with/more/room cargo xtask verify files, or a smaller --size";
        Outcome::skipped(why, enable)
    }))
}

/// The program as it is released, or what the compiler said.
fn build() -> io::Result<Result<PathBuf, Outcome>> {
    println!("files: building the program …");
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--release", "--package", "ferromq"]);
    Ok(match Outcome::from(process::run(&mut cargo)) {
        Outcome::Passed => Ok(workspace::target_dir().join("release/ferromq")),
        failed => Err(failed),
    })
}

/// A fixed port, for the receiver is to be at the same one after a restart.
fn free_tcp_endpoint() -> io::Result<String> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("tcp://{}", taken.local_addr()?))
}

fn ipc_endpoint(directory: &Path) -> String {
    format!("ipc://{}", directory.join("socket").display())
}

/// A number of bytes for people.
pub(super) fn in_units(bytes: u64) -> String {
    match bytes as f64 / f64::from(1 << 20) {
        mebibytes if mebibytes < 1024.0 => format!("{mebibytes:.2} MiB"),
        mebibytes => format!("{:.2} GiB", mebibytes / 1024.0),
    }
}

/// Room for whoever else writes to the disk meanwhile.
const SPARE: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_spread_over_the_file_and_go_to_both_sides_in_turn() {
        const SIZE: u64 = 64 << 20;
        let kills = plan(&mut Random::new(5), SIZE, 6);
        let written = |kill: &Kill| match kill.moment {
            Moment::Written(written) | Moment::After(_, written) => written,
        };
        assert_eq!(kills.len(), 6);
        assert!(kills.is_sorted_by_key(written));
        assert!(written(&kills[0]) > 0);
        assert!(written(&kills[5]) < SIZE / 100 * 95);
        assert!(kills.windows(2).all(|pair| pair[0].side != pair[1].side));
        let soon = |kill: &&Kill| matches!(kill.moment, Moment::After(..));
        assert_eq!(kills.iter().filter(soon).count(), 2);
        assert_eq!(plan(&mut Random::new(5), SIZE, 6), kills);
        assert_ne!(plan(&mut Random::new(6), SIZE, 6), kills);
    }

    #[test]
    fn a_file_without_room_is_not_begun() {
        let directory = tempfile::tempdir().expect("a directory");
        let little = without_room(directory.path(), 1).expect("there is a disk");
        let endless = without_room(directory.path(), u64::MAX).expect("there is a disk");
        assert!(little.is_none());
        assert!(matches!(endless, Some(Outcome::Skipped { .. })));
    }

    #[test]
    fn sizes_are_told_in_units() {
        assert_eq!(in_units(3 << 19), "1.50 MiB");
        assert_eq!(in_units(5 << 30), "5.00 GiB");
    }
}
