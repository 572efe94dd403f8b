//! The verbs that send and print at the same time.

use std::sync::mpsc::{self, Receiver};
use std::thread;

use ferromq::{AnySocket, Error, Message, Options, SocketType};

use super::print_all;
use crate::cli::args::{DuplexArgs, OutputArgs, RouterArgs, XsubArgs};
use crate::cli::error::Failure;
use crate::cli::input::{FirstField, Source};
use crate::cli::output::Lead;
use crate::cli::session::Session;
use crate::cli::trouble;

/// `pair`, `dealer`, `xpub`, `client`, `channel`: sends what there is and prints what comes.
pub(crate) fn duplex(socket_type: SocketType, args: &DuplexArgs) -> Result<(), Failure> {
    let source = Source::open(&args.input)?;
    let session = Session::open(socket_type, &args.socket)?;
    session.run(|session| exchange(session, source, &args.output, Lead::Body))
}

/// `xsub`: the same after subscribing.
pub(crate) fn xsub(args: &XsubArgs) -> Result<(), Failure> {
    let XsubArgs {
        topic: topics,
        duplex,
    } = args;
    let source = Source::open(&duplex.input)?;
    let subscribe = |socket: &AnySocket| -> Result<(), Error> {
        topics
            .iter()
            .try_for_each(|topic| socket.subscribe(&topic.0))
    };
    Session::open_with(SocketType::XSub, &duplex.socket, Options::new(), subscribe)?
        .run(|session| exchange(session, source, &duplex.output, Lead::Body))
}

/// `router`: the same with identities. `server`, `peer`: with routing ids.
pub(crate) fn router(socket_type: SocketType, args: &RouterArgs) -> Result<(), Failure> {
    let source = Source::stdin(FirstField::Identity)?;
    // A wrong identity is to be told, not to be dropped.
    let options = Options::new().router_mandatory(true);
    Session::open_with(socket_type, &args.socket, options, |_| Ok(()))?
        .run(|session| exchange(session, source, &args.output, Lead::Identity))
}

/// Sends on a thread of its own, prints on this one.
///
/// The end of the input ends the sending only. `--count` ends the whole, except
/// that a count of 0 stands for the end of the input.
fn exchange(
    session: &Session,
    source: Source,
    output: &OutputArgs,
    lead: Lead,
) -> Result<(), Failure> {
    let sending = start_sending(session.socket().clone(), source)?;
    if output.count == Some(0) {
        return sending
            .recv()
            .unwrap_or(Ok(()))
            .map_err(|failure| understood(session, failure));
    }
    print_all(session, output, lead).map_err(|failure| match (&failure, sending.try_recv()) {
        // The sending side closed the socket because it failed.
        (Failure::Library(Error::Closed), Ok(Err(cause))) => understood(session, cause),
        _ => failure,
    })
}

/// Sends everything, then tells how it went. Closes the socket when it failed,
/// to wake the side that prints.
fn start_sending(
    socket: AnySocket,
    mut source: Source,
) -> Result<Receiver<Result<(), Failure>>, Failure> {
    let (told, sending) = mpsc::channel();
    let send = move || {
        let sent = send_all(&socket, &mut source);
        let failed = sent.is_err();
        let _ = told.send(sent);
        if failed {
            socket.close();
        }
    };
    let started = thread::Builder::new().name("send".into()).spawn(send);
    started
        .map(|_| sending)
        .map_err(Failure::system("start a thread"))
}

fn send_all(socket: &AnySocket, source: &mut Source) -> Result<(), Failure> {
    while let Some(message) = source.next()? {
        send(socket, message)?;
    }
    Ok(())
}

fn send(socket: &AnySocket, message: Message) -> Result<(), Failure> {
    match socket.send(message).map_err(Error::from) {
        // A slip in one line is no reason to leave the other peers.
        Err(slip) if is_slip(&slip) => {
            trouble::say(format_args!("{slip}"));
            Ok(())
        }
        sent => sent.map_err(Failure::Library),
    }
}

/// Whether a ROUTER, SERVER or PEER was given a line that it cannot send.
fn is_slip(error: &Error) -> bool {
    match error {
        Error::HostUnreachable { .. } => true,
        Error::WrongParts { socket_type, .. } => {
            matches!(socket_type, SocketType::Server | SocketType::Peer)
        }
        _ => false,
    }
}

fn understood(session: &Session, failure: Failure) -> Failure {
    match failure {
        Failure::Library(error) => session.explain(error, "no peer took the message"),
        other => other,
    }
}
