//! What is done to a file's text to make a mistake, and how many mistakes find a place
//! in one text.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

/// Lines and columns from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// From a place up to one that no longer belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: Place,
    pub(super) end: Place,
}

/// Other text for a part of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The function around it, with its signature.
    pub(super) function: Span,
    pub(super) span: Span,
    pub(super) replacement: String,
}

impl Place {
    fn listed(value: &Value) -> Option<Self> {
        let number = |name: &str| usize::try_from(value[name].as_u64()?).ok();
        Some(Self {
            line: number("line")?,
            column: number("column")?,
        })
    }
}

impl Span {
    fn listed(value: &Value) -> Option<Self> {
        Some(Self {
            start: Place::listed(&value["start"])?,
            end: Place::listed(&value["end"])?,
        })
    }

    fn has(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl Change {
    /// As cargo-mutants lists it; `None` for what is in no function.
    pub(super) fn listed(mutant: &Value) -> Option<Self> {
        Some(Self {
            function: Span::listed(&mutant["function"]["span"])?,
            span: Span::listed(&mutant["span"])?,
            replacement: mutant["replacement"].as_str()?.to_owned(),
        })
    }
}

/// What does not compile.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Blame<'a> {
    /// A mistake, in its own copy of the function: alone it would not compile either.
    Itself(u32),
    /// Some of a function's, in what they share.
    OneOf(&'a [u32]),
}

/// A text whose functions choose, each time they are called, which of them they are.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    pub(super) text: String,
    /// Lines of `text`: of each function that was rewritten, with its mistakes.
    functions: Vec<(Range<usize>, Vec<u32>)>,
    /// And of each mistake's copy of one.
    copies: Vec<(Range<usize>, u32)>,
}

impl Rewritten {
    /// Without which there would be nothing wrong in a line.
    pub(super) fn to_blame(&self, line: usize) -> Option<Blame<'_>> {
        let copy = self.copies.iter().find(|(lines, _)| lines.contains(&line));
        if let Some((_, number)) = copy {
            return Some(Blame::Itself(*number));
        }
        let mut functions = self.functions.iter();
        let function = functions.find(|(lines, _)| lines.contains(&line));
        function.map(|(_, numbers)| Blame::OneOf(numbers))
    }

    /// Which mistakes it has.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.copies.iter().map(|(_, number)| *number)
    }

    /// Appends text that begins a line and ends one; says which lines they are.
    fn push(&mut self, text: &str) -> Range<usize> {
        let first = self.line();
        self.text.push_str(text);
        self.text.push('\n');
        first..self.line()
    }

    /// The line that would be next, from 1.
    fn line(&self) -> usize {
        self.text.matches('\n').count() + 1
    }
}

/// Puts each change, under its number, beside what it changes: a function becomes a
/// choice, by `chosen` (an expression for a u32), of copies of its body.
///
/// Left out is what a copy cannot show as it would be: changes of `const` functions,
/// which cannot choose at run time, of those whose result is an `impl`, a type for each
/// copy, and of functions within others.
pub(super) fn rewrite(source: &str, changes: &[(u32, &Change)], chosen: &str) -> Rewritten {
    let offsets = Offsets::of(source);
    let mut functions: BTreeMap<Span, Vec<(u32, &Change)>> = BTreeMap::new();
    for (number, change) in changes {
        let of = functions.entry(change.function).or_default();
        of.push((*number, change));
    }
    let mut rewritten = Rewritten::default();
    let (mut done, mut last) = (0, None::<Span>);
    for (function, changes) in &functions {
        if last.is_some_and(|last| last.has(function)) {
            continue;
        }
        last = Some(*function);
        let whole = offsets.range(source, function);
        let Some(body) = body(source, &whole) else {
            continue;
        };
        rewritten.text.push_str(&source[done..body.start]);
        rewritten.text.push('\n');
        let first = rewritten.push(&format!("match {chosen} {{")).start;
        for (number, change) in changes {
            let span = offsets.range(source, &change.span);
            let (before, after) = (&source[body.start..span.start], &source[span.end..body.end]);
            let copy = format!("{number} => {{{before}{}{after}}}", change.replacement);
            let lines = rewritten.push(&copy);
            rewritten.copies.push((lines, *number));
        }
        let last = rewritten.push(&format!("_ => {{{}}}\n}}", &source[body.clone()]));
        let numbers = changes.iter().map(|(number, _)| *number).collect();
        rewritten.functions.push((first..last.end, numbers));
        done = body.end;
    }
    rewritten.text.push_str(&source[done..]);
    rewritten
}

/// What is between the braces of a function; `None` for one that can only be one.
fn body(source: &str, function: &Range<usize>) -> Option<Range<usize>> {
    let text = source.get(function.clone())?;
    // Signatures here have neither braces nor comments with braces; where one does, the
    // text does not compile, and its mistakes are left out.
    let (signature, _) = text.split_once('{')?;
    let words = signature.split_whitespace();
    let is_const = words.take_while(|it| *it != "fn").any(|it| it == "const");
    let result = signature.split_once("->");
    if is_const || result.is_some_and(|(_, result)| result.contains("impl ")) {
        return None;
    }
    let start = function.start + signature.len() + 1;
    (text.ends_with('}') && start < function.end).then(|| start..function.end - 1)
}

/// Where each line of a text begins.
struct Offsets(Vec<usize>);

impl Offsets {
    fn of(source: &str) -> Self {
        let ends = source.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    fn range(&self, source: &str, span: &Span) -> Range<usize> {
        self.offset(source, span.start)..self.offset(source, span.end)
    }

    fn offset(&self, source: &str, place: Place) -> usize {
        let start = self.0.get(place.line.saturating_sub(1)).copied();
        let start = start.unwrap_or(source.len());
        let mut characters = source[start..].char_indices();
        let at = characters.nth(place.column.saturating_sub(1));
        at.map_or(source.len(), |(at, _)| start + at)
    }
}

#[cfg(test)]
mod tests;
