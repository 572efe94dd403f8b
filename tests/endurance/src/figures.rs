//! What a check counted, for people and for the table in docs/RELIABILITY.md.

use std::fmt::Display;
use std::path::Path;

use serde_json::{Value, json};

use crate::Failure;

/// Names and numbers, in order.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(String, String)>);

impl Figures {
    pub(crate) fn add(&mut self, what: impl Into<String>, figure: impl Display) {
        self.0.push((what.into(), figure.to_string()));
    }

    /// Shows them.
    pub(crate) fn tell(&self) {
        for (what, figure) in &self.0 {
            println!("  {what}: {figure}");
        }
    }

    /// Writes them as an array of pairs.
    pub(crate) fn write(&self, file: &Path) -> Result<(), Failure> {
        let pairs: Vec<Value> = self.0.iter().map(|pair| json!(pair)).collect();
        Ok(std::fs::write(file, serde_json::to_vec(&pairs)?)?)
    }
}

/// A whole number with commas; one below zero, what shrank, is zero.
pub(crate) fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(0_u64).to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_have_commas() {
        for (number, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (-5, "0"),
        ] {
            assert_eq!(grouped(number), shown);
        }
    }
}
