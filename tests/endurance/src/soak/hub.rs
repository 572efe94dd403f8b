//! The sockets that stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;
use std::time::Duration;

use ferromq::{AnySocket, Context, Message, Options, SocketType};

use super::Done;
use crate::Failure;
use crate::body::numbered;

/// Bytes of what the publisher sends.
const TICK: usize = 64;

/// Sockets that are bound over every transport, each with a thread.
pub(super) struct Hub {
    context: Context,
    sockets: Vec<(AnySocket, Vec<String>)>,
    over: AtomicBool,
    _folder: tempfile::TempDir,
}

impl Hub {
    pub(super) fn new() -> Result<Self, Failure> {
        let context = Context::new()?;
        let folder = tempfile::tempdir()?;
        let mut sockets = Vec::new();
        for socket_type in [
            SocketType::Rep,
            SocketType::Router,
            SocketType::Server,
            SocketType::Pull,
            SocketType::Pub,
        ] {
            let name = socket_type.name();
            let options = Options::new().linger(Some(Duration::ZERO));
            let socket = context.any_socket(socket_type, options)?;
            let mut endpoints = Vec::new();
            for endpoint in [
                "tcp://127.0.0.1:*".to_owned(),
                format!("ipc://{}", folder.path().join(name).display()),
                format!("inproc://{name}"),
            ] {
                endpoints.push(socket.bind(&endpoint)?.to_string());
            }
            sockets.push((socket, endpoints));
        }
        Ok(Self {
            context,
            sockets,
            over: AtomicBool::new(false),
            _folder: folder,
        })
    }

    /// For clients in this process.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Where a socket of this type is, over tcp, ipc and inproc.
    pub(super) fn endpoints(&self, socket_type: SocketType) -> &[String] {
        let bound = |(socket, _): &&(AnySocket, _)| socket.socket_type() == socket_type;
        let found = self.sockets.iter().find(bound);
        found.map_or(&[], |(_, endpoints)| endpoints)
    }

    /// Whether no client is left.
    pub(super) fn is_alone(&self) -> bool {
        let alone = |(socket, _): &(AnySocket, _)| socket.statistics().peers.is_empty();
        self.sockets.iter().all(alone)
    }

    pub(super) fn serve<'s>(&'s self, scope: &'s Scope<'s, '_>, done: &'s Done) {
        for (socket, _) in &self.sockets {
            scope.spawn(move || match socket.socket_type() {
                SocketType::Pull => {
                    while let Ok(message) = socket.recv() {
                        // Theirs who do not linger begin with something else.
                        let counts = message.frame(0).is_some_and(|frame| **frame == *b"counted");
                        done.pulled.fetch_add(u64::from(counts), Ordering::Relaxed);
                        done.messages.fetch_add(1, Ordering::Relaxed);
                    }
                }
                SocketType::Pub => {
                    for number in 0.. {
                        let sent = socket.send(Message::from(&numbered(number, TICK)[..]));
                        if sent.is_err() || self.over.load(Ordering::Relaxed) {
                            break;
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                // Whoever asked is named by the first frame, or known to a REP.
                _ => {
                    while let Ok(message) = socket.recv() {
                        // One who has gone is told nothing.
                        let _ = socket.send(message);
                        done.messages.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    }

    pub(super) fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.sockets.iter().for_each(|(socket, _)| socket.close());
    }
}
