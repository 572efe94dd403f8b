//! PUSH, PULL, DEALER and PAIR, and what SCATTER, GATHER, CLIENT and CHANNEL make
//! of them, against queues of peers, over every storage.

use std::collections::VecDeque;

use ferromq_patterns::{
    Accept, Array, AttachError, Dealer, Pair, Pattern, Peer, PeerId, Pull, Push, Reason, Storage,
};
use proptest::prelude::*;

use crate::support::{Chunks, Flaky, Ids, Script};

/// Peers that every storage here has room for.
const PEERS: usize = 5;

/// A machine whose sides can be told.
trait Machine: Pattern {
    const SENDS: bool;
    const RECEIVES: bool;
    /// Most peers, and what a further one is told.
    const LIMIT: (usize, AttachError) = (PEERS, AttachError::Full);
    fn route(&mut self) -> Option<PeerId>;
    fn peers(&self) -> usize;
}

impl<S: Storage<Peer>> Machine for Push<S> {
    const SENDS: bool = true;
    const RECEIVES: bool = false;

    fn route(&mut self) -> Option<PeerId> {
        let expected = self.any_has_room();
        let peer = Push::route(self);
        assert_eq!(peer.is_some(), expected);
        peer
    }

    fn peers(&self) -> usize {
        Push::peers(self)
    }
}

impl<S: Storage<Peer>> Machine for Pull<S> {
    const SENDS: bool = false;
    const RECEIVES: bool = true;

    fn route(&mut self) -> Option<PeerId> {
        None
    }

    fn peers(&self) -> usize {
        Pull::peers(self)
    }
}

impl<S: Storage<Peer>> Machine for Dealer<S> {
    const SENDS: bool = true;
    const RECEIVES: bool = true;

    fn route(&mut self) -> Option<PeerId> {
        let expected = self.any_has_room();
        let peer = Dealer::route(self);
        assert_eq!(peer.is_some(), expected);
        peer
    }

    fn peers(&self) -> usize {
        Dealer::peers(self)
    }
}

impl Machine for Pair {
    const SENDS: bool = true;
    const RECEIVES: bool = true;
    const LIMIT: (usize, AttachError) = (1, AttachError::SecondPeer);

    fn route(&mut self) -> Option<PeerId> {
        let expected = self.any_has_room();
        let peer = Pair::route(self);
        assert_eq!(peer.is_some(), expected);
        peer
    }

    fn peers(&self) -> usize {
        Pair::peers(self)
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Attached,
    Detached(u8),
    LinkLost(u8),
    HasRoom(u8),
    Full(u8),
    Readable(u8),
    Drained(u8),
    Route,
    Take,
    Delivered(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Attached),
        1 => any::<u8>().prop_map(Event::Detached),
        1 => any::<u8>().prop_map(Event::LinkLost),
        4 => any::<u8>().prop_map(Event::HasRoom),
        1 => any::<u8>().prop_map(Event::Full),
        4 => any::<u8>().prop_map(Event::Readable),
        1 => any::<u8>().prop_map(Event::Drained),
        4 => Just(Event::Route),
        4 => Just(Event::Take),
        1 => any::<u8>().prop_map(Event::Delivered),
    ]
}

/// The same with queues.
#[derive(Debug, Default)]
struct Model {
    attached: Vec<PeerId>,
    ready: VecDeque<PeerId>,
    readable: VecDeque<PeerId>,
}

impl Model {
    fn enter(queue: &mut VecDeque<PeerId>, attached: &[PeerId], id: PeerId) {
        if attached.contains(&id) && !queue.contains(&id) {
            queue.push_back(id);
        }
    }
}

/// How many frames inbound messages may have.
#[derive(Clone, Copy, PartialEq)]
enum Frames {
    Any,
    One,
}

/// Whether a refused attachment must be for want of room.
#[derive(Clone, Copy, PartialEq)]
enum Refusals {
    AtLimit,
    AnyTime,
}

fn check<M: Machine>(mut machine: M, frames: Frames, refusals: Refusals, events: &[Event]) {
    let (mut model, mut ids) = (Model::default(), Ids::default());
    for &event in events {
        match event {
            Event::Take => take(&mut machine, &mut model, frames),
            event => apply(&mut machine, &mut model, &mut ids, refusals, event),
        }
        assert_eq!(machine.peers(), model.attached.len());
        let front = if M::RECEIVES {
            model.readable.front().copied()
        } else {
            None
        };
        assert_eq!(machine.next(), front, "after {event:?}");
        let mut walked: Vec<_> = (0..machine.peer_slots())
            .filter_map(|i| machine.peer_at(i))
            .collect();
        let mut attached = model.attached.clone();
        walked.sort();
        attached.sort();
        assert_eq!(walked, attached);
    }
}

