//! Notes the compiler's version for the report, and builds libzmq when the
//! feature asks for it and a C++ compiler is there.

#[cfg(feature = "libzmq")]
mod libzmq;

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rustc-env=BENCH_RUSTC_VERSION={}", rustc_version());
    #[cfg(feature = "libzmq")]
    libzmq::build();
}

fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    match output {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(_) => "rustc, version unknown".to_owned(),
    }
}
