//! Notes the compiler's version for the report, and builds libzmq when the
//! feature asks for it and a C++ compiler is there.

#[cfg(feature = "libzmq")]
mod libzmq;

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rustc-env=BENCH_RUSTC_VERSION={}", rustc_version());
    tell_versions();
    #[cfg(feature = "libzmq")]
    libzmq::build();
}

/// The versions of the other libraries, from the lock file.
fn tell_versions() {
    println!("cargo::rerun-if-changed=Cargo.lock");
    // Without it they are unknown, and the report says so.
    let lock = std::fs::read_to_string("Cargo.lock").unwrap_or_default();
    for name in ["iceoryx2", "omq-tokio", "zeromq", "rzmq"] {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let version = lock
            .split_once(&entry)
            .and_then(|(_, rest)| rest.split_once('"'));
        if let Some((version, _)) = version {
            let variable = name.to_uppercase().replace('-', "_");
            println!("cargo::rustc-env=BENCH_{variable}_VERSION={version}");
        }
    }
}

fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "rustc, version unknown".to_owned(),
    }
}
