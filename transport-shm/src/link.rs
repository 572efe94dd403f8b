//! A connection: a stream over two rings, a bell, and a doorbell.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;

use ferromq_transport::{Endpoint, Link, Memory, PeerAddress, Wait};
use rustix::thread::sched_getcpu;

use crate::arena::Arena;
use crate::bell::Bell;
use crate::doorbell::Doorbell;
use crate::hello::{Greeting, Hello, Incoming, Refused};
use crate::kill_point::{KillPoint, passing};
use crate::lending::Lending;
use crate::ring::{Beginning, Corrupt, Moved, Stream};
use crate::segment::{Segment, View};

/// Which side of a connection a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Accepted,
    Connected,
}

pub(crate) struct ShmLink {
    pub(crate) bell: Bell,
    doorbell: Doorbell,
    pub(crate) lending: Lending,
    phase: Phase,
    peer: PeerAddress,
    role: Role,
    /// The caller looks again and again.
    polling: bool,
    /// A poller saw a hang-up that was not looked into.
    hangup: bool,
}

enum Phase {
    /// The peer's greeting is on its way.
    Greeting(Incoming, Ours),
    Open(Stream<Segment, View>),
    Shut,
}

/// Our memory while the peer's greeting is on its way.
enum Ours {
    /// Who connects sends it at once, and is answered.
    Sent(Beginning<Segment>, Hello),
    /// Who listens allocates nothing before the greeting; then a ring of so many
    /// bytes.
    Later(usize),
}

impl Ours {
    /// The memory, once the peer has greeted: sent before, or now.
    fn exchange(
        self,
        theirs: &Hello,
        bell: &mut Bell,
        doorbell: &mut Doorbell,
    ) -> io::Result<Beginning<Segment>> {
        match self {
            Self::Sent(beginning, hello) if theirs.answers == hello.epoch => Ok(beginning),
            Self::Sent(..) => Err(Refused::Epoch.into()),
            Self::Later(ring_len) => {
                let (segment, hello, memory) = Segment::new(ring_len, theirs.epoch)?;
                let chime = doorbell.prepare(bell.socket());
                // Who has gone already may have written something before.
                if hello.send(bell.socket(), &memory, chime).is_err() {
                    bell.look();
                }
                Ok(Beginning::new(segment))
            }
        }
    }
}

/// What a look that found nothing leads to.
enum Found {
    /// Something is there after all.
    Some,
    Nothing,
    TheEnd,
}

impl ShmLink {
    /// The listener's side.
    pub(crate) fn accepted(
        socket: OwnedFd,
        peer: PeerAddress,
        ring_len: usize,
        arena: Arc<Arena>,
    ) -> Self {
        let doorbell = Doorbell::with(&peer);
        let ours = Ours::Later(ring_len);
        Self::new(socket, peer, Role::Accepted, ours, doorbell, arena)
    }

    /// The side that connected and has sent `hello`.
    pub(crate) fn connected(
        socket: OwnedFd,
        peer: PeerAddress,
        mine: Segment,
        hello: Hello,
        doorbell: Doorbell,
        arena: Arc<Arena>,
    ) -> Self {
        let ours = Ours::Sent(Beginning::new(mine), hello);
        Self::new(socket, peer, Role::Connected, ours, doorbell, arena)
    }

    fn new(
        socket: OwnedFd,
        peer: PeerAddress,
        role: Role,
        ours: Ours,
        doorbell: Doorbell,
        arena: Arc<Arena>,
    ) -> Self {
        Self {
            bell: Bell::new(socket),
            doorbell,
            lending: Lending::new(arena),
            phase: Phase::Greeting(Incoming::new(), ours),
            peer,
            role,
            polling: false,
            hangup: false,
        }
    }

