//! The copy of the repository in which mistakes are made, and what its files are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::thrift::{self, Patience};
use crate::cli::MutatedPackage;
use crate::workspace;

/// A copy of every file that git knows or would add.
pub(super) struct Tree {
    folder: PathBuf,
    /// Below `folder`.
    files: BTreeSet<String>,
}

/// What the outcome of a mutant depends on.
#[derive(Debug)]
pub(super) struct Hashes {
    /// Of each file.
    files: BTreeMap<String, String>,
    /// Of the whole package, with its tests and what they read.
    pub(super) package: String,
}

impl Tree {
    /// Brings a copy, at this place below the target directory, up to date. What did not change is not touched, so that cargo
    /// builds little; what a killed run left in it is undone.
    pub(super) fn synced(place: &str) -> io::Result<Self> {
        let folder = workspace::target_dir().join(place);
        let files = files_of_git()?;
        for file in &files {
            let wanted = fs::read(workspace::root().join(file))?;
            let copy = folder.join(file);
            if fs::read(&copy).ok().as_ref() != Some(&wanted) {
                fs::create_dir_all(copy.parent().unwrap_or(&folder))?;
                fs::write(&copy, wanted)?;
            }
        }
        remove_others(&folder, &folder, &files)?;
        Ok(Self { folder, files })
    }

    /// Sets how cargo builds and runs the tests in the copy.
    pub(super) fn settle(&self, patience: Patience) -> io::Result<()> {
        thrift::settle(self.folder.parent().unwrap_or(&self.folder), patience)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn hashes(&self, package: MutatedPackage) -> io::Result<Hashes> {
        let within = format!("{}/", package.folder());
        let read_by_tests = ["fuzz/corpus/", "docs/PROTOCOL.md"];
        let mut files = BTreeMap::new();
        let mut whole = Sha256::new();
        for file in &self.files {
            let own = file.starts_with(&within);
            if own || read_by_tests.iter().any(|path| file.starts_with(path)) {
                let hash = short(Sha256::new().chain_update(fs::read(self.folder.join(file))?));
                whole.update(format!("{file} {hash}\n"));
                files.insert(file.clone(), hash);
            }
        }
        Ok(Hashes {
            files,
            package: short(whole),
        })
    }
}

impl Hashes {
    /// Of one file; empty for a file that is none of the package's.
    pub(super) fn file(&self, path: &str) -> &str {
        self.files.get(path).map_or("", String::as_str)
    }

    #[cfg(test)]
    pub(super) fn for_test(file: &str, hash: &str, package: &str) -> Self {
        Self {
            files: BTreeMap::from([(file.to_owned(), hash.to_owned())]),
            package: package.to_owned(),
        }
    }
}

fn files_of_git() -> io::Result<BTreeSet<String>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others"]);
    git.arg("--exclude-standard").current_dir(workspace::root());
    let output = git.output()?;
    if !output.status.success() {
        return Err(io::Error::other(
            "mutants are made in a copy of what git knows",
        ));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = names.split_terminator('\0');
    // What was deleted and not yet committed is still listed.
    let present = names.filter(|name| workspace::root().join(name).is_file());
    Ok(present.map(str::to_owned).collect())
}

/// Removes what is left of files that are no longer there: cargo finds tests by
/// their place.
fn remove_others(root: &Path, folder: &Path, wanted: &BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        if path.is_dir() {
            remove_others(root, &path, wanted)?;
        } else if !wanted.contains(name.as_ref()) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// The first 64 bits are plenty.
fn short(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
