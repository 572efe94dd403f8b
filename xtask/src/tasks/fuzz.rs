//! `cargo xtask fuzz`: each target for some minutes.
//!
//! libFuzzer and the compiler's counters of what code ran are all that it needs,
//! and the Rust in use has both. The sanitizers, which need another one, have
//! little to find: the fuzzed crates forbid unsafe code.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::process::{self, Finished};
use crate::workspace;

/// What cargo-fuzz passes, less the sanitizer.
const COUNTERS: &str = "--cfg fuzzing \
    -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

pub(crate) fn run(
    minutes: u64,
    target: Option<&str>,
    input: Option<&Path>,
) -> io::Result<ExitCode> {
    let targets = targets()?;
    let chosen: Vec<&str> = match target {
        Some(name) if targets.iter().any(|known| known == name) => vec![name],
        Some(name) => {
            let known = targets.join(" ");
            return Err(io::Error::other(format!("no target {name}, but {known}")));
        }
        None => targets.iter().map(String::as_str).collect(),
    };
    println!("building the fuzz targets …");
    let Finished { succeeded, lines } = process::run(&mut build(&chosen)?)?;
    if !succeeded {
        lines.iter().for_each(|line| println!("{line}"));
        println!("libFuzzer is C++; to install a compiler: sudo apt-get install g++");
        return Ok(ExitCode::FAILURE);
    }
    let mut code = ExitCode::SUCCESS;
    for name in chosen {
        let mut fuzz = match input {
            Some(file) => replay(name, file)?,
            None => search(name, minutes)?,
        };
        if !process::run_in_the_open(&mut fuzz)? {
            println!("fuzz {name}: FAILED; to see that again:");
            println!("  cargo xtask fuzz {name} --input <the file that is named above>");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// The names of the targets, in alphabetical order.
fn targets() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder().join("fuzz_targets"))? {
        let path = entry?.path();
        names.extend(
            path.file_stem()
                .map(|stem| stem.to_string_lossy().into_owned()),
        );
    }
    names.sort();
    Ok(names)
}

fn build(targets: &[&str]) -> io::Result<Command> {
    let mut cargo = workspace::cargo();
    cargo.args(["build", "--locked", "--release", "--manifest-path"]);
    cargo.arg(folder().join("Cargo.toml"));
    // Named, so that build scripts are not counted with the rest.
    cargo.args(["--target", &host()?]);
    for name in targets {
        cargo.args(["--bin", name]);
    }
    cargo.env("RUSTFLAGS", COUNTERS);
    cargo.env("CARGO_TARGET_DIR", target_dir());
    Ok(cargo)
}

/// A run that looks for failures. What leads to new code joins the corpus, and is
/// not committed; see fuzz/.gitignore.
fn search(name: &str, minutes: u64) -> io::Result<Command> {
    println!("fuzz {name}: {minutes} min");
    let corpus = folder().join("corpus").join(name);
    let artifacts = folder().join("artifacts").join(name);
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&artifacts)?;
    let mut fuzz = Command::new(program(name)?);
    fuzz.arg(format!("-max_total_time={}", minutes.saturating_mul(60)));
    fuzz.arg(format!("-artifact_prefix={}/", artifacts.display()));
    fuzz.args(["-timeout=10", "-print_final_stats=1"])
        .arg(corpus);
    Ok(fuzz)
}

/// A run of one input.
fn replay(name: &str, input: &Path) -> io::Result<Command> {
    println!("fuzz {name}: {}", input.display());
    let mut fuzz = Command::new(program(name)?);
    fuzz.arg(input);
    Ok(fuzz)
}

fn program(name: &str) -> io::Result<PathBuf> {
    Ok(target_dir().join(host()?).join("release").join(name))
}

fn folder() -> PathBuf {
    workspace::root().join("fuzz")
}

fn target_dir() -> PathBuf {
    workspace::target_dir().join("fuzz")
}

/// The triple of this machine, as rustc calls it.
fn host() -> io::Result<String> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| io::Error::other("rustc does not tell its host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_corpus_and_a_place_in_the_manifest() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("readable");
        let targets = targets().expect("there are targets");
        assert!(targets.len() >= 10, "{targets:?}");
        for name in targets {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            assert!(folder().join("corpus").join(&name).exists(), "{name}");
        }
    }
}
