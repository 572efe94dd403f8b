//! `cargo xtask fuzz`: each target for some minutes.
//!
//! libFuzzer and the compiler's counters of what code ran are all that it needs,
//! and the Rust in use has both. The sanitizers, which need another one, have
//! little to find: the fuzzed crates forbid unsafe code.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use crate::process::{self, Finished};
use crate::reliability::{self, Figures};
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
    if let (Some(file), [name]) = (input, &chosen[..]) {
        return Ok(match process::run_in_the_open(&mut replay(name, file)?)? {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let mut code = ExitCode::SUCCESS;
    // A target is one thread.
    for several in chosen.chunks(cores) {
        for (name, counts) in several.iter().zip(watch_all(several, minutes)) {
            match counts? {
                Some(counts) => store(name, minutes, counts, &targets)?,
                None => {
                    println!("fuzz {name}: FAILED; to see that again:");
                    println!("  cargo xtask fuzz {name} --input <the file that is named above>");
                    code = ExitCode::FAILURE;
                }
            }
        }
    }
    Ok(code)
}

/// Runs searches at the same time, a core each, and gives what each counted.
fn watch_all(names: &[&str], minutes: u64) -> Vec<io::Result<Option<Counts>>> {
    thread::scope(|scope| {
        let watch = |name: &&str| {
            let name = (*name).to_owned();
            scope.spawn(move || watch(&name, &mut search(&name, minutes)?))
        };
        let searches: Vec<_> = names.iter().map(watch).collect();
        let ended = searches.into_iter().map(|search| search.join());
        let panicked = |_| Err(io::Error::other("nobody watched a target"));
        ended.map(|it| it.unwrap_or_else(panicked)).collect()
    })
}

/// What libFuzzer counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    executions: u64,
    /// Places in the code that were reached.
    reached: u64,
    /// Megabytes of memory, at most.
    memory: u64,
}

impl Counts {
    /// Takes in a line of libFuzzer's.
    fn read(&mut self, line: &str) {
        let number = |text: &str| -> Option<u64> { text.split_whitespace().next()?.parse().ok() };
        let set = |field: &mut u64, mark: &str| {
            let found = line.split_once(mark).and_then(|(_, rest)| number(rest));
            *field = found.unwrap_or(*field);
        };
        set(&mut self.executions, "stat::number_of_executed_units:");
        set(&mut self.reached, " cov: ");
        set(&mut self.memory, "stat::peak_rss_mb:");
    }
}

/// Runs a search, shows what it says, and gives what it counted; `None` if it found
/// a failure.
fn watch(name: &str, fuzz: &mut Command) -> io::Result<Option<Counts>> {
    let mut child = fuzz.stderr(Stdio::piped()).spawn()?;
    let mut counts = Counts::default();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            eprintln!("{name}: {line}");
            counts.read(&line);
        }
    }
    Ok(child.wait()?.success().then_some(counts))
}

/// Puts a target's figures beside those of the others.
fn store(name: &str, minutes: u64, counts: Counts, targets: &[String]) -> io::Result<()> {
    let mut figures = Figures::new(
        "fuzzing: how often each target was run, and places in the code that it reached",
    );
    figures.tool("libFuzzer");
    let stored = reliability::stored("fuzz").into_iter();
    let others = stored.filter(|(figure, _)| {
        let target = figure.split(':').next().unwrap_or_default();
        target != name && targets.iter().any(|known| known == target)
    });
    let mut executions = counts.executions;
    for (figure, value) in others {
        if figure.ends_with(EXECUTIONS) {
            executions += value.as_u64().unwrap_or(0);
        }
        figures.set(figure, value);
    }
    figures.set(format!("all targets: {EXECUTIONS}"), executions);
    figures.set(format!("{name}: {EXECUTIONS}"), counts.executions);
    figures.set(format!("{name}: places reached"), counts.reached);
    figures.set(format!("{name}: minutes"), minutes);
    figures.set(format!("{name}: MiB of memory at most"), counts.memory);
    figures.store("fuzz")
}

const EXECUTIONS: &str = "executions";

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
    // No input takes a second, or memory that it does not bring. The time leaves room
    // for a target's own patience, which says what it waited for.
    fuzz.args(["-timeout=60", "-rss_limit_mb=1024", "-malloc_limit_mb=64"]);
    fuzz.arg("-print_final_stats=1").arg(corpus);
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
    fn what_libfuzzer_counted_is_read() {
        let mut counts = Counts::default();
        counts.read("#12     NEW    cov: 512 ft: 1873 corp: 204/9Kb exec/s: 55793 rss: 39Mb");
        counts.read("stat::number_of_executed_units: 3140000");
        counts.read("stat::peak_rss_mb:              41");
        let expected = Counts {
            executions: 3_140_000,
            reached: 512,
            memory: 41,
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn every_target_has_a_corpus_and_a_place_in_the_manifest() {
        let manifest = fs::read_to_string(folder().join("Cargo.toml")).expect("readable");
        let targets = targets().expect("there are targets");
        assert!(targets.len() >= 14, "{targets:?}");
        for name in targets {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            assert!(folder().join("corpus").join(&name).exists(), "{name}");
        }
    }
}
