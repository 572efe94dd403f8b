//! REQ over TCP in a program without std, without libc and without an allocator.
//!
//! ```text
//!   stdin: a port ─▶ ┌──────────────────────────┐
//!                    │ example-requester        │ ── REQ ─▶ 127.0.0.1:port,
//!   stdout: answers ◀│ ferromq-wire, -patterns  │ ◀─ REP ── any ZeroMQ
//!                    └──────────────────────────┘
//!                      socket connect read write exit: all that it asks of Linux
//! ```
//!
//! `check.py` runs it against pyzmq. How it is linked, and that this proves that
//! nothing else is needed, says docs/embedding.md; the start-up code and the four
//! functions that the compiler itself calls are those of `freestanding/`.
#![no_std]
#![no_main]

mod linux;
#[path = "../../../freestanding/src/system.rs"]
mod system;

use embedded_io::{ErrorKind, Read, Write};
use example_requester::{Requester, Scratch};
use linux::Descriptor;

/// What failed: the exit code of the program.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Step {
    Memory = 1,
    Port,
    Connect,
    Handshake,
    Ask,
    Print,
}

/// The handshake's 8 KiB. All other memory is the stack.
static SCRATCH: system::Place<Scratch> = system::Place::new();

/// Called by the start-up code, once.
fn run() -> Result<(), Step> {
    let port = read_port().ok_or(Step::Port)?;
    let stream = linux::connect([127, 0, 0, 1], port).map_err(|_| Step::Connect)?;
    let scratch = SCRATCH.fill(Scratch::new()).ok_or(Step::Memory)?;
    let first = u32::from(port); // better random, where there is a source
    let requester = Requester::new(stream, scratch, first);
    let mut requester = requester.map_err(|_| Step::Handshake)?;
    for question in ["first", "second", "third"] {
        let mut answer = [0; 128];
        let asked = requester.ask(question.as_bytes(), &mut answer);
        let len = asked.map_err(|_| Step::Ask)?;
        print(&answer[..len]).map_err(|_| Step::Print)?;
    }
    Ok(())
}

/// The decimal number on standard input.
fn read_port() -> Option<u16> {
    let mut line = [0; 8];
    let len = Descriptor::stdin().read(&mut line).ok()?;
    let text = core::str::from_utf8(line.get(..len)?).ok()?;
    text.trim().parse().ok()
}

fn print(line: &[u8]) -> Result<(), ErrorKind> {
    let mut stdout = Descriptor::stdout();
    stdout.write_all(line)?;
    stdout.write_all(b"\n")
}
