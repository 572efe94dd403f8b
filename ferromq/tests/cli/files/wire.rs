//! A tcp connection that passes as many bytes as it is told, and breaks when it
//! is told: the way to stop a file in the middle without a clock.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// A listener that passes everything on, both ways.
pub(super) struct Wire {
    endpoint: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    target: Option<SocketAddr>,
    /// Bytes that may still pass towards the target.
    allowed: usize,
    links: Vec<TcpStream>,
    /// Counts breaks: a pump of an earlier one ends.
    breaks: u64,
}

impl Wire {
    /// A wire to this endpoint that passes so many bytes.
    pub(super) fn to(endpoint: &str, allowed: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            endpoint: format!("tcp://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
        };
        wire.lead_to(endpoint);
        wire.allow(allowed);
        let state = wire.state.clone();
        thread::spawn(move || {
            for link in listener.incoming() {
                state.connect(link.unwrap());
            }
        });
        wire
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Where further connections go.
    pub(super) fn lead_to(&self, endpoint: &str) {
        let address = endpoint.strip_prefix("tcp://").unwrap();
        self.state.inner.lock().unwrap().target = Some(address.parse().unwrap());
    }

    /// How many bytes may pass from now on.
    pub(super) fn allow(&self, bytes: usize) {
        self.state.inner.lock().unwrap().allowed = bytes;
        self.state.changed.notify_all();
    }

    /// Ends all connections.
    pub(super) fn cut(&self) {
        self.state.cut();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
    }
}

impl State {
    fn connect(self: &Arc<Self>, near: TcpStream) {
        let target = self.inner.lock().unwrap().target.unwrap();
        // Nobody there: the connection that came ends.
        let Ok(far) = TcpStream::connect(target) else {
            return;
        };
        let breaks = {
            let mut inner = self.inner.lock().unwrap();
            inner.links.push(near.try_clone().unwrap());
            inner.links.push(far.try_clone().unwrap());
            inner.breaks
        };
        let (mut back_from, mut back_to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        thread::spawn(move || {
            let _ = std::io::copy(&mut back_from, &mut back_to);
            let _ = back_to.shutdown(Shutdown::Both);
        });
        let state = self.clone();
        thread::spawn(move || state.pump(near, far, breaks));
    }

    fn pump(&self, mut near: TcpStream, mut far: TcpStream, breaks: u64) {
        let mut block = vec![0; 64 * 1024];
        while let Some(len) = self.pass(&mut near, &mut block, breaks) {
            if len == 0 || far.write_all(&block[..len]).is_err() {
                break;
            }
        }
        let _ = near.shutdown(Shutdown::Both);
        let _ = far.shutdown(Shutdown::Both);
    }

    /// Waits until something may pass, and reads as much.
    fn pass(&self, near: &mut TcpStream, block: &mut [u8], breaks: u64) -> Option<usize> {
        let allowed = {
            let inner = self.inner.lock().unwrap();
            let held = |inner: &mut Inner| inner.allowed == 0 && inner.breaks == breaks;
            let inner = self.changed.wait_while(inner, held).unwrap();
            (inner.breaks == breaks).then_some(inner.allowed)?
        };
        let most = allowed.min(block.len());
        let len = near.read(&mut block[..most]).ok()?;
        let mut inner = self.inner.lock().unwrap();
        inner.allowed = inner.allowed.saturating_sub(len);
        Some(len)
    }

    fn cut(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.breaks += 1;
        for link in inner.links.drain(..) {
            let _ = link.shutdown(Shutdown::Both);
        }
        drop(inner);
        self.changed.notify_all();
    }
}
