//! Where and with what it was measured: figures mean nothing without it.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::peers;
use crate::sys;

/// The machine, the versions, and what it was doing before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    cpu: String,
    /// Cores that the benchmark may use.
    cores: usize,
    memory_bytes: u64,
    kernel: String,
    rustc: String,
    ferromq: String,
    /// Each contender and its version.
    versions: Vec<(String, String)>,
    /// When it began, in UTC.
    date: String,
    command: String,
    /// What speaks against the figures, a line each.
    pub(crate) noise: Vec<String>,
}

/// More runnable threads than this, before anything was started, disturb.
const QUIET_LOAD: f64 = 0.5;
/// More of the time taken by the hypervisor than this disturbs.
const QUIET_STEAL: f64 = 0.01;

impl Machine {
    /// Looks around, for a quarter of a second.
    pub(crate) fn here() -> Self {
        let arguments = what_was_asked(std::env::args().skip(1));
        let now = SystemTime::now();
        let versions = peers::versions();
        Self {
            cpu: cpu_model().unwrap_or_else(|| "unknown".to_owned()),
            cores: sys::allowed_cores().map_or(1, |cores| cores.len()),
            memory_bytes: memory_bytes().unwrap_or_default(),
            kernel: kernel().unwrap_or_else(|| "unknown".to_owned()),
            rustc: env!("BENCH_RUSTC_VERSION").to_owned(),
            ferromq: env!("CARGO_PKG_VERSION").to_owned(),
            versions: versions
                .into_iter()
                .map(|(name, version)| (name.to_owned(), version))
                .collect(),
            date: humantime::format_rfc3339_seconds(now).to_string(),
            command: format!("ferromq-bench {}", arguments.join(" "))
                .trim_end()
                .to_owned(),
            noise: noise(),
        }
    }

    pub(crate) fn cores(&self) -> usize {
        self.cores
    }

    pub(crate) fn versions(&self) -> String {
        let Self { rustc, ferromq, .. } = self;
        let mut versions = vec![format!("ferromq {ferromq}, {rustc}")];
        let version = |(name, version): &(String, String)| format!("{name} {version}");
        versions.extend(self.versions.iter().map(version));
        versions.join(", ")
    }

    /// The machine in a line.
    pub(crate) fn hardware(&self) -> String {
        let Self {
            cpu,
            cores,
            memory_bytes,
            kernel,
            ..
        } = self;
        let memory = memory_bytes.div_ceil(1 << 30);
        format!("{cpu}, {cores} cores, {memory} GiB, Linux {kernel}")
    }

    pub(crate) fn date(&self) -> &str {
        &self.date
    }

    pub(crate) fn command(&self) -> &str {
        &self.command
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}", self.hardware(), self.date)?;
        write!(f, "{}", self.versions())?;
        for line in &self.noise {
            write!(f, "\nnoise: {line}")?;
        }
        Ok(())
    }
}

/// The arguments, without those that say where the results go.
fn what_was_asked(arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut asked = Vec::new();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" | "--docs" | "--goals" => drop(arguments.next()),
            _ => asked.push(argument),
        }
    }
    asked
}

/// Watches how much the hypervisor takes while the benchmark runs.
pub(crate) struct Watch(Option<ProcessorTimes>);

impl Watch {
    pub(crate) fn begin() -> Self {
        Self(processor_times())
    }

    /// A line about it, if it was much.
    pub(crate) fn end(&self) -> Option<String> {
        let steal = steal(self.0.as_ref()?, &processor_times()?);
        let percent = steal * 100.0;
        (steal > QUIET_STEAL)
            .then(|| format!("the hypervisor took {percent:.0} % of the time during the run"))
    }
}

fn steal(before: &ProcessorTimes, after: &ProcessorTimes) -> f64 {
    let total = after.total.saturating_sub(before.total).max(1) as f64;
    after.steal.saturating_sub(before.steal) as f64 / total
}

fn noise() -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(load) = load_average().filter(|load| *load > QUIET_LOAD) {
        lines.push(format!(
            "the load average was {load:.2} before anything began"
        ));
    }
    let before = processor_times();
    thread::sleep(Duration::from_millis(250));
    if let (Some(before), Some(after)) = (before, processor_times()) {
        let total = after.total.saturating_sub(before.total).max(1) as f64;
        let steal = steal(&before, &after);
        let busy = 1.0 - after.idle.saturating_sub(before.idle) as f64 / total;
        if steal > QUIET_STEAL {
            let percent = steal * 100.0;
            lines.push(format!("the hypervisor took {percent:.0} % of the time"));
        }
        if busy > 0.2 {
            let percent = busy * 100.0;
            lines.push(format!("others used {percent:.0} % of the cores"));
        }
    }
    lines
}

/// What all cores spent their time on, in ticks.
struct ProcessorTimes {
    total: u64,
    idle: u64,
    steal: u64,
}

fn processor_times() -> Option<ProcessorTimes> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields = stat.lines().next()?.strip_prefix("cpu")?;
    let ticks: Vec<u64> = fields
        .split_ascii_whitespace()
        .map_while(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq steal
    Some(ProcessorTimes {
        total: ticks.iter().take(8).sum(),
        idle: ticks.get(3)? + ticks.get(4)?,
        steal: *ticks.get(7)?,
    })
}

fn load_average() -> Option<f64> {
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    load.split_ascii_whitespace().next()?.parse().ok()
}

fn memory_bytes() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tells_what_was_measured_not_where_it_was_written() {
        let given = ["--quick", "--json", "a/b", "--via", "tcp", "--docs", "c"];
        let asked = what_was_asked(given.map(str::to_owned).into_iter());
        assert_eq!(asked, ["--quick", "--via", "tcp"]);
    }
}
