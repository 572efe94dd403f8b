//! Where and with what it was measured: figures mean nothing without it.

use std::fmt;
use std::fs;

use serde::Serialize;

use crate::peers;
use crate::sys;

/// The machine and the versions.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cpu: String,
    /// Cores that the benchmark may use.
    cores: usize,
    kernel: String,
    rustc: &'static str,
    /// `None`: left out.
    libzmq: Option<String>,
    ferromq: &'static str,
}

impl Machine {
    /// Looks around.
    pub(crate) fn here() -> Self {
        Self {
            cpu: cpu_model().unwrap_or_else(|| "unknown".to_owned()),
            cores: sys::allowed_cores().map_or(1, |cores| cores.len()),
            kernel: kernel().unwrap_or_else(|| "unknown".to_owned()),
            rustc: env!("BENCH_RUSTC_VERSION"),
            libzmq: peers::libzmq_version(),
            ferromq: env!("CARGO_PKG_VERSION"),
        }
    }

    pub(crate) fn cores(&self) -> usize {
        self.cores
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cores,
            kernel,
            rustc,
            libzmq,
            ferromq,
        } = self;
        let libzmq = libzmq.as_deref().unwrap_or("left out");
        writeln!(f, "{cpu}, {cores} cores, Linux {kernel}")?;
        write!(f, "{rustc}, libzmq {libzmq}, ferromq {ferromq}")
    }
}

fn cpu_model() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> Option<String> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(release.trim().to_owned())
}
