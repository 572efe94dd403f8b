//! Those who are killed.

use std::path::Path;
use std::time::Duration;

use ferromq::{Context, Message, SocketType};

use super::ledger::Scribe;
use super::{meet_as_told, options};
use crate::Failure;
use crate::body::{number_of, numbered};
use crate::child::commands;
use crate::random::Random;

/// Receives and notes for ever, with rests in which queues grow.
pub(crate) fn taker(verb: &str, endpoint: &str, ledger: &Path) -> Result<(), Failure> {
    let _ends = commands();
    let mut scribe = Scribe::open(ledger)?;
    let context = Context::new()?;
    let socket = context.any_socket(SocketType::Pull, options())?;
    meet_as_told(&socket, verb, endpoint)?;
    for count in 0_u64.. {
        let message = socket.recv()?;
        let number = message.frame(0).and_then(|body| number_of(body));
        scribe.note(number.ok_or("a damaged message")?)?;
        if count % 500 == 499 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// Sends what it is told to, from number 0.
pub(crate) fn giver(verb: &str, endpoint: &str, seed: u64) -> Result<(), Failure> {
    let mut random = Random::new(seed);
    let commands = commands();
    let context = Context::new()?;
    let socket = context.any_socket(SocketType::Push, options())?;
    meet_as_told(&socket, verb, endpoint)?;
    let command = commands.recv()?;
    let all = match command.strip_prefix("give ") {
        Some("on") => u64::MAX,
        Some(count) => count.parse()?,
        None => return Err(format!("no such command: {command}").into()),
    };
    for number in 0..all {
        let len = random.within(8, 8 << 10) as usize;
        socket.send(Message::from(&numbered(number, len)[..]))?;
    }
    socket.flush()?;
    // Until the end.
    let _ = commands.recv();
    Ok(())
}
