//! The goals as a table in Markdown, in a page that is otherwise written by hand.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{Goal, met};
use crate::peers::Failure;
use crate::report::Results;

const BEGIN: &str = "<!-- begin: written by the benchmark program -->\n";
const END: &str = "<!-- end: written by the benchmark program -->\n";

/// The goals, a row each.
pub(crate) fn table(goals: &[Goal]) -> Result<String, Failure> {
    let mut table = String::from(
        "| What | Cores | Wanted | FerroMQ | Compared with | Found | |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for goal in goals {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let cores = goal.placement.map(|placement| placement.to_string());
        writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} |",
            goal.what,
            or_dash(&cores),
            goal.wanted(),
            or_dash(&goal.ours),
            or_dash(&goal.theirs),
            goal.found(),
            goal.verdict()
        )?;
    }
    Ok(table)
}

/// Writes the goals into the page `file`, between the marks that it has.
pub(crate) fn replace_in(file: &Path, results: &Results, goals: &[Goal]) -> Result<(), Failure> {
    let page = fs::read_to_string(file)?;
    let (met, all) = met(goals);
    let machine = &results.machine;
    let text = format!(
        "\n{met} of {all} goals are met: {}, {}, `{}`, {} rounds.\n\n{}\n",
        machine.date(),
        machine.hardware(),
        machine.command(),
        results.effort.rounds,
        table(goals)?
    );
    let page = replaced(&page, &text)
        .ok_or_else(|| format!("{} has no marks to write between", file.display()))?;
    Ok(fs::write(file, page)?)
}

/// `page` with `text` between the marks; `None` without them.
fn replaced(page: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, text, END, after].concat())
}

#[cfg(test)]
mod tests {
    use super::super::Bound;
    use super::super::tests::goal;
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let page = format!("head\n{BEGIN}old\n{END}foot\n");
        let expected = format!("head\n{BEGIN}new\n{END}foot\n");
        assert_eq!(replaced(&page, "new\n"), Some(expected.clone()));
        assert_eq!(replaced(&expected, "new\n"), Some(expected));
        assert_eq!(replaced("no marks", "new"), None);
    }

    #[test]
    fn a_goal_is_a_row() {
        let mut missed = goal(Some(Bound::AtMost(3.0)), 5.5);
        missed.ours = Some("5.50 us".to_owned());
        let table = table(&[missed]).unwrap();
        let row = table.lines().last().unwrap();
        let expected = "| something | - | at most 3 us | 5.50 us | - | 5.50 | MISSED |";
        assert_eq!(row, expected);
    }

    #[test]
    fn the_page_of_this_project_has_the_marks() {
        let page = include_str!("../../../docs/PERFORMANCE.md");
        assert!(replaced(page, "").is_some());
    }
}
