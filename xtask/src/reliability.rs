//! The figures of docs/RELIABILITY.md, which are written by the runs that count
//! them: a file for each run, in docs/reliability, and the table of them all.

mod table;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::workspace;

/// What a run counted: a flat list of numbers with names.
#[derive(Debug)]
pub(crate) struct Figures {
    what: String,
    figures: Map<String, Value>,
    tools: Vec<String>,
}

impl Figures {
    /// Figures of a run, which `what` tells in a sentence.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            figures: Map::new(),
            tools: Vec::new(),
        }
    }

    /// Adds a figure, or replaces the one with this name.
    pub(crate) fn set(&mut self, name: impl Into<String>, figure: impl Into<Value>) {
        self.figures.insert(name.into(), figure.into());
    }

    /// Names a tool, with its version, besides rustc.
    pub(crate) fn tool(&mut self, tool: impl Into<String>) {
        self.tools.push(tool.into());
    }

    /// Writes `docs/reliability/{name}.json`, and the table anew.
    pub(crate) fn store(mut self, name: &str) -> io::Result<()> {
        self.tools.insert(0, first_line("rustc", "--version"));
        let text = serde_json::to_string_pretty(&json!({
            "what": self.what,
            "figures": self.figures,
            "machine": machine(),
            "versions": self.tools.join(", "),
            "date": first_line("date", "+%Y-%m-%d"),
        }))?;
        let path = path(name);
        fs::create_dir_all(path.parent().unwrap_or(workspace::root()))?;
        fs::write(&path, text + "\n")?;
        let shown = path.strip_prefix(workspace::root()).unwrap_or(&path);
        println!("written: {}", shown.display());
        table::write()
    }
}

/// The figures that are stored under `name`; none, if there are none.
pub(crate) fn stored(name: &str) -> Map<String, Value> {
    let text = fs::read_to_string(path(name)).unwrap_or_default();
    let stored: Value = serde_json::from_str(&text).unwrap_or_default();
    stored["figures"].as_object().cloned().unwrap_or_default()
}

/// `part` of `whole` in per cent, with one decimal.
pub(crate) fn per_cent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 * 1000.0 / whole as f64).round() / 10.0
}

fn path(name: &str) -> PathBuf {
    let folder = workspace::root().join("docs/reliability");
    folder.join(name).with_extension("json")
}

/// The kind of machine: processors and what they are.
fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model.trim());
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{count} cores, {model}, {os} {arch}")
}

/// What `program` says about itself, or nothing.
fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_one_decimal() {
        assert_eq!(per_cent(1, 3), 33.3);
        assert_eq!(per_cent(9, 9), 100.0);
        assert_eq!(per_cent(0, 0), 0.0);
    }

    #[test]
    fn a_tool_names_itself() {
        assert!(first_line("rustc", "--version").starts_with("rustc 1."));
        assert_eq!(first_line("/nonexistent/program", "-V"), "");
    }
}
