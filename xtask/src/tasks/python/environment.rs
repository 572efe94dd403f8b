//! The virtual environments of the Python package's tests: each made on first use,
//! and anew when its list of packages changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::setup;
use crate::workspace;

/// What every environment has: the rest of what the tests import.
const TESTS: [&str; 4] = [
    "pyzmq==27.3.0",
    "pytest>=9",
    "hypothesis>=6",
    "typing_extensions>=4.15",
];
/// What builds and types the package, and the libraries that pip has.
const MAIN: [&str; 7] = [
    "maturin==1.16.0",
    "mypy>=1.18",
    "numpy>=2",
    "ml_dtypes>=0.5",
    "jax>=0.6",
    "safetensors>=0.5",
    "uvloop>=0.21",
];
/// Those that go with Debian's numpy.
const BESIDE_DEBIANS: [&str; 2] = ["numpy<2", "ml_dtypes>=0.5,<0.6"];
/// The first Python that the package is for.
const OLDEST: &str = "import sys; sys.exit(sys.version_info < (3, 11))";
/// Debian's torch is for Debian's Python, whichever comes first in PATH.
const DEBIANS: &str = "/usr/bin/python3";
const TORCH: &str = "python3-torch";

/// An environment, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Environment {
    /// Builds, types, and runs all tests, with numpy, ml_dtypes and jax.
    Main,
    /// Debian's torch for the CPU, by its system packages.
    Torch,
    /// tensorflow for the CPU, by pip.
    TensorFlow,
}

/// Whether what takes a minute may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    WhatIsThere,
    Install,
}

impl Environment {
    /// Its interpreter.
    pub(super) fn python(self, effort: Effort) -> Result<PathBuf, setup::Missing> {
        let system = self.system(effort)?;
        let venv = workspace::target_dir().join(self.folder());
        let python = venv.join("bin/python3");
        let packages: Vec<&str> = TESTS.iter().chain(self.packages()).copied().collect();
        let complete = venv.join("complete");
        let listed = packages.join("\n");
        let known = std::fs::read_to_string(&complete).is_ok_and(|known| known == listed);
        if known && process::succeeds(&mut module(&python, &["pytest", "--version"])) {
            return Ok(python);
        }
        if self == Self::TensorFlow && effort == Effort::WhatIsThere {
            return Err(missing("tensorflow is not installed", LATER));
        }
        let mut make = module(&system, &["venv", "--clear"]);
        if self == Self::Torch {
            make.arg("--system-site-packages");
        }
        if !succeeded(make.arg(&venv)) {
            return Err(missing("python3 has no venv module", VENV));
        }
        println!("    python: installing what the tests need");
        let mut install = module(&python, &["pip", "install", "--quiet"]);
        install.args(["--only-binary", ":all:"]).args(&packages);
        if !succeeded(&mut install) {
            let enable = format!("{} -m pip install {}", python.display(), packages.join(" "));
            return Err(missing("pip cannot install the tools", &enable));
        }
        let written = std::fs::write(&complete, listed);
        written
            .map(|()| python)
            .map_err(|error| missing(&error.to_string(), "rm -r target"))
    }

    /// The interpreter that it is made with.
    fn system(self, effort: Effort) -> Result<PathBuf, setup::Missing> {
        if self == Self::Torch {
            return debians(effort);
        }
        let system = PathBuf::from("python3");
        if !process::succeeds(Command::new(&system).args(["-c", OLDEST])) {
            return Err(missing("there is no Python 3.11 or later", VENV));
        }
        Ok(system)
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Main => "venv-python",
            Self::Torch => "venv-torch",
            Self::TensorFlow => "venv-tensorflow",
        }
    }

    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Main => &MAIN,
            Self::Torch => &BESIDE_DEBIANS,
            Self::TensorFlow => &["tensorflow-cpu>=2.19"],
        }
    }
}

const VENV: &str = "sudo apt-get install python3 python3-venv";
const LATER: &str = "cargo xtask verify tensors";

/// Debian's Python, if its torch is there.
fn debians(effort: Effort) -> Result<PathBuf, setup::Missing> {
    let system = PathBuf::from(DEBIANS);
    let has_torch = |system: &Path| {
        // Looked for, not imported, which takes two seconds.
        let look = "import importlib.util as it, sys; sys.exit(not it.find_spec('torch'))";
        process::succeeds(Command::new(system).args(["-c", look]))
    };
    if !process::succeeds(Command::new(&system).args(["-c", OLDEST])) {
        let why = format!("{DEBIANS} is no Python 3.11 or later");
        return Err(missing(&why, VENV));
    }
    if !has_torch(&system) && effort == Effort::Install {
        setup::install(&[TORCH, "python3-venv"]);
    }
    match has_torch(&system) {
        true => Ok(system),
        false => {
            let enable = match effort {
                Effort::WhatIsThere => LATER.to_owned(),
                Effort::Install => format!("sudo apt-get install {TORCH}"),
            };
            let why = format!("{TORCH} is not installed");
            Err(missing(&why, &enable))
        }
    }
}

/// `python -m …`, in the root, with our target directory.
pub(super) fn module(python: &Path, arguments: &[&str]) -> Command {
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

fn succeeded(command: &mut Command) -> bool {
    process::run(command).is_ok_and(|finished| finished.succeeded)
}

fn missing(why: &str, enable: &str) -> setup::Missing {
    setup::Missing {
        why: why.to_owned(),
        enable: enable.to_owned(),
    }
}
