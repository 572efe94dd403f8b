//! Runs the sections under callgrind and reads what it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::meter::{EMPTY, Label};
use crate::sections::Failure;

/// Instructions of one operation, by the section's name.
pub(crate) type Instructions = BTreeMap<String, f64>;

/// Runs this program's sections under callgrind; its files go to `folder`, one
/// for each batch, for `callgrind_annotate`.
pub(crate) fn count(folder: &Path) -> Result<Instructions, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .args(["--instr-atstart=no", "--collect-atstart=no"])
        .arg(format!("--callgrind-out-file={}/out", folder.display()))
        .arg(std::env::current_exe()?)
        .arg("count")
        .output()
        .map_err(|error| format!("cannot run valgrind: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("under valgrind: {}\n{said}", output.status).into());
    }
    let mut batches = Batches::default();
    for entry in fs::read_dir(folder)? {
        let text = fs::read_to_string(entry?.path())?;
        // The last one, of the program's end, has no label.
        if let Some((label, total)) = labelled_total(&text) {
            batches.add(label, total);
        }
    }
    batches.figures()
}

/// The version, if there is a valgrind.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("valgrind").arg("--version").output().ok()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(version)
}

/// A batch's label, and the instructions of all of it.
fn labelled_total(text: &str) -> Option<(Label<'_>, u64)> {
    let after = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let label = Label::parse(after("desc: Trigger: Client Request: ")?)?;
    Some((label, after("totals: ")?.trim().parse().ok()?))
}

/// The cheapest batch of each section.
#[derive(Debug, Default)]
struct Batches {
    /// Instructions, stretches, operations.
    cheapest: BTreeMap<String, (u64, u32, u32)>,
}

impl Batches {
    fn add(&mut self, label: Label<'_>, total: u64) {
        let batch = (total, label.stretches, label.operations);
        let known = self.cheapest.entry(label.name.to_owned()).or_insert(batch);
        *known = batch.min(*known);
    }

    /// Instructions of one operation, without those of the counting.
    fn figures(mut self) -> Result<Instructions, Failure> {
        let (counting, ..) = self
            .cheapest
            .remove(EMPTY)
            .ok_or("callgrind left nothing")?;
        let per_operation = |(total, stretches, operations): (u64, u32, u32)| {
            let net = total.saturating_sub(counting * u64::from(stretches));
            net as f64 / f64::from(operations)
        };
        let sections = self.cheapest.into_iter();
        Ok(sections
            .map(|(name, batch)| (name, per_operation(batch)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# callgrind format\nversion: 1\n\
        desc: Trigger: Client Request: wire: decode|4|2\nsummary: 90\ntotals: 90\n";

    #[test]
    fn a_file_tells_its_label_and_its_total() {
        let (label, total) = labelled_total(FILE).expect("both are there");
        assert_eq!(
            (label.name, label.operations, total),
            ("wire: decode", 4, 90)
        );
        let unlabelled = "desc: Trigger: Program termination\ntotals: 90\n";
        assert_eq!(labelled_total(unlabelled), None);
    }

    #[test]
    fn the_figure_is_the_cheapest_batch_less_what_counting_costs() {
        let mut batches = Batches::default();
        let label = |name, stretches| Label {
            name,
            operations: 4,
            stretches,
        };
        for total in [95, 90, 140] {
            batches.add(label("section", 2), total);
        }
        batches.add(label(EMPTY, 1), 5);
        let figures = batches.figures().expect("there is an empty section");
        assert_eq!(
            figures.into_iter().collect::<Vec<_>>(),
            [("section".to_owned(), 20.0)]
        );
        assert!(Batches::default().figures().is_err());
    }
}
