//! `radio` and `dish`: messages to groups.

use std::thread;
use std::time::{Duration, Instant};

use ferromq::{DropCause, Error, Message, Options, SocketType};

use super::print_all;
use crate::cli::args::{DishArgs, RadioArgs};
use crate::cli::error::Failure;
use crate::cli::input::Source;
use crate::cli::output::Lead;
use crate::cli::session::Session;
use crate::cli::trouble;

/// How often a RADIO looks whether a group has a member by now.
const LOOK: Duration = Duration::from_millis(5);

/// `radio`: sends everything there is, after `--wait-member`.
pub(crate) fn radio(args: &RadioArgs) -> Result<(), Failure> {
    let mut source = Source::open(&args.input)?;
    Session::open(SocketType::Radio, &args.socket)?.run(|session| {
        let mut waits = args.wait_member;
        while let Some(mut message) = source.next()? {
            if let Some(group) = &args.group {
                message.push_front(&group.0[..]);
            }
            match std::mem::take(&mut waits) {
                true => send_to_somebody(session, &message, args.socket.timeout)?,
                false => session.send(message)?,
            }
        }
        if session.socket().statistics().connected() == 0 {
            trouble::say(format_args!(
                "no dish is connected; --wait-member waits for the first"
            ));
        }
        Ok(())
    })
}

/// Sends until the message was for somebody. A RADIO shows its application
/// nothing of who joins, but it counts what nobody had joined for.
fn send_to_somebody(
    session: &Session,
    message: &Message,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let unheard = || {
        let drops = session.socket().statistics().drops;
        drops.of(DropCause::NoPeer)
    };
    let started = Instant::now();
    loop {
        let before = unheard();
        session.send(message.clone())?;
        if unheard() == before {
            return Ok(());
        }
        if timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
            return Err(session.explain(Error::TimedOut, "no member of the group came"));
        }
        thread::sleep(LOOK);
    }
}

/// `dish`: joins before it meets any peer, and prints what comes.
pub(crate) fn dish(args: &DishArgs) -> Result<(), Failure> {
    let session = Session::open_with(SocketType::Dish, &args.socket, Options::new(), |socket| {
        args.group
            .iter()
            .try_for_each(|group| socket.join(&group.0))
    })?;
    session.run(|session| print_all(session, &args.output, Lead::Body))
}
