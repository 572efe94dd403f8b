//! A REQ and a REP that talk to each other in a program without std, without
//! libc and without an allocator.
//!
//! ```text
//!   Req ──► Transmitter ──► wire, 4 KiB ──► Receiver ──► Rep
//!   Req ◄── Receiver    ◄── wire, 4 KiB ◄── Transmitter ◄── Rep
//! ```
//!
//! It proves at link time what `ferromq-wire` and `ferromq-patterns` claim, and
//! at run time that they work so: `cargo xtask no-std` builds it without
//! start-up code and libraries and runs it. All storage is one static; the exit
//! code is 0, or says which [`Step`] failed.
#![no_std]
#![no_main]

mod endpoint;
mod system;

use endpoint::{Endpoint, Step, Wire, handshake};
use ferromq_patterns::{Array, Correlation, Pattern, Peer, Rep, Replier, Req, Requester, Resend};
use ferromq_wire::SocketType;

/// Everything that the program needs, allocated statically.
struct World {
    asking: Endpoint,
    answering: Endpoint,
    to_asking: Wire,
    to_answering: Wire,
    req: Req<Array<Peer<Replier>, 1>>,
    rep: Rep<Array<Peer<Requester>, 1>>,
}

impl World {
    fn new() -> Result<Self, Step> {
        Ok(Self {
            asking: Endpoint::new(SocketType::Req)?,
            answering: Endpoint::new(SocketType::Rep)?,
            to_asking: Wire::new(),
            to_answering: Wire::new(),
            req: Req::new(Array::new(), Correlation::On, Resend::Strict, 7),
            rep: Rep::new(Array::new()),
        })
    }
}

static MEMORY: system::Place<World> = system::Place::new();

/// Called by the start-up code, once.
fn run() -> Result<(), Step> {
    let world = MEMORY.fill(World::new()?).ok_or(Step::Configure)?;
    handshake(
        &mut world.asking,
        &mut world.answering,
        &mut world.to_asking,
        &mut world.to_answering,
    )?;
    let asked = world.req.peer_attached(b"").map_err(|_| Step::Attach)?;
    let asker = world.rep.peer_attached(b"").map_err(|_| Step::Attach)?;
    world.req.peer_has_room(asked);
    world.rep.peer_has_room(asker);
    ask(world)?;
    answer(world)?;
    take_answer(world)
}

/// REQ sends its envelope and the question.
fn ask(world: &mut World) -> Result<(), Step> {
    world.req.route().map_err(|_| Step::Ask)?;
    let envelope = world.req.envelope();
    for frame in envelope.frames() {
        world.asking.send(frame, true, &mut world.to_answering)?;
    }
    world
        .asking
        .send(b"question", false, &mut world.to_answering)
}

/// REP keeps the envelope, reads the question and sends both kinds of frames
/// back.
fn answer(world: &mut World) -> Result<(), Step> {
    let peer = world.rep.peer_at(0).ok_or(Step::Answer)?;
    world.rep.peer_readable(peer);
    let request = world
        .answering
        .receive(&mut world.to_answering, |frame, more| {
            world.rep.accept(peer, frame, more)
        })?;
    if request.delivered() != b"question" || request.staged().len() != 2 {
        return Err(Step::Answer);
    }
    world.rep.delivered(peer);
    if world.rep.route() != Ok(peer) {
        return Err(Step::Answer);
    }
    for staged in request.staged() {
        world
            .answering
            .send(staged.body(), true, &mut world.to_asking)?;
    }
    world.answering.send(b"answer", false, &mut world.to_asking)
}

/// REQ takes the answer to the request that it asked.
fn take_answer(world: &mut World) -> Result<(), Step> {
    let peer = world.req.peer_at(0).ok_or(Step::TakeAnswer)?;
    world.req.peer_readable(peer);
    let reply = world.asking.receive(&mut world.to_asking, |frame, more| {
        world.req.accept(peer, frame, more)
    })?;
    if reply.delivered() != b"answer" {
        return Err(Step::TakeAnswer);
    }
    world.req.delivered(peer);
    if world.req.may_send() {
        Ok(())
    } else {
        Err(Step::TakeAnswer)
    }
}
