//! What the tests need besides Rust: Debian packages, pyzmq and MkDocs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process;
use crate::workspace;

/// The ZeroMQ that we interoperate with; bundled libzmq 4.3.5.
const PYZMQ: Requirement = Requirement {
    module: "zmq",
    package: "pyzmq",
    version: "27.3.0",
};

/// Makes a site of the manual, and finds links that lead nowhere.
const MKDOCS: Requirement = Requirement {
    module: "mkdocs",
    package: "mkdocs",
    version: "1.6.1",
};

/// A Python package of exactly one version.
struct Requirement {
    module: &'static str,
    package: &'static str,
    version: &'static str,
}

/// Something that is missing: why, and the command that brings it.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    pub(crate) why: String,
    pub(crate) enable: String,
}

/// Installs the Debian packages that are missing, where we may. What still is
/// missing afterwards shows in the groups that need it.
pub(crate) fn debian_packages() {
    install(&missing_packages());
}

/// Installs libsodium as well: without it, the benchmark's libzmq has no CURVE, and
/// ours is not tried with it.
pub(crate) fn debian_packages_with_libsodium() {
    let mut missing = missing_packages();
    if !Path::new("/usr/include/sodium.h").exists() {
        missing.push("libsodium-dev");
    }
    if !process::succeeds(Command::new("pkg-config").arg("--version")) {
        missing.push("pkg-config");
    }
    install(&missing);
}

/// For whoever asks apt: two at once disturb each other, and groups run side by side.
pub(crate) fn apt() -> MutexGuard<'static, ()> {
    static APT: Mutex<()> = Mutex::new(());
    APT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs Debian packages, where we may, and says what came of it.
pub(crate) fn install(packages: &[&str]) {
    let _turn = apt();
    if packages.is_empty() {
        return;
    }
    let Some(prefix) = privileges() else {
        println!(
            "setup: not root: to install {0}, run: sudo apt-get install {0}",
            packages.join(" ")
        );
        return;
    };
    println!("setup: installing {}", packages.join(" "));
    let mut update = as_root(prefix, &["apt-get", "update", "--quiet"]);
    let mut install = as_root(
        prefix,
        &["apt-get", "install", "--yes", "--no-install-recommends"],
    );
    install.args(packages);
    for command in [&mut update, &mut install] {
        match process::run(command) {
            Ok(finished) if finished.succeeded => {}
            Ok(finished) => finished
                .lines
                .iter()
                .for_each(|line| println!("setup: {line}")),
            Err(error) => println!("setup: {error}"),
        }
    }
}

/// Fills apt's index of packages, where we may.
pub(crate) fn update_index() {
    let Some(prefix) = privileges() else {
        return;
    };
    println!("setup: apt-get update");
    let mut update = as_root(prefix, &["apt-get", "update", "--quiet"]);
    if let Err(error) = process::run(&mut update) {
        println!("setup: {error}");
    }
}

/// The interpreter of the virtual environment with pyzmq in it, made on first
/// use.
pub(crate) fn python() -> Result<PathBuf, Missing> {
    let venv = workspace::target_dir().join("venv");
    let python = venv.join("bin/python3");
    if PYZMQ.is_met(&python) {
        return Ok(python);
    }
    let made = process::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&venv),
    );
    if !made.is_ok_and(|finished| finished.succeeded) {
        return Err(Missing {
            why: "python3 with its venv module is missing".into(),
            enable: "sudo apt-get install python3 python3-venv".into(),
        });
    }
    PYZMQ.install(&python)?;
    Ok(python)
}

/// The interpreter of the same environment with MkDocs in it.
pub(crate) fn python_with_mkdocs() -> Result<PathBuf, Missing> {
    let python = python()?;
    if !MKDOCS.is_met(&python) {
        MKDOCS.install(&python)?;
    }
    Ok(python)
}

impl Requirement {
    fn is_met(&self, python: &Path) -> bool {
        let Self {
            module, version, ..
        } = self;
        let check = format!("import {module} as it, sys; sys.exit(it.__version__ != '{version}')");
        process::succeeds(Command::new(python).args(["-c", &check]))
    }

    fn install(&self, python: &Path) -> Result<(), Missing> {
        let package = format!("{}=={}", self.package, self.version);
        println!("setup: installing {package}");
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
        let installed = process::run(pip.arg(&package));
        if self.is_met(python) {
            return Ok(());
        }
        if let Ok(finished) = installed {
            finished
                .lines
                .iter()
                .for_each(|line| println!("setup: {line}"));
        }
        Err(Missing {
            enable: format!("{} -m pip install {package}", python.display()),
            why: format!("{package} cannot be installed"),
        })
    }
}

fn missing_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !process::succeeds(Command::new("g++").arg("--version")) {
        missing.push("g++");
    }
    if !process::succeeds(Command::new("python3").arg("--version")) {
        missing.push("python3");
    }
    // Debian ships the venv module without what fills the environment.
    if !process::succeeds(Command::new("python3").args(["-c", "import venv, ensurepip"])) {
        missing.push("python3-venv");
    }
    // Runs the firmware among the examples.
    if !process::succeeds(Command::new("qemu-system-arm").arg("--version")) {
        missing.push("qemu-system-arm");
    }
    // Counts instructions.
    if !process::succeeds(Command::new("valgrind").arg("--version")) {
        missing.push("valgrind");
    }
    missing
}

/// The words before a command that make it run as root, if we may.
fn privileges() -> Option<&'static [&'static str]> {
    if !process::succeeds(Command::new("apt-get").arg("--version")) {
        return None;
    }
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() == b"0" {
        return Some(&[]);
    }
    let sudo: &[&str] = &["sudo", "--non-interactive"];
    process::succeeds(Command::new("sudo").args(["--non-interactive", "true"])).then_some(sudo)
}

fn as_root(prefix: &[&str], words: &[&str]) -> Command {
    let mut words = prefix.iter().chain(words);
    let mut command = Command::new(words.next().copied().unwrap_or("true"));
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
