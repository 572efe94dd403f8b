//! Tables of text: columns as wide as their widest cell.

use std::fmt;

/// Rows of cells under a head. The first columns are names, flushed left; the
/// others are figures, flushed right.
pub(crate) struct Table {
    head: Vec<String>,
    names: usize,
    lines: Vec<Line>,
}

enum Line {
    Row(Vec<String>),
    /// Text across all columns, behind the names.
    Note(Vec<String>, String),
    Gap,
}

impl Table {
    /// A table whose first `names` columns are flushed left.
    pub(crate) fn new(names: usize, head: &[&str]) -> Self {
        let head = head.iter().map(|cell| (*cell).to_owned()).collect();
        Self {
            head,
            names,
            lines: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.lines.push(Line::Row(cells));
    }

    /// A row that has its names and, instead of figures, a sentence.
    pub(crate) fn note(&mut self, names: Vec<String>, sentence: String) {
        self.lines.push(Line::Note(names, sentence));
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.lines.push(Line::Gap);
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|cell| cell.chars().count()).collect();
        for line in &self.lines {
            let (Line::Row(cells) | Line::Note(cells, _)) = line else {
                continue;
            };
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    fn format_cells(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            if column < self.names {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("{cell:>width$}"));
            }
        }
        line.trim_end().to_owned()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        writeln!(f, "{}", self.format_cells(&self.head, &widths))?;
        for line in &self.lines {
            match line {
                Line::Row(cells) => writeln!(f, "{}", self.format_cells(cells, &widths))?,
                Line::Note(names, sentence) => {
                    let width: usize = widths.iter().take(self.names).map(|width| width + 2).sum();
                    let names = self.format_cells(names, &widths);
                    writeln!(f, "{names:<width$}{sentence}")?;
                }
                Line::Gap => writeln!(f)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_flushed_left_and_figures_right() {
        let mut table = Table::new(1, &["who", "rate", "ratio"]);
        table.row(vec!["raw".into(), "12.5".into(), "1.00".into()]);
        table.gap();
        table.note(vec!["libzmq".into()], "not built".into());
        table.row(vec!["a".into(), "100.25".into(), "8".into()]);
        let expected = "\
who       rate  ratio
raw       12.5   1.00

libzmq  not built
a       100.25      8
";
        assert_eq!(table.to_string(), expected);
    }
}
