//! `pub`: publishing, and waiting for those who want to hear it.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use ferromq::{AnySocket, Error, Options, SocketType};

use crate::cli::args::PubArgs;
use crate::cli::error::Failure;
use crate::cli::input::Source;
use crate::cli::session::Session;
use crate::cli::trouble;

/// `pub`: publishes everything there is, after `--wait-subscribers`.
///
/// Only an XPUB learns of subscriptions; to its peers it is the same as a PUB,
/// so it takes that one's place when there are subscribers to wait for.
pub(crate) fn publish(args: &PubArgs) -> Result<(), Failure> {
    let mut source = Source::open(&args.input)?;
    let (socket_type, options) = match args.wait_subscribers {
        0 => (SocketType::Pub, Options::new()),
        _ => (SocketType::XPub, Options::new().xpub_verbose(true)),
    };
    Session::open_with(socket_type, &args.socket, options, |_| Ok(()))?.run(|session| {
        if args.wait_subscribers > 0 {
            wait_for_subscriptions(session, args)?;
        }
        while let Some(mut message) = source.next()? {
            if let Some(topic) = &args.topic {
                message.push_front(&topic.0[..]);
            }
            session.send(message)?;
        }
        if session.socket().statistics().connected() == 0 {
            trouble::say(format_args!(
                "no subscriber is connected; --wait-subscribers 1 waits for the first"
            ));
        }
        Ok(())
    })
}

/// Returns when enough subscriptions have come. A thread goes on taking those
/// that come later, so that they never fill the socket's queue.
fn wait_for_subscriptions(session: &Session, args: &PubArgs) -> Result<(), Failure> {
    let (enough, waiting) = mpsc::channel();
    let socket = session.socket().clone();
    let wanted = args.wait_subscribers;
    let count = move || {
        let mut missing = wanted;
        let end = take_subscriptions(&socket, || {
            missing = missing.saturating_sub(1);
            if missing == 0 {
                let _ = enough.send(Ok(()));
            }
        });
        let _ = enough.send(Err(end));
    };
    thread::Builder::new()
        .name("subscriptions".into())
        .spawn(count)
        .map_err(Failure::system("start a thread"))?;
    let came = match args.socket.timeout {
        Some(timeout) => waiting.recv_timeout(timeout),
        None => waiting.recv().map_err(RecvTimeoutError::from),
    };
    let waited_for = "not enough subscribers came";
    match came {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(session.explain(error, waited_for)),
        Err(_) => Err(session.explain(Error::TimedOut, waited_for)),
    }
}

/// Calls `came` for each subscription until the socket is closed.
fn take_subscriptions(socket: &AnySocket, mut came: impl FnMut()) -> Error {
    loop {
        match socket.recv() {
            Ok(message)
                if message
                    .frame(0)
                    .is_some_and(|frame| frame.first() == Some(&1)) =>
            {
                came()
            }
            // Unsubscriptions, and messages from XSUB peers.
            Ok(_) => {}
            // The socket's own timeout: the waiting side keeps the time.
            Err(Error::TimedOut) => {}
            Err(error) => return error,
        }
    }
}
