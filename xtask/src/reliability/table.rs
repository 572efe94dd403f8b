//! The table of figures in docs/RELIABILITY.md, made of the files in docs/reliability,
//! one a run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::workspace;

const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->";

/// Makes it anew of whatever is stored.
pub(super) fn write() -> io::Result<()> {
    let page = workspace::root().join("docs/RELIABILITY.md");
    let text = fs::read_to_string(&page)?;
    let runs = runs(&workspace::root().join("docs/reliability"))?;
    let changed = with_table(&text, &table(&runs))
        .ok_or_else(|| io::Error::other("docs/RELIABILITY.md has no marks for the figures"))?;
    if changed != text {
        fs::write(page, changed)?;
        println!("written: docs/RELIABILITY.md");
    }
    Ok(())
}

/// The runs by name.
fn runs(folder: &Path) -> io::Result<BTreeMap<String, Value>> {
    let mut runs = BTreeMap::new();
    let Ok(files) = fs::read_dir(folder) else {
        return Ok(runs);
    };
    for file in files {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let run = serde_json::from_str(&fs::read_to_string(&path)?)?;
        runs.insert(name.into_owned(), run);
    }
    Ok(runs)
}

fn table(runs: &BTreeMap<String, Value>) -> String {
    let mut table = String::new();
    for (name, run) in runs {
        let said = |member: &str| run[member].as_str().unwrap_or_default().to_owned();
        table += &format!("\n**{}.** ", capitalised(&said("what")));
        table += &format!(
            "{}: {}; {}.\n\n",
            said("date"),
            said("machine"),
            said("versions")
        );
        table += &format!("| `{name}` | |\n|---|--:|\n");
        let figures = run["figures"].as_object().into_iter().flatten();
        for (figure, value) in figures {
            table += &format!("| {figure} | {} |\n", shown(value));
        }
    }
    table + "\n"
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// Whole numbers have commas.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64().map_or(number.to_string(), grouped),
        other => other.to_string(),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// The page with another table between its marks.
fn with_table(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_has_a_table_of_its_own() {
        let run = json!({
            "what": "kills: peers ended",
            "date": "2026-11-20",
            "machine": "2 cores",
            "versions": "rustc 1.95.0",
            "figures": {"a count": 1_234_567, "a share": 97.5, "a time": "1.5 s"},
        });
        let table = table(&BTreeMap::from([("kills".to_owned(), run)]));
        assert_eq!(
            table,
            "\n**Kills: peers ended.** 2026-11-20: 2 cores; rustc 1.95.0.\n\n\
             | `kills` | |\n|---|--:|\n| a count | 1,234,567 |\n| a share | 97.5 |\n\
             | a time | 1.5 s |\n\n"
        );
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("before\n{BEGIN}old\n{END}\nafter");
        let changed = with_table(&page, "new\n").expect("it has marks");
        assert_eq!(changed, format!("before\n{BEGIN}new\n{END}\nafter"));
        assert_eq!(with_table(&changed, "new\n"), Some(changed.clone()));
        assert_eq!(with_table("no marks", "new"), None);
    }

    /// Where figures come from several branches, they are brought together by
    /// `FERROMQ_WRITE_LISTS=1 cargo test -p xtask table`.
    #[test]
    fn the_page_shows_what_is_stored() {
        if std::env::var_os("FERROMQ_WRITE_LISTS").is_some() {
            write().expect("the page can be written");
        }
        let root = workspace::root();
        let page = fs::read_to_string(root.join("docs/RELIABILITY.md")).expect("it is there");
        let runs = runs(&root.join("docs/reliability")).expect("they are JSON");
        let expected = with_table(&page, &table(&runs)).expect("it has marks");
        assert!(page == expected, "the figures on the page are others");
    }
}
