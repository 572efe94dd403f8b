//! The Python package: built into an environment of its own, tested, typed.

use std::path::PathBuf;
use std::process::Command;

use crate::group::Outcome;
use crate::process::{self, Finished};
use crate::workspace;

/// What the tests need besides pyzmq and the build itself.
const TOOLS: [&str; 9] = [
    "maturin==1.16.0",
    "pyzmq==27.3.0",
    "pytest>=8",
    "hypothesis>=6",
    "mypy>=1.18",
    "numpy>=2",
    "ml_dtypes>=0.5",
    "uvloop>=0.21",
    "typing_extensions>=4.15",
];
/// The first Python that the package is for.
const OLDEST: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// Builds the package, runs its tests, and checks its types.
pub(crate) fn check() -> Outcome {
    let python = match environment() {
        Ok(python) => python,
        Err(outcome) => return outcome,
    };
    // Without link-time optimisation: a fraction of the time, the same checks.
    let profile = ["--config-settings", "build-args=--profile quick --locked"];
    let mut install = module(&python, &["pip", "install", "--quiet", "--no-deps"]);
    install.args(["--no-build-isolation", "--force-reinstall"]);
    install.args(profile).arg("./python");
    let configuration = "python/pyproject.toml";
    let mut native = vec!["mypy.stubtest", "ferromq._native", "--concise"];
    native.extend(["--mypy-config-file", configuration]);
    native.extend(["--allowlist", "python/stubtest-allowlist.txt"]);
    let steps = [
        ("building", install),
        (
            "testing",
            module(&python, &["pytest", "-q", "python/tests"]),
        ),
        (
            "types",
            module(&python, &["mypy", "--config-file", configuration]),
        ),
        ("stubs", module(&python, &native)),
    ];
    for (name, mut step) in steps {
        println!("    python: {name}");
        match process::run(&mut step) {
            Ok(Finished {
                succeeded: true, ..
            }) => {}
            failed => return failed.into(),
        }
    }
    Outcome::Passed
}

/// Builds the wheel that is given away, into `target/wheels`.
pub(crate) fn wheel() -> Outcome {
    let python = match environment() {
        Ok(python) => python,
        Err(outcome) => return outcome,
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

/// The interpreter of the environment, made on first use.
fn environment() -> Result<PathBuf, Outcome> {
    let system = PathBuf::from("python3");
    if !process::succeeds(Command::new(&system).args(["-c", OLDEST])) {
        let enable = "sudo apt-get install python3 python3-venv";
        return Err(Outcome::skipped("there is no Python 3.11 or later", enable));
    }
    let venv = workspace::target_dir().join("venv-python");
    let python = venv.join("bin/python3");
    let check = module(&python, &["pytest", "--version"]);
    let complete = venv.join("complete");
    let tools = TOOLS.join("\n");
    let known = std::fs::read_to_string(&complete).is_ok_and(|known| known == tools);
    if known && succeeds(check) {
        return Ok(python);
    }
    let mut make = module(&system, &["venv", "--clear"]);
    make.arg(&venv);
    if !process::run(&mut make).is_ok_and(|made| made.succeeded) {
        let enable = "sudo apt-get install python3 python3-venv";
        return Err(Outcome::skipped("python3 has no venv module", enable));
    }
    println!("    python: installing what the tests need");
    let mut install = module(&python, &["pip", "install", "--quiet"]);
    install.args(["--only-binary", ":all:"]).args(TOOLS);
    if !process::run(&mut install).is_ok_and(|made| made.succeeded) {
        let enable = format!("{} -m pip install {}", python.display(), TOOLS.join(" "));
        return Err(Outcome::skipped("pip cannot install the tools", enable));
    }
    let written = std::fs::write(&complete, tools);
    written.map_err(Outcome::failed).map(|()| python)
}

/// `python -m …`, in the root, with our target directory.
fn module(python: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(python);
    command.arg("-m").args(arguments);
    command.current_dir(workspace::root());
    command.env("CARGO_TARGET_DIR", workspace::target_dir());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    // pip calls maturin by its name.
    let own = python.parent().map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = own.into_iter().chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    command
}

fn succeeds(mut command: Command) -> bool {
    process::succeeds(&mut command)
}