fn apply<M: Machine>(
    machine: &mut M,
    model: &mut Model,
    ids: &mut Ids,
    refusals: Refusals,
    event: Event,
) {
    match event {
        Event::Attached => match machine.peer_attached(b"ignored") {
            Ok(id) => {
                ids.add(id);
                assert!(
                    model
                        .attached
                        .iter()
                        .all(|other| other.index() != id.index())
                );
                assert!(id.index() < PEERS, "slots are dense");
                model.attached.push(id);
            }
            Err(error) => {
                assert_eq!(error, M::LIMIT.1);
                assert!(refusals == Refusals::AnyTime || model.attached.len() == M::LIMIT.0);
            }
        },
        Event::Detached(i) => {
            let id = ids.pick(i);
            machine.peer_detached(id);
            model.attached.retain(|other| *other != id);
            model.ready.retain(|other| *other != id);
            model.readable.retain(|other| *other != id);
        }
        Event::LinkLost(i) => machine.link_lost(ids.pick(i)),
        Event::HasRoom(i) => {
            machine.peer_has_room(ids.pick(i));
            Model::enter(&mut model.ready, &model.attached, ids.pick(i));
        }
        Event::Full(i) => {
            machine.peer_full(ids.pick(i));
            model.ready.retain(|other| *other != ids.pick(i));
        }
        Event::Readable(i) => {
            machine.peer_readable(ids.pick(i));
            Model::enter(&mut model.readable, &model.attached, ids.pick(i));
        }
        Event::Drained(i) => {
            machine.peer_drained(ids.pick(i));
            model.readable.retain(|other| *other != ids.pick(i));
        }
        // C86, C61, C84: the peers with room in turn, nobody without.
        Event::Route => {
            let front = if M::SENDS {
                model.ready.front().copied()
            } else {
                None
            };
            assert_eq!(machine.route(), front);
            if M::SENDS && !model.ready.is_empty() {
                model.ready.rotate_left(1);
            }
        }
        Event::Take => unreachable!("is taken elsewhere"),
        Event::Delivered(i) => {
            machine.delivered(ids.pick(i));
            if model.readable.front() == Some(&ids.pick(i)) {
                model.readable.rotate_left(1);
            }
        }
    }
}

/// C86: whole messages from the readable peers in turn. Where they have one frame,
/// one of several is refused, and its peer keeps its turn.
fn take<M: Machine>(machine: &mut M, model: &mut Model, frames: Frames) {
    let Some(id) = machine.next() else { return };
    let first = match frames {
        Frames::Any => Accept::Deliver,
        Frames::One => Accept::Refuse(Reason::WrongParts),
    };
    assert_eq!(machine.accept(id, b"part", true), first);
    assert_eq!(machine.next(), Some(id), "a message is taken whole");
    assert_eq!(machine.accept(id, b"end", false), Accept::Deliver);
    machine.delivered(id);
    model.readable.rotate_left(1);
}

/// One test a machine: the same events over every storage.
macro_rules! over_every_storage {
    ($($name:ident: $machine:ident::$new:ident, $frames:ident;)*) => { proptest! { $(
        #[test]
        fn $name(events in prop::collection::vec(event(), 0..200), bits in any::<u64>()) {
            check($machine::$new(Array::<Peer, PEERS>::new()), Frames::$frames, Refusals::AtLimit, &events);
            check($machine::$new(heapless::Vec::<Peer, PEERS>::new()), Frames::$frames, Refusals::AtLimit, &events);
            check($machine::$new(Chunks::with_limit(PEERS)), Frames::$frames, Refusals::AtLimit, &events);
            // Refuses some of the five slots' growths, then repeats itself.
            let script = Script::new(bits);
            let mut flaky = Flaky::new(&script);
            let limited = Limited(&mut flaky);
            check($machine::$new(limited), Frames::$frames, Refusals::AnyTime, &events);
        }
    )* } }
}

over_every_storage! {
    push_alternates: Push::new, Any;
    pull_queues_fairly: Pull::new, Any;
    gather_queues_single_frames_fairly: Pull::gather, One;
    dealer_does_both: Dealer::new, Any;
    client_does_both_with_single_frames: Dealer::client, One;
}

proptest! {
    #[test]
    fn pair_and_channel_have_one_peer(events in prop::collection::vec(event(), 0..200)) {
        check(Pair::new(), Frames::Any, Refusals::AtLimit, &events);
        check(Pair::channel(), Frames::One, Refusals::AtLimit, &events);
    }
}

/// A flaky storage that ends where the others do.
struct Limited<'a>(&'a mut Flaky<Peer>);

impl Storage<Peer> for Limited<'_> {
    fn get(&self, i: usize) -> Option<&Peer> {
        self.0.get(i)
    }

    fn get_mut(&mut self, i: usize) -> Option<&mut Peer> {
        self.0.get_mut(i)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn grow(&mut self, len: usize) -> Result<(), ferromq_patterns::Full> {
        if len > PEERS {
            Err(ferromq_patterns::Full)
        } else {
            self.0.grow(len)
        }
    }

    fn shrink(&mut self, len: usize) {
        self.0.shrink(len);
    }
}

#[test]
fn push_refuses_what_its_peers_send() {
    let mut push = Push::new(Array::<Peer, 1>::new());
    let id = push.peer_attached(b"").unwrap();
    push.peer_readable(id);
    assert_eq!(push.next(), None);
    assert_eq!(
        push.accept(id, b"x", false),
        Accept::Refuse(Reason::SendOnly)
    );
}
