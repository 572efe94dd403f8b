//! A pyzmq process on remote control.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Once;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Watchdog, until};

/// Where `cargo xtask interop` says which interpreter has pyzmq.
const PYTHON: &str = "FERROMQ_PYTHON";

/// A Python process with real ZeroMQ sockets in it.
#[derive(Debug)]
pub struct ZmqPeer {
    process: Child,
    pipes: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    _watchdog: Watchdog,
}

/// One of its sockets.
#[derive(Debug, Clone, Copy)]
pub struct ZmqSocket<'a> {
    peer: &'a ZmqPeer,
    number: u64,
}

impl ZmqPeer {
    /// Starts a process, or says once how to enable these tests and answers
    /// `None`.
    #[must_use]
    pub fn start() -> Option<Self> {
        let Some(python) = std::env::var_os(PYTHON) else {
            say_how_to_enable();
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/zmq_peer.py");
        let mut process = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{PYTHON} cannot be run: {error}"));
        let input = process.stdin.take().expect("it is piped");
        let output = process.stdout.take().expect("it is piped");
        let pipes = RefCell::new((input, BufReader::new(output)));
        Some(Self {
            process,
            pipes,
            _watchdog: Watchdog::start(),
        })
    }

    /// Makes a socket with default options.
    #[must_use]
    pub fn socket(&self, socket_type: &str) -> ZmqSocket<'_> {
        self.socket_with(socket_type, json!({}))
    }

    /// Makes a socket; options by their C names, without `ZMQ_`.
    #[must_use]
    pub fn socket_with(&self, socket_type: &str, options: Value) -> ZmqSocket<'_> {
        let made = self.call(json!({"op": "socket", "type": socket_type, "options": options}));
        ZmqSocket {
            peer: self,
            number: made.as_u64().expect("a number"),
        }
    }

    /// Sends a command whose answer is read by [`answer`](Self::answer), for
    /// what blocks over there until something happens here.
    pub fn begin(&self, command: &Value) {
        let (input, _) = &mut *self.pipes.borrow_mut();
        writeln!(input, "{command}")
            .and_then(|()| input.flush())
            .expect("the peer lives");
    }

    /// Reads the answer to the oldest command begun.
    pub fn answer(&self) -> Value {
        let (_, output) = &mut *self.pipes.borrow_mut();
        let mut line = String::new();
        output.read_line(&mut line).expect("the peer lives");
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("not an answer: {error}: {line:?}"));
        assert!(
            answer.get("error").is_none(),
            "the peer says {}",
            answer["error"]
        );
        answer["ok"].take()
    }

    /// Lets PLAIN clients in with this name and password only.
    pub fn authenticate(&self, username: &str, password: &str) {
        self.call(json!({"op": "authenticate", "username": username, "password": password}));
    }

    /// Lets CURVE clients with these keys (in Z85) into the ZAP domain `tests`,
    /// unless they are at one of these addresses.
    pub fn authenticate_curve(&self, keys: &[String], denied: &[&str]) {
        self.call(json!({"op": "authenticate_curve", "keys": keys, "denied": denied}));
    }

    /// Answers every ZAP request with this status, as user `ann`.
    pub fn reply_to_zap(&self, status: &str) {
        self.call(json!({"op": "reply_to_zap", "status": status}));
    }

    /// How many ZAP requests that were.
    #[must_use]
    pub fn zap_requests(&self) -> u64 {
        let count = self.call(json!({"op": "zap_requests"}));
        count.as_u64().expect("a count")
    }

    /// Has pyzmq's own ZAP handler serve whoever connects with a DEALER; where.
    /// It knows one user, by a password, and the owners of these keys (in Z85),
    /// in the domain `tests`.
    #[must_use]
    pub fn serve_zap(&self, (username, password): (&str, &str), keys: &[String]) -> String {
        let passwords = json!({username: password});
        let at = self.call(json!({"op": "serve_zap", "passwords": passwords, "keys": keys}));
        at.as_str().expect("an endpoint").to_owned()
    }

    /// Passes messages on between two sockets from now on, as libzmq's
    /// `zmq_proxy_steerable` does; nothing else may be done with them.
    pub fn proxy(
        &self,
        frontend: ZmqSocket<'_>,
        backend: ZmqSocket<'_>,
        control: Option<ZmqSocket<'_>>,
    ) {
        let control = control.map(|control| control.number);
        let (frontend, backend) = (frontend.number, backend.number);
        self.call(
            json!({"op": "proxy", "frontend": frontend, "backend": backend, "control": control}),
        );
    }

    fn call(&self, command: Value) -> Value {
        self.begin(&command);
        self.answer()
    }

    /// Ends the process at once, as a crash would.
    pub fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }
}

