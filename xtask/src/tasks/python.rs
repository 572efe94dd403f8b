//! The Python package: built into environments of its own, tested, typed.

mod environment;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use environment::{Effort, Environment, module};

use crate::group::{Outcome, Tally};
use crate::process::{self, Finished};
use crate::reliability::Figures;
use crate::tasks::programs;
use crate::workspace;

/// The tests that another library's environment repeats.
const OF_TENSORS: [&str; 4] = [
    "python/tests/test_tensors.py",
    "python/tests/test_frameworks.py",
    "python/tests/test_out.py",
    "python/tests/test_docs.py",
];

/// Builds the package, runs its tests, and checks its types; with torch where
/// that is installed.
pub(crate) fn check() -> Outcome {
    let program = match program() {
        Ok(program) => program,
        Err(outcome) => return outcome,
    };
    let wheel = match built(FOR_TESTS) {
        Ok(wheel) => wheel,
        Err(outcome) => return outcome,
    };
    let python = &wheel.python;
    let configuration = "python/pyproject.toml";
    let mut native = vec!["mypy.stubtest", "ferromq._native", "--concise"];
    native.extend(["--mypy-config-file", configuration]);
    native.extend(["--allowlist", "python/stubtest-allowlist.txt"]);
    let mut tests = module(python, &["pytest", "-q", "python/tests"]);
    tests.env("FERROMQ_PROGRAM", &program);
    let steps = [
        ("testing what needs no interpreter", units(python)),
        ("testing", tests),
        (
            "types",
            module(python, &["mypy", "--config-file", configuration]),
        ),
        ("stubs", module(python, &native)),
    ];
    let tested = install(python, &wheel.file).and_then(|()| run(steps));
    let tested = tested.and_then(|()| test_beside(Environment::Torch, &wheel.file));
    tested.err().unwrap_or(Outcome::Passed)
}

/// A copy of the program, which sends files: others build theirs anew meanwhile.
fn program() -> Result<PathBuf, Outcome> {
    let built = workspace::target_dir().join("debug/ferromq");
    if !built.exists() {
        programs::built()?;
    }
    let copy = workspace::target_dir().join("ferromq-of-python");
    match fs::copy(built, &copy) {
        Ok(_) => Ok(copy),
        Err(cause) => Err(Outcome::failed(cause)),
    }
}

/// Tests tensors with libraries that take minutes to install, and installs them:
/// torch from Debian, tensorflow by pip, where either can be had.
pub(crate) fn check_tensors() -> Outcome {
    let wheel = match built(FOR_TESTS) {
        Ok(wheel) => wheel,
        Err(outcome) => return outcome,
    };
    if let Err(failed) = count_copies(&wheel) {
        return failed;
    }
    let mut figures =
        Figures::new("tensors: tests of the Python package with torch and tensorflow");
    let mut tested = false;
    for (name, environment) in [
        ("torch", Environment::Torch),
        ("tensorflow", Environment::TensorFlow),
    ] {
        match environment.python(Effort::Install) {
            Err(missing) => println!("    python: skipped: {}; {}", missing.why, missing.enable),
            Ok(python) => match test_tensors(&python, &wheel.file) {
                Ok(passed) => {
                    figures.set(format!("{name}: tests that passed"), passed);
                    tested = true;
                }
                Err(failed) => return failed,
            },
        }
    }
    if !tested {
        return Outcome::skipped(
            "neither torch nor tensorflow can be installed",
            "sudo apt-get install python3-torch",
        );
    }
    match figures.store("tensors") {
        Ok(()) => Outcome::Passed,
        Err(cause) => Outcome::failed(cause),
    }
}

/// Builds the wheel that is given away, into `target/wheels`.
pub(crate) fn wheel() -> Outcome {
    let python = match Environment::Main.python(Effort::Install) {
        Ok(python) => python,
        Err(missing) => return Outcome::skipped(missing.why, missing.enable),
    };
    let folder = workspace::target_dir().join("wheels");
    let mut build = module(&python, &["maturin", "build", "--release", "--locked"]);
    build.args(["--manifest-path", "python/Cargo.toml", "--out"]);
    build.arg(&folder);
    let outcome = process::run(&mut build).into();
    if matches!(outcome, Outcome::Passed) {
        println!("    {}", folder.display());
    }
    outcome
}