    /// The stream, once the greetings are exchanged. `None`: the link is over.
    ///
    /// # Errors
    /// `WouldBlock`: not yet.
    fn open(&mut self) -> io::Result<Option<&mut Stream<Segment, View>>> {
        if let Phase::Greeting(incoming, _) = &mut self.phase {
            let Greeting {
                hello: theirs,
                memory,
                chime,
            } = match incoming.receive(self.bell.socket()) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.phase = Phase::Shut;
                    return Ok(None);
                }
                received => received?,
            };
            passing(KillPoint::GreetingReceived);
            // Whatever is wrong with it, there is no second one.
            let Phase::Greeting(_, ours) = std::mem::replace(&mut self.phase, Phase::Shut) else {
                return Ok(None);
            };
            let view = View::new(&theirs, &memory)?;
            passing(KillPoint::PeerMapped);
            self.doorbell.accept(chime);
            let beginning = ours.exchange(&theirs, &mut self.bell, &mut self.doorbell)?;
            let (stream, ring) = beginning.meet(view);
            self.phase = Phase::Open(stream);
            if ring {
                self.bell.ring();
            }
        }
        match &mut self.phase {
            Phase::Open(stream) => Ok(Some(stream)),
            _ => Ok(None),
        }
    }

    /// Wakes the peer, which waits for input or for room.
    fn ring(&self, what: Awaited) {
        let pressed = match &self.phase {
            Phase::Open(stream) if what == Awaited::Input && stream.is_listened_to() => {
                self.doorbell.press()
            }
            _ => false,
        };
        if !pressed {
            self.bell.ring();
        }
    }

    /// Asks to be woken, and looks whether that may come too late.
    fn arm(&mut self, what: Awaited) -> io::Result<Found> {
        let Phase::Open(stream) = &mut self.phase else {
            return Ok(Found::TheEnd);
        };
        self.bell.sleeps();
        if what == Awaited::Input {
            self.doorbell.sleeps();
        }
        self.lending.learn_all(&mut self.bell)?;
        let ready = match what {
            Awaited::Input => stream.await_input(),
            Awaited::Room => stream.await_room(),
        };
        let ready = ready.map_err(broken)?;
        if !ready && std::mem::take(&mut self.hangup) {
            self.bell.look();
        }
        let over = stream.is_closed_by_peer() || self.bell.is_over();
        Ok(match what {
            // What was written before the end is still read.
            Awaited::Input if stream.has_input().map_err(broken)? => Found::Some,
            _ if over => Found::TheEnd,
            _ if ready => Found::Some,
            _ => Found::Nothing,
        })
    }

    fn read_into(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let room: usize = bufs.iter().map(|buf| buf.len()).sum();
        if self.open()?.is_none() {
            return Ok(0);
        }
        let mut read = 0;
        loop {
            let Phase::Open(stream) = &mut self.phase else {
                return Ok(read);
            };
            let Moved { bytes, ring } = stream.read(unfilled(bufs, read)).map_err(broken)?;
            if ring {
                self.ring(Awaited::Room);
            }
            read += bytes;
            if read == room || (self.polling && !self.hangup) {
                break;
            }
            // A read that leaves room promises an event for what comes next.
            match self.arm(Awaited::Input)? {
                Found::Some => {}
                Found::Nothing => break,
                Found::TheEnd if read == 0 => return self.end(),
                Found::TheEnd => return Ok(read),
            }
        }
        match read {
            0 if room > 0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(read),
        }
    }

    /// What is read where nothing more will be: the end, or why it is one.
    fn end(&self) -> io::Result<usize> {
        self.bell
            .broken()
            .map_or(Ok(0), |broken| Err(broken.into()))
    }

    /// Writes before the peer has greeted, as far as our memory goes.
    fn write_early(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = match &mut self.phase {
            Phase::Greeting(_, Ours::Sent(beginning, _)) => {
                beginning.write(bufs.iter().map(|buf| &buf[..]))
            }
            _ => 0,
        };
        match written {
            // The greeting makes the descriptor readable, and so writable as well.
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(written),
        }
    }

    fn write_from(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        if bufs.iter().all(|buf| buf.is_empty()) {
            return Ok(0);
        }
        match self.open() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return self.write_early(bufs);
            }
            opened => opened?.ok_or(io::ErrorKind::BrokenPipe)?,
        };
        loop {
            let Phase::Open(stream) = &mut self.phase else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            if stream.is_closed_by_peer() || self.bell.is_over() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let moved = stream.write(bufs.iter().map(|buf| &buf[..]));
            let Moved { bytes, ring } = moved.map_err(broken)?;
            if ring {
                self.ring(Awaited::Input);
            }
            if bytes > 0 {
                return Ok(bytes);
            }
            match self.arm(Awaited::Room)? {
                Found::Some => {}
                Found::Nothing => return Err(io::ErrorKind::WouldBlock.into()),
                Found::TheEnd => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Input,
    Room,
}

/// The parts of the buffers behind the first `filled` bytes.
fn unfilled<'a>(
    bufs: &'a mut [IoSliceMut<'_>],
    mut filled: usize,
) -> impl Iterator<Item = &'a mut [u8]> {
    bufs.iter_mut().map(move |buf| {
        let here = filled.min(buf.len());
        filled -= here;
        &mut buf[here..]
    })
}

fn broken(corrupt: Corrupt) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, corrupt)
}

impl Link for ShmLink {
    fn fd(&self) -> RawFd {
        self.bell.fd()
    }

    fn wake_fd(&self) -> Option<RawFd> {
        self.doorbell.fd()
    }

    fn wake_by_it(&mut self) {
        if let Phase::Open(stream) = &self.phase {
            stream.listen();
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_into(&mut [IoSliceMut::new(buf)])
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_into(bufs)
    }

    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_from(&[IoSlice::new(buf)])
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_from(bufs)
    }

    fn begin_polling(&mut self) {
        if let (false, Phase::Open(stream)) = (self.polling, &mut self.phase) {
            self.polling = true;
            stream.stop_awaiting_input();
        }
    }

    fn prepare_wait(&mut self) -> Wait {
        self.polling = false;
        match &self.phase {
            // The socket itself is waited for.
            Phase::Greeting(..) => return Wait::Sleep,
            Phase::Open(stream) => stream.tell_cpu(cpu()),
            Phase::Shut => {}
        }
        match self.arm(Awaited::Input) {
            Ok(Found::Nothing) => Wait::Sleep,
            // The next read tells.
            _ => Wait::Ready,
        }
    }

    fn handle_hangup(&mut self) {
        self.hangup = true;
    }

    fn shares_core(&self) -> bool {
        matches!(&self.phase, Phase::Open(stream) if stream.cpu_of_peer() == cpu())
    }

    fn peer(&self) -> &PeerAddress {
        &self.peer
    }

    fn memory(&mut self) -> Option<&mut dyn Memory> {
        Some(self)
    }

    fn local_endpoint(&self) -> Option<Endpoint> {
        (self.role == Role::Accepted).then(|| self.peer.endpoint.clone())
    }

    fn shutdown(&mut self) {
        match &mut self.phase {
            Phase::Greeting(_, Ours::Sent(beginning, _)) => beginning.close(),
            Phase::Open(stream) => stream.close(),
            _ => {}
        }
        // The peer has the ring mapped, and reads what lies in it.
        self.phase = Phase::Shut;
        passing(KillPoint::MemoryUnmapped);
        self.bell.shut_down();
    }
}

impl Drop for ShmLink {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn cpu() -> u32 {
    u32::try_from(sched_getcpu()).unwrap_or(u32::MAX)
}
