//! What each verb does with its socket.

mod duplex;
mod groups;
mod publish;
mod reply;

use ferromq::{Options, SocketType};

pub(crate) use duplex::{duplex, router, xsub};
pub(crate) use groups::{dish, radio};
pub(crate) use publish::publish;
pub(crate) use reply::{reply, unwanted_remote};

use super::args::{DuplexArgs, OutputArgs, ReceiveArgs, SendArgs, SubArgs};
use super::error::Failure;
use super::input::Source;
use super::output::{Lead, Printer};
use super::session::Session;

/// `push`, `scatter`: sends everything there is to send.
pub(crate) fn push(socket_type: SocketType, args: &SendArgs) -> Result<(), Failure> {
    let mut source = Source::open(&args.input)?;
    Session::open(socket_type, &args.socket)?.run(|session| {
        while let Some(message) = source.next()? {
            session.send(message)?;
        }
        Ok(())
    })
}

/// `pull`, `gather`: prints what comes.
pub(crate) fn pull(socket_type: SocketType, args: &ReceiveArgs) -> Result<(), Failure> {
    let session = Session::open(socket_type, &args.socket)?;
    session.run(|session| print_all(session, &args.output, Lead::Body))
}

/// `sub`: subscribes before it meets any peer, and prints what comes.
pub(crate) fn sub(args: &SubArgs) -> Result<(), Failure> {
    let session = Session::open_with(SocketType::Sub, &args.socket, Options::new(), |socket| {
        if args.topic.is_empty() {
            socket.subscribe("")?;
        }
        args.topic
            .iter()
            .try_for_each(|topic| socket.subscribe(&topic.0))
    })?;
    session.run(|session| print_all(session, &args.output, Lead::Body))
}

/// `req`: prints the reply to each request before sending the next.
pub(crate) fn request(args: &DuplexArgs) -> Result<(), Failure> {
    let mut source = Source::open(&args.input)?;
    let mut printer = Printer::stdout(args.output.format, Lead::Body)?;
    Session::open(SocketType::Req, &args.socket)?.run(|session| {
        let mut left = args.output.count.unwrap_or(u64::MAX);
        while left > 0
            && let Some(request) = source.next()?
        {
            session.send(request)?;
            printer.print(&session.receive("no reply came")?)?;
            // The reader of our output may decide on the next request.
            printer.flush()?;
            left -= 1;
        }
        Ok(())
    })
}

/// Prints what comes until `--count` is reached. The output is flushed when
/// nothing waits to be received, so that lines appear at once, and not after
/// each line while they come fast.
fn print_all(session: &Session, args: &OutputArgs, lead: Lead) -> Result<(), Failure> {
    let mut printer = Printer::stdout(args.format, lead)?;
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let message = match session.try_receive() {
            Ok(Some(message)) => Ok(message),
            Ok(None) => {
                printer.flush()?;
                session.receive("no message came")
            }
            Err(failure) => Err(failure),
        };
        match message {
            Ok(message) => printer.print(&message)?,
            Err(failure) => {
                printer.flush()?;
                return Err(failure);
            }
        }
        left -= 1;
    }
    printer.flush()
}
