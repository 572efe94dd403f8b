//! The stored figures, and what differs from them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::callgrind::{self, Instructions};
use crate::sections::Failure;

/// What lies in `figures.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figures {
    /// What counted them.
    pub(crate) counted_by: Origin,
    /// How much more one may be, in per cent, with the same compiler and C library.
    margin_percent: f64,
    /// And with others, which inline and copy otherwise.
    margin_percent_elsewhere: f64,
    /// Instructions of one operation.
    pub(crate) instructions: Instructions,
}

/// What figures depend on besides the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    rustc: String,
    libc: String,
    valgrind: String,
    machine: String,
}

impl Origin {
    /// Here and now.
    pub(crate) fn here() -> Result<Self, Failure> {
        Ok(Self {
            rustc: env!("GUARD_RUSTC").to_owned(),
            libc: libc_version(),
            valgrind: callgrind::version().ok_or("valgrind is missing")?,
            machine: machine(),
        })
    }

    /// Whether the same code becomes the same instructions.
    fn counts_like(&self, other: &Self) -> bool {
        (&self.rustc, &self.libc) == (&other.rustc, &other.libc)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rustc,
            libc,
            valgrind,
            machine,
        } = self;
        write!(f, "{rustc}, {libc}, {valgrind}, {machine}")
    }
}

impl Figures {
    /// The file in the repository.
    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("figures.json")
    }

    pub(crate) fn load() -> Result<Self, Failure> {
        let path = Self::path();
        let named = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| named(&error))?;
        Ok(serde_json::from_str(&text).map_err(|error| named(&error))?)
    }

    /// Replaces the stored figures; margins stay.
    pub(crate) fn update(mut self, instructions: &Instructions) -> Result<(), Failure> {
        self.counted_by = Origin::here()?;
        let rounded = |figure: &f64| (figure * 100.0).round() / 100.0;
        self.instructions = instructions
            .iter()
            .map(|(name, figure)| (name.clone(), rounded(figure)))
            .collect();
        let text = serde_json::to_string_pretty(&self)? + "\n";
        Ok(fs::write(Self::path(), text)?)
    }

    /// How much more than stored is too much, in per cent.
    pub(crate) fn margin(&self, here: &Origin) -> f64 {
        match self.counted_by.counts_like(here) {
            true => self.margin_percent,
            false => self.margin_percent_elsewhere,
        }
    }

    /// All sections, stored or counted, by name.
    pub(crate) fn compare(&self, counted: &Instructions, margin: f64) -> BTreeMap<String, Row> {
        let names: BTreeSet<&String> = self.instructions.keys().chain(counted.keys()).collect();
        let row = |name: &String| Row {
            stored: self.instructions.get(name).copied(),
            counted: counted.get(name).copied(),
            margin,
        };
        names
            .into_iter()
            .map(|name| (name.clone(), row(name)))
            .collect()
    }
}

/// One section's figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    stored: Option<f64>,
    counted: Option<f64>,
    margin: f64,
}

/// What to think of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Kept,
    /// So much less that the stored figure guards little.
    Less,
    More,
    /// Nothing is stored.
    New,
    /// Nothing was counted.
    Gone,
}

impl Row {
    pub(crate) fn verdict(&self) -> Verdict {
        let (Some(stored), Some(counted)) = (self.stored, self.counted) else {
            return match self.stored {
                None => Verdict::New,
                Some(_) => Verdict::Gone,
            };
        };
        let allowed = stored * self.margin / 100.0;
        if counted > stored + allowed {
            Verdict::More
        } else if counted < stored - allowed {
            Verdict::Less
        } else {
            Verdict::Kept
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figure = |figure: Option<f64>| figure.map_or("-".to_owned(), |it| format!("{it:.1}"));
        let difference = match (self.stored, self.counted) {
            (Some(stored), Some(counted)) if stored > 0.0 => {
                let per_mille = ((counted / stored - 1.0) * 1_000.0).round();
                format!("{:+.1} %", per_mille / 10.0 + 0.0) // no -0.0
            }
            _ => String::new(),
        };
        let verdict = match self.verdict() {
            Verdict::Kept => "",
            Verdict::Less => "less",
            Verdict::More => "MORE",
            Verdict::New => "NEW",
            Verdict::Gone => "GONE",
        };
        let (stored, counted) = (figure(self.stored), figure(self.counted));
        write!(f, "{stored:>9} {counted:>9} {difference:>9} {verdict:<4}")
    }
}

fn libc_version() -> String {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: answers a string that lives for ever, and takes nothing.
        let version = unsafe { libc::gnu_get_libc_version() };
        // SAFETY: see above; it ends with a zero.
        let version = unsafe { std::ffi::CStr::from_ptr(version) };
        format!("glibc {}", version.to_string_lossy())
    }
    #[cfg(not(target_env = "gnu"))]
    "another C library".to_owned()
}

/// The processor by its own name.
fn machine() -> String {
    let known = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = known
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'));
    let model = model.map_or("unknown", |(_, model)| model.trim());
    format!("{model} ({})", std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stored: Option<f64>, counted: Option<f64>) -> Row {
        Row {
            stored,
            counted,
            margin: 3.0,
        }
    }

    #[test]
    fn the_margin_has_two_sides() {
        let verdict = |counted| row(Some(100.0), Some(counted)).verdict();
        assert_eq!(verdict(103.0), Verdict::Kept);
        assert_eq!(verdict(103.1), Verdict::More);
        assert_eq!(verdict(97.0), Verdict::Kept);
        assert_eq!(verdict(96.9), Verdict::Less);
        assert_eq!(row(None, Some(1.0)).verdict(), Verdict::New);
        assert_eq!(row(Some(1.0), None).verdict(), Verdict::Gone);
    }

    #[test]
    fn a_row_tells_stored_counted_and_difference() {
        let text = row(Some(200.0), Some(250.0)).to_string();
        for part in ["200.0", "250.0", "+25.0 %", "MORE"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn what_is_stored_is_read_back_and_compared_by_name() {
        let figures = Figures::load().expect("committed");
        let text = serde_json::to_string(&figures).expect("plain");
        assert_eq!(
            serde_json::from_str::<Figures>(&text).expect("ours"),
            figures
        );
        let mut counted = figures.instructions.clone();
        let (name, _) = counted.pop_first().expect("there are some");
        counted.insert("another".to_owned(), 1.0);
        let rows = figures.compare(&counted, 3.0);
        assert_eq!(rows.len(), figures.instructions.len() + 1);
        assert_eq!(rows[&name].verdict(), Verdict::Gone);
        assert_eq!(rows["another"].verdict(), Verdict::New);
    }

    #[test]
    fn another_compiler_has_the_wider_margin() {
        let mut figures = Figures::load().expect("committed");
        let here = figures.counted_by.clone();
        assert_eq!(figures.margin(&here), figures.margin_percent);
        figures.counted_by.rustc = "rustc 0.0.1".to_owned();
        assert_eq!(figures.margin(&here), figures.margin_percent_elsewhere);
    }
}
