//! Where things are, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        // As `cargo run` tells it: a folder that was renamed is not compiled anew for that.
        let now = std::env::var_os("CARGO_MANIFEST_DIR");
        let mut root = now.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        // xtask/ lies directly below the root.
        root.pop();
        root
    });
    &ROOT
}

/// Where cargo puts what it builds; our venv and side builds go there too.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// `cargo`, run in the root, without the variables that the cargo running us
/// has set for us.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.env_remove("CARGO_PRIMARY_PACKAGE");
    cargo
}

/// Whether a run that skipped something counts as a failure.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
