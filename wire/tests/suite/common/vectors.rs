//! `name: hex` lines, from the captures and from docs/PROTOCOL.md.

use std::collections::BTreeMap;
use std::path::Path;

/// Vectors by name. Taking one marks it as used.
pub struct Vectors {
    by_name: BTreeMap<String, Vec<u8>>,
}

impl Vectors {
    /// The lines of a text: empty ones and those with a `#` do not count.
    pub fn parse(text: &str) -> Self {
        let mut by_name = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hex) = line.split_once(':').expect(line);
            let twice = by_name.insert(name.trim().to_owned(), unhex(hex));
            assert!(twice.is_none(), "{name} comes twice");
        }
        Self { by_name }
    }

    /// The fenced blocks of a document whose info string is `vectors`.
    pub fn from_document(text: &str) -> Self {
        let blocks = text.split("```vectors\n").skip(1);
        let lines: Vec<&str> = blocks
            .map(|block| block.split("```").next().unwrap())
            .collect();
        Self::parse(&lines.concat())
    }

    pub fn load(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap())
    }

    pub fn take(&mut self, name: &str) -> Vec<u8> {
        self.by_name.remove(name).expect(name)
    }

    /// No vector may go unchecked.
    pub fn assert_all_used(&self) {
        let left: Vec<&String> = self.by_name.keys().collect();
        assert!(left.is_empty(), "unchecked vectors: {left:?}");
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.by_name.iter()
    }
}

/// Hexadecimal digits, white space anywhere. `61*300` stands for 300 times 61.
pub fn unhex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
        assert!(digits.is_ascii() && digits.len() % 2 == 0, "{word}");
        for _ in 0..times.parse::<usize>().unwrap() {
            for at in (0..digits.len()).step_by(2) {
                bytes.push(u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
            }
        }
    }
    bytes
}
