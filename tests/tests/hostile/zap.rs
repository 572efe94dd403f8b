//! A handler of 27/ZAP that does as the peer's name says.

use std::thread::JoinHandle;
use std::time::Duration;

use ferromq::{AnySocket, Context, Message, Options, SocketType};
use ferromq_tests::{Ours, RawPeer, Via};

use crate::arena::{Arena, Kind, NEIGHBOUR};

/// Names of peers about whom the handler answers nonsense.
pub(crate) const MALFORMED: [&[u8]; 6] = [
    b"short",
    b"long",
    b"version",
    b"another id",
    b"status",
    b"metadata",
];

pub(crate) struct Handler {
    socket: AnySocket,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.socket.close();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// An arena whose socket asks about its peers, and whom it asks.
pub(crate) fn arena(kind: Kind) -> (Arena, Handler) {
    let options = Options::new().zap_domain("here");
    let ours = Ours::bound(kind.socket_type(), options, Via::Tcp);
    let handler = handler(ours.context());
    let neighbour = RawPeer::identified(ours.endpoint(), kind.peer_type(), NEIGHBOUR);
    (Arena::around(kind, ours, neighbour), handler)
}

fn handler(context: &Context) -> Handler {
    let options = Options::new().linger(Some(Duration::ZERO));
    let router = context.any_socket(SocketType::Router, options);
    let socket = router.expect("a socket");
    socket.bind("inproc://zeromq.zap.01").expect("the handler");
    let serving = socket.clone();
    let serve = move || {
        while let Ok(request) = serving.recv() {
            if let Some(reply) = reply(&request) {
                let _ = serving.send(reply);
            }
        }
    };
    Handler {
        socket,
        thread: Some(std::thread::spawn(serve)),
    }
}

/// Who asks and a delimiter; version, id, domain, address, identity, mechanism.
fn reply(request: &Message) -> Option<Message> {
    let frames: Vec<Vec<u8>> = request.parts().iter().map(|f| f.to_vec()).collect();
    let mut answer = vec![
        frames[0].clone(),
        Vec::new(),
        b"1.0".to_vec(),
        frames[3].clone(),
        b"200".to_vec(),
        b"OK".to_vec(),
        b"somebody".to_vec(),
        Vec::new(),
    ];
    match &frames[6][..] {
        NEIGHBOUR => {}
        b"slow" => return None,
        b"short" => drop(answer.pop()),
        b"long" => answer.push(Vec::new()),
        b"version" => answer[2] = b"2.0".to_vec(),
        b"another id" => answer[3].push(b'!'),
        b"status" => answer[4] = b"20".to_vec(),
        b"metadata" => answer[7] = b"\x03X-".to_vec(),
        _ => answer[4] = b"400".to_vec(),
    }
    Some(answer.into_iter().collect())
}