impl Drop for ZmqPeer {
    fn drop(&mut self) {
        // Both fail only when it is gone already, which is what we want.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl ZmqSocket<'_> {
    fn call(&self, operation: &str, arguments: Value) -> Value {
        self.peer.call(self.command(operation, arguments))
    }

    fn command(&self, operation: &str, mut arguments: Value) -> Value {
        arguments["op"] = operation.into();
        arguments["socket"] = self.number.into();
        arguments
    }

    /// Starts an operation whose answer [`ZmqPeer::answer`] reads.
    pub fn begin(&self, operation: &str, arguments: Value) {
        self.peer.begin(&self.command(operation, arguments));
    }

    /// Binds; the endpoint with its wildcard filled in.
    pub fn bind(&self, endpoint: &str) -> String {
        let bound = self.call("bind", json!({"endpoint": endpoint}));
        bound.as_str().expect("an endpoint").to_owned()
    }

    /// Connects.
    pub fn connect(&self, endpoint: &str) {
        self.call("connect", json!({"endpoint": endpoint}));
    }

    /// Disconnects.
    pub fn disconnect(&self, endpoint: &str) {
        self.call("disconnect", json!({"endpoint": endpoint}));
    }

    /// Sets a bytes option, such as SUBSCRIBE.
    pub fn set_bytes(&self, name: &str, value: &[u8]) {
        self.call(
            "option",
            json!({"name": name, "value": format!("hex:{}", hex(value))}),
        );
    }

    /// Sends one message.
    pub fn send<P: AsRef<[u8]>>(&self, parts: &[P]) {
        let parts: Vec<String> = parts.iter().map(|part| hex(part.as_ref())).collect();
        self.call("send", json!({"parts": parts}));
    }

    /// Receives one message.
    #[must_use]
    pub fn recv(&self) -> Vec<Vec<u8>> {
        unhex_all(&self.call("recv", json!({})))
    }

    /// Whether something can be received within so many milliseconds.
    #[must_use]
    pub fn poll(&self, milliseconds: u64) -> bool {
        self.call("poll", json!({"milliseconds": milliseconds}))
            .as_bool()
            .expect("yes or no")
    }

    /// Calls into the socket over and over until `condition` answers.
    ///
    /// libzmq's SUB and XSUB write their subscriptions to a new connection only
    /// when the application calls them next.
    pub fn speak_up_until<T>(&self, mut condition: impl FnMut() -> Option<T>) -> T {
        until("the subscription was written", || {
            let _ = self.poll(1);
            condition()
        })
    }

    /// Receives a message; these properties of its first frame.
    #[must_use]
    pub fn properties(&self, names: &[&str]) -> Value {
        self.call("properties", json!({"names": names}))
    }

    /// Sends a body of so many bytes; the hash of them.
    #[must_use]
    pub fn send_payload(&self, size: usize, seed: u64) -> String {
        let sent = self.call("send_payload", json!({"size": size, "seed": seed}));
        sent["sha256"].as_str().expect("a hash").to_owned()
    }

    /// Receives one message: the lengths of its frames and the hash of all.
    #[must_use]
    pub fn recv_digest(&self) -> (Vec<u64>, String) {
        let received = self.call("recv_digest", json!({}));
        let lengths = received["lengths"].as_array().expect("lengths");
        let lengths = lengths
            .iter()
            .map(|len| len.as_u64().expect("a length"))
            .collect();
        (
            lengths,
            received["sha256"].as_str().expect("a hash").to_owned(),
        )
    }

    /// Receives until a message whose last frame is `last`; the last frames of
    /// the messages before it.
    #[must_use]
    pub fn recv_until(&self, last: &[u8]) -> Vec<Vec<u8>> {
        unhex_all(&self.call("recv_until", json!({"last": hex(last)})))
    }

    /// Starts to send `prefix` and a running number, over and over.
    pub fn start_flow(&self, prefix: &[u8]) {
        self.call("flow", json!({"prefix": hex(prefix)}));
    }

    /// Ends that; how many were sent.
    pub fn stop_flow(&self) -> u64 {
        self.call("stop_flow", json!({})).as_u64().expect("a count")
    }

    /// Closes the socket, discarding what it has not sent.
    pub fn close(&self) {
        self.call("close", json!({}));
    }
}

/// `size` bytes that depend on `seed` and do not repeat.
#[must_use]
pub fn payload(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(size.next_multiple_of(8));
    while bytes.len() < size {
        // Xorshift (Marsaglia): fast, and no two of its words alike.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// The SHA-256 of these bytes, in hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        })
}

fn unhex_all(parts: &Value) -> Vec<Vec<u8>> {
    let unhex = |part: &Value| {
        let digits = part.as_str().expect("hexadecimal digits").as_bytes();
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        };
        digits.chunks(2).map(byte).collect()
    };
    parts
        .as_array()
        .expect("a list")
        .iter()
        .map(unhex)
        .collect()
}

/// Past libtest's capture, because the test that is skipped passes.
fn say_how_to_enable() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let note = "interoperation with pyzmq is skipped; to run it: cargo xtask interop\n";
        std::io::stderr()
            .write_all(note.as_bytes())
            .expect("standard error");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_go_both_ways() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex_all(&json!([hex(&bytes), ""])), [bytes, Vec::new()]);
    }

    #[test]
    fn a_payload_has_its_size_and_depends_on_its_seed() {
        assert_eq!(payload(13, 7).len(), 13);
        assert_ne!(payload(64, 7), payload(64, 9));
    }
}
