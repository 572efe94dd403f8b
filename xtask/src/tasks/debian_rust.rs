//! Debian's Rust for web browsers, newer than its other one: a compiler and the
//! sources of `core`, for targets that the Rust in use does not have.
//!
//! Unpacked below the target directory. Nothing is installed, so that no other
//! Rust on the machine is disturbed.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process;
use crate::setup;
use crate::workspace;

/// The only host that we look for it on.
pub(crate) const HOST: &str = "x86_64-unknown-linux-gnu";

/// A compiler that starts.
pub(crate) struct DebianRust {
    pub(crate) rustc: PathBuf,
    /// What `LD_LIBRARY_PATH` has to be for it.
    pub(crate) libraries: PathBuf,
}

/// Unpacks it on first use: 140 MB to download, 500 MB on disk.
pub(crate) fn unpacked() -> io::Result<DebianRust> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err(io::Error::other("it is for x86_64 Linux"));
    }
    let folder = workspace::target_dir().join("debian-rust");
    if !folder.exists() {
        let partial = folder.with_extension("partial");
        let _ = fs::remove_dir_all(&partial); // of a run that was interrupted
        fs::create_dir_all(&partial)?;
        unpack(&partial)?;
        fs::rename(&partial, &folder)?;
    }
    let rust = DebianRust {
        rustc: folder.join("usr/bin/rustc"),
        libraries: folder.join("usr/lib/x86_64-linux-gnu"),
    };
    let mut version = Command::new(&rust.rustc);
    version.arg("--version");
    version.env("LD_LIBRARY_PATH", &rust.libraries);
    match process::succeeds(&mut version) {
        true => Ok(rust),
        false => Err(io::Error::other("its rustc does not start")),
    }
}

fn unpack(folder: &Path) -> io::Result<()> {
    download(folder)?;
    let entries: Vec<DirEntry> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    for package in entries.iter().map(DirEntry::path) {
        extract(&package, folder)?;
        fs::remove_file(&package)?;
    }
    Ok(())
}

fn download(folder: &Path) -> io::Result<()> {
    let _turn = setup::apt();
    let packages = packages();
    println!("    unpacking {}", packages.join(" "));
    let mut download = Command::new("apt-get");
    download.arg("download").args(&packages).current_dir(folder);
    match process::run(&mut download)?.succeeded {
        true => Ok(()),
        false => Err(io::Error::other("rustc-web cannot be downloaded")),
    }
}

/// The compiler, its sources, and those of its libraries that only it has; their
/// names have versions in them.
fn packages() -> Vec<String> {
    let mut packages = vec!["rust-web-src".to_owned(), "rustc-web".to_owned()];
    let mut asked = 0;
    while let Some(package) = packages.get(asked) {
        let depends = Command::new("apt-cache")
            .arg("depends")
            .arg(package)
            .output();
        let output = depends.map(|output| output.stdout).unwrap_or_default();
        for name in needed(&String::from_utf8_lossy(&output)) {
            if !packages.contains(&name) {
                packages.push(name);
            }
        }
        asked += 1;
    }
    packages
}

/// What of apt-cache's answer is to be downloaded too.
fn needed(depends: &str) -> Vec<String> {
    let names = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    names
        .filter(|name| name.starts_with("libstd-rust-web") || name.starts_with("libllvm"))
        .map(str::to_owned)
        .collect()
}

/// Unpacks a package without what takes most of its room: documentation, and the
/// sources of the compiler itself.
fn extract(package: &Path, folder: &Path) -> io::Result<()> {
    let mut files = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--anchored", "--no-wildcards-match-slash"]);
    tar.args(["--exclude=./usr/share", "--exclude=./usr/src/*/compiler"]);
    tar.args(["--exclude=./usr/src/*/src", "--directory"])
        .arg(folder);
    if let Some(files) = files.stdout.take() {
        tar.stdin(files);
    }
    let extracted = tar.status()?;
    match files.wait()?.success() && extracted.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{} is damaged",
            package.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_dependencies_only_those_with_the_compiler_in_them_are_needed() {
        let depends = "rustc-web\n  Depends: libc6\n  Depends: libstd-rust-web-dev\n  \
                       Conflicts: <libstd-rust-1.96>\n  Depends: <libc-dev>\n  Depends: libllvm22\n";
        assert_eq!(needed(depends), ["libstd-rust-web-dev", "libllvm22"]);
        assert!(needed("").is_empty());
    }
}