/// Measures the package beside pyzmq; without `arguments` the table in the guide is
/// written.
pub(crate) fn compare(arguments: &[String]) -> io::Result<ExitCode> {
    let installed = built(FOR_SPEED).and_then(|wheel| {
        install(&wheel.python, &wheel.file)?;
        let rust = without_python(&wheel.python)?;
        Ok((wheel.python, rust))
    });
    let (python, rust) = match installed {
        Ok(programs) => programs,
        Err(outcome) => {
            let mut tally = Tally::begun();
            tally.run("wheel", || outcome);
            return Ok(tally.finish());
        }
    };
    let mut compare = Command::new(python);
    compare.current_dir(workspace::root());
    compare.arg("python/benches/compare.py").args(arguments);
    compare.arg("--rust").arg(rust);
    if arguments.is_empty() {
        compare.args(["--write", "docs/PYTHON.md"]);
    }
    Ok(match process::run_in_the_open(&mut compare)? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The tests in Rust, of the artifacts that the wheel was made of.
fn units(python: &Path) -> Command {
    let mut test = workspace::cargo();
    test.args(["test", "--profile", "quick", "--locked", "--test", "turns"]);
    as_maturin_has_it(&mut test, python);
    test
}

/// Builds the program whose figures tensors are compared with.
fn without_python(python: &Path) -> Result<PathBuf, Outcome> {
    let target = workspace::target_dir();
    let mut build = workspace::cargo();
    build.args(["build", "--profile", "release", "--locked"]);
    build.args(["--example", "long_messages"]);
    as_maturin_has_it(&mut build, python);
    run([("building Rust's side", build)])?;
    Ok(target.join("release/examples/long_messages"))
}

/// Has cargo build the package's crate: no library of Python's is looked for.
fn as_maturin_has_it(cargo: &mut Command, python: &Path) {
    cargo.args(["--manifest-path", "python/Cargo.toml", "--target-dir"]);
    cargo.arg(workspace::target_dir());
    cargo.env("PYO3_PYTHON", python);
    cargo.env("PYO3_BUILD_EXTENSION_MODULE", "1");
}

/// How a wheel is built, and the folder where it is alone.
#[derive(Debug, Clone, Copy)]
struct Making {
    folder: &'static str,
    build: &'static str,
}

/// Without optimisation: a quarter of the time, and debug assertions.
const FOR_TESTS: Making = Making {
    folder: "wheels-of-tests",
    build: "build-args=--profile quick --locked",
};
/// As users get it.
const FOR_SPEED: Making = Making {
    folder: "wheels-of-bench",
    build: "build-args=--profile release --locked",
};

/// A wheel, and the interpreter that built it.
struct Wheel {
    python: PathBuf,
    file: PathBuf,
}

/// Builds it as `pip install ./python` does.
fn built(making: Making) -> Result<Wheel, Outcome> {
    let python = Environment::Main.python(Effort::Install);
    let python = python.map_err(|missing| Outcome::skipped(missing.why, missing.enable))?;
    let folder = workspace::target_dir().join(making.folder);
    // Only the one that is built now is there afterwards.
    let _ = fs::remove_dir_all(&folder);
    let mut build = module(&python, &["pip", "wheel", "--quiet", "--no-deps"]);
    build.arg("--no-build-isolation").arg("--wheel-dir");
    build.arg(&folder);
    build.args(["--config-settings", making.build]);
    build.arg("./python");
    run([("building", build)])?;
    let mut files = fs::read_dir(&folder).map_err(Outcome::failed)?;
    let file = files.find_map(Result::ok).map(|entry| entry.path());
    let file = file.ok_or_else(|| Outcome::failed("pip made no wheel"))?;
    Ok(Wheel { python, file })
}

fn install(python: &Path, wheel: &Path) -> Result<(), Outcome> {
    let mut install = module(python, &["pip", "install", "--quiet", "--no-deps"]);
    install.arg("--force-reinstall").arg(wheel);
    run([("installing", install)])
}

/// Counts what is copied of tensors of every length, where the tests leave out most of
/// those of a gigabyte.
fn count_copies(wheel: &Wheel) -> Result<(), Outcome> {
    install(&wheel.python, &wheel.file)?;
    let mut count = module(
        &wheel.python,
        &["pytest", "-q", "python/tests/test_copies.py"],
    );
    count.env("FERROMQ_COUNT_ALL", "1");
    run([("counting copies", count)])
}

/// Tests tensors in an environment, if that needs no long installation; says so
/// otherwise.
fn test_beside(environment: Environment, wheel: &Path) -> Result<(), Outcome> {
    match environment.python(Effort::WhatIsThere) {
        Ok(python) => test_tensors(&python, wheel).map(|_| ()),
        Err(missing) => {
            let (why, enable) = (missing.why, missing.enable);
            println!("    python: skipped: {why}; to test with it: {enable}");
            Ok(())
        }
    }
}

/// How many tests passed.
fn test_tensors(python: &Path, wheel: &Path) -> Result<u64, Outcome> {
    install(python, wheel)?;
    let mut test = module(python, &["pytest", "-q"]);
    test.args(OF_TENSORS);
    let name = python.ancestors().nth(2).and_then(Path::file_name);
    let name = name.unwrap_or_default().to_string_lossy();
    println!("    python: testing in {name}");
    match process::run(&mut test) {
        Ok(Finished {
            succeeded: true,
            lines,
        }) => Ok(lines.iter().find_map(|line| passed(line)).unwrap_or(0)),
        failed => Err(failed.into()),
    }
}

/// The count in pytest's last line.
fn passed(line: &str) -> Option<u64> {
    let (count, _) = line.split_once(" passed")?;
    count.rsplit(' ').next()?.parse().ok()
}

fn run<'a>(steps: impl IntoIterator<Item = (&'a str, Command)>) -> Result<(), Outcome> {
    for (name, mut step) in steps {
        println!("    python: {name}");
        match process::run(&mut step) {
            Ok(Finished {
                succeeded: true, ..
            }) => {}
            failed => return Err(failed.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_in_the_last_line() {
        assert_eq!(passed("17 passed, 2 skipped in 1.93s"), Some(17));
        assert_eq!(passed("3 skipped, 5 passed in 1.93s"), Some(5));
        assert_eq!(passed("3 skipped in 1.93s"), None);
    }
}
