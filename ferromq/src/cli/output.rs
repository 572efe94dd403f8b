//! Received messages on standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;

use clap::ValueEnum;
use ferromq::Message;

use super::error::Failure;
use super::text;

/// How received messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// A line a message, frames separated by tabs; \t \n \r \\ and \xHH stand
    /// for what would break the line, so that nothing is lost
    #[default]
    Text,
    /// A line a message, frames in hexadecimal, separated by tabs
    Hex,
    /// A JSON object a line: {"frames":[{"text":"hello"},{"hex":"ff00"}]}
    Json,
    /// The bytes as they are: no separators, no newline
    Raw,
}

/// Whether a message starts with a peer's identity, which is shown in
/// hexadecimal by every format but `raw`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    Body,
    Identity,
}

/// Prints messages, buffered until [`flush`](Self::flush).
pub(crate) struct Printer<W: Write> {
    out: BufWriter<W>,
    format: Format,
    lead: Lead,
}

impl Printer<File> {
    /// Prints on standard output. Not through `std::io::Stdout`, which looks
    /// for newlines in everything.
    pub(crate) fn stdout(format: Format, lead: Lead) -> Result<Self, Failure> {
        let fd = io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(Failure::output)?;
        Ok(Self::new(File::from(fd), format, lead))
    }
}

impl<W: Write> Printer<W> {
    pub(crate) fn new(out: W, format: Format, lead: Lead) -> Self {
        Self {
            out: BufWriter::with_capacity(BUFFER, out),
            format,
            lead,
        }
    }

    pub(crate) fn print(&mut self, message: &Message) -> Result<(), Failure> {
        let frames = message.parts().iter().map(|frame| &**frame);
        write_message(self.format, self.lead, frames, &mut self.out).map_err(Failure::output)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::output)
    }
}

const BUFFER: usize = 64 * 1024;

fn write_message<'a>(
    format: Format,
    lead: Lead,
    frames: impl Iterator<Item = &'a [u8]>,
    out: &mut impl Write,
) -> io::Result<()> {
    if format == Format::Json {
        out.write_all(b"{\"frames\":[")?;
    }
    for (index, frame) in frames.enumerate() {
        match format {
            Format::Json if index > 0 => out.write_all(b",")?,
            Format::Text | Format::Hex if index > 0 => out.write_all(b"\t")?,
            _ => {}
        }
        let identity = index == 0 && lead == Lead::Identity;
        match format {
            Format::Raw => out.write_all(frame)?,
            Format::Json if identity => write_json_hex(frame, out)?,
            Format::Json => write_json(frame, out)?,
            Format::Text if !identity => text::escape(frame, out)?,
            Format::Text | Format::Hex => text::write_hex(frame, out)?,
        }
    }
    match format {
        Format::Json => out.write_all(b"]}\n"),
        Format::Text | Format::Hex => out.write_all(b"\n"),
        Format::Raw => Ok(()),
    }
}

fn write_json(frame: &[u8], out: &mut impl Write) -> io::Result<()> {
    match std::str::from_utf8(frame) {
        Ok(text) => {
            out.write_all(b"{\"text\":")?;
            serde_json::to_writer(&mut *out, text)?;
            out.write_all(b"}")
        }
        Err(_) => write_json_hex(frame, out),
    }
}

fn write_json_hex(frame: &[u8], out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"{\"hex\":\"")?;
    text::write_hex(frame, out)?;
    out.write_all(b"\"}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, lead: Lead, frames: &[&[u8]]) -> String {
        let mut out = Vec::new();
        write_message(format, lead, frames.iter().copied(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_format_shows_the_frames_apart() {
        let frames: &[&[u8]] = &[b"a\tb", b"", b"\xff"];
        assert_eq!(
            printed(Format::Text, Lead::Body, frames),
            "a\\tb\t\t\\xff\n"
        );
        assert_eq!(printed(Format::Hex, Lead::Body, frames), "610962\t\tff\n");
        assert_eq!(
            printed(Format::Json, Lead::Body, frames),
            "{\"frames\":[{\"text\":\"a\\tb\"},{\"text\":\"\"},{\"hex\":\"ff\"}]}\n"
        );
        assert_eq!(printed(Format::Raw, Lead::Body, &[b"a\n", b"b"]), "a\nb");
    }

    #[test]
    fn json_lines_are_json() {
        let line = printed(
            Format::Json,
            Lead::Body,
            &["\u{1b}\"\\\n世".as_bytes(), b"\xc3"],
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["frames"][0]["text"], "\u{1b}\"\\\n世");
        assert_eq!(value["frames"][1]["hex"], "c3");
    }

    #[test]
    fn an_identity_is_shown_in_hexadecimal() {
        let frames: &[&[u8]] = &[b"id", b"body"];
        assert_eq!(
            printed(Format::Text, Lead::Identity, frames),
            "6964\tbody\n"
        );
        assert_eq!(
            printed(Format::Json, Lead::Identity, frames),
            "{\"frames\":[{\"hex\":\"6964\"},{\"text\":\"body\"}]}\n"
        );
        assert_eq!(printed(Format::Raw, Lead::Identity, frames), "idbody");
    }
}
