//! Who decides on peers, and on which: section D's rows of 27/ZAP, and what of
//! security no RFC speaks of.

mod addresses;
mod authenticator;
mod older_peers;
mod requirement;
mod verdicts;
mod without_verdict;

use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ferromq::{AnySocket, Context, Error, EventKind, Message, Options, SocketType};
use ferromq_tests::{Greeting, Ours, PATIENCE, RawPeer, Via, parts_of};

/// Where a context looks for its handler.
const HANDLER: &str = "inproc://zeromq.zap.01";

/// The seven frames of a reply, but for its delimiter and the id.
type Reply = [&'static [u8]; 4];

const WELCOME: Reply = [b"200", b"OK", b"ann", b""];

/// A handler in a thread that answers all requests alike. Those that it had are
/// given, from the delimiter on.
struct Handler {
    requests: Receiver<Vec<Vec<u8>>>,
    socket: AnySocket,
    thread: Option<JoinHandle<()>>,
}

impl Handler {
    /// A REP that answers so.
    fn replies(context: &Context, reply: Reply) -> Self {
        Self::start(context, SocketType::Rep, move |request| {
            let [version, id] = [&request[0], &request[1]];
            let mut message = Message::from([&version[..], id]);
            reply.into_iter().for_each(|frame| message.push_back(frame));
            Some(message)
        })
    }

    /// A REP or ROUTER that answers what `answer` makes of a request without
    /// its envelope.
    fn start(
        context: &Context,
        socket_type: SocketType,
        answer: impl Fn(&[Vec<u8>]) -> Option<Message> + Send + 'static,
    ) -> Self {
        let options = Options::new().linger(Some(Duration::ZERO));
        let socket = context.any_socket(socket_type, options).expect("a socket");
        socket.bind(HANDLER).expect("the only handler");
        let (tell, requests) = channel();
        let serving = socket.clone();
        let serve = move || {
            while let Ok(message) = serving.recv() {
                let mut request = parts_of(&message);
                // REP has taken the delimiter off; ROUTER shows who asks, too.
                let envelope: Vec<_> = match socket_type {
                    SocketType::Router => request.drain(..2).collect(),
                    _ => Vec::new(),
                };
                let reply = answer(&request);
                let _ = tell.send(request);
                let Some(reply) = reply else { continue };
                let frames = reply.into_iter().map(|frame| frame.to_vec());
                let reply: Message = envelope.into_iter().chain(frames).collect();
                let _ = serving.send(reply);
            }
        };
        Self {
            requests,
            socket,
            thread: Some(std::thread::spawn(serve)),
        }
    }

    /// The next request that came.
    fn request(&self) -> Vec<Vec<u8>> {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    fn had_requests(&self) -> bool {
        self.requests.try_recv().is_ok()
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        match self.socket.unbind(HANDLER) {
            Ok(()) | Err(Error::Closed) => {}
            Err(error) => panic!("{error}"),
        }
        self.socket.close();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A PULL that asks the handler about NULL peers.
fn asking(via: Via) -> Ours {
    Ours::bound(SocketType::Pull, Options::new().zap_domain("plant"), via)
}

/// A NULL peer that has said READY.
fn ready(ours: &Ours, more: &[(&str, &[u8])]) -> RawPeer {
    let mut peer = RawPeer::connect(ours.endpoint());
    peer.send(&Greeting::default().bytes());
    let _ = peer.read_greeting();
    peer.send_ready("PUSH", more);
    peer
}

/// The status and the cause of the next refusal.
fn refusal(ours: &Ours) -> (Option<u16>, String) {
    let refused = |kind: &EventKind| matches!(kind, EventKind::AuthenticationFailed { .. });
    match ours.await_event("a refusal", refused).kind {
        EventKind::AuthenticationFailed { status, cause } => (status, cause),
        other => unreachable!("{other:?} was not waited for"),
    }
}
