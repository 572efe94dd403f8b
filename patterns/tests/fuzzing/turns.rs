//! The machines that only spread and collect: PUSH, PULL, DEALER, PAIR, and what
//! CLIENT, SCATTER, GATHER and CHANNEL make of them. Against two queues of peers.

use super::input::Input;
use super::support::Ids;
use ferromq_patterns::{
    Accept, Array, AttachError, Dealer, Pair, Pattern, Peer, PeerId, Pull, Push, Reason,
};
use std::collections::VecDeque;

type Peers = Array<Peer, 4>;

/// Target `turns`. Settings: the machine.
pub(crate) fn fuzz_turns(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(machine) = input.byte() else { return };
    let peers = Peers::new();
    let end = match machine % 7 {
        0 => check(Push::new(peers), &Kind::new(4).sends_only(), input),
        1 => check(Pull::new(peers), &Kind::new(4).receives_only(), input),
        2 => check(
            Pull::gather(peers),
            &Kind::new(4).receives_only().single(),
            input,
        ),
        3 => check(Dealer::new(peers), &Kind::new(4), input),
        4 => check(Dealer::client(peers), &Kind::new(4).single(), input),
        5 => check(Pair::new(), &Kind::new(1), input),
        _ => check(Pair::channel(), &Kind::new(1).single(), input),
    };
    assert_eq!(end, None, "the data ends the run");
}

/// What a machine is for.
struct Kind {
    peers: usize,
    sends: bool,
    receives: bool,
    multipart: bool,
}

impl Kind {
    fn new(peers: usize) -> Self {
        Self {
            peers,
            sends: true,
            receives: true,
            multipart: true,
        }
    }

    fn sends_only(self) -> Self {
        Self {
            receives: false,
            ..self
        }
    }

    fn receives_only(self) -> Self {
        Self {
            sends: false,
            ..self
        }
    }

    fn single(self) -> Self {
        Self {
            multipart: false,
            ..self
        }
    }
}

/// What the machines have besides [`Pattern`].
trait Turns: Pattern {
    fn route(&mut self) -> Option<PeerId>;
    fn any_has_room(&self) -> bool;
    fn peers(&self) -> usize;
}

macro_rules! sends {
    ($($machine:ty),*) => {$(
        impl Turns for $machine {
            fn route(&mut self) -> Option<PeerId> {
                self.route()
            }

            fn any_has_room(&self) -> bool {
                self.any_has_room()
            }

            fn peers(&self) -> usize {
                self.peers()
            }
        }
    )*};
}

sends!(Push<Peers>, Dealer<Peers>, Pair);

impl Turns for Pull<Peers> {
    fn route(&mut self) -> Option<PeerId> {
        None
    }

    fn any_has_room(&self) -> bool {
        false
    }

    fn peers(&self) -> usize {
        self.peers()
    }
}

/// Whose turn it is, the next one in front.
#[derive(Default)]
struct Model {
    attached: Vec<PeerId>,
    with_room: VecDeque<PeerId>,
    readable: VecDeque<PeerId>,
}

fn check<M: Turns>(mut machine: M, kind: &Kind, mut input: Input<'_>) -> Option<()> {
    let (mut model, mut ids) = (Model::default(), Ids::default());
    loop {
        let action = input.byte()?;
        let id = ids.pick(input.byte()?);
        let known = model.attached.contains(&id);
        match action % 11 {
            0 => match machine.peer_attached(b"") {
                Ok(id) => {
                    ids.add(id);
                    model.attached.push(id);
                }
                Err(AttachError::Full | AttachError::SecondPeer) => {
                    assert_eq!(model.attached.len(), kind.peers);
                }
                Err(error) => panic!("{error}"),
            },
            1 => {
                machine.peer_detached(id);
                model.attached.retain(|other| *other != id);
                model.with_room.retain(|other| *other != id);
                model.readable.retain(|other| *other != id);
            }
            2 => machine.link_lost(id),
            3 => {
                machine.peer_readable(id);
                if known && kind.receives && !model.readable.contains(&id) {
                    model.readable.push_back(id);
                }
            }
            4 => {
                machine.peer_drained(id);
                model.readable.retain(|other| *other != id);
            }
            5 => {
                machine.peer_has_room(id);
                if known && kind.sends && !model.with_room.contains(&id) {
                    model.with_room.push_back(id);
                }
            }
            6 => {
                machine.peer_full(id);
                model.with_room.retain(|other| *other != id);
            }
            7 => {
                assert_eq!(machine.route(), model.with_room.front().copied());
                rotate(&mut model.with_room);
            }
            8 => {
                machine.delivered(id);
                if model.readable.front() == Some(&id) {
                    rotate(&mut model.readable);
                }
            }
            9 => {
                if let Some(next) = machine.next() {
                    machine.delivered(next);
                }
                rotate(&mut model.readable);
            }
            _ => {
                let more = input.flag()?;
                let expected = match known {
                    _ if !kind.receives => Accept::Refuse(Reason::SendOnly),
                    false => Accept::Refuse(Reason::UnknownPeer),
                    true if more && !kind.multipart => Accept::Refuse(Reason::WrongParts),
                    true => Accept::Deliver,
                };
                assert_eq!(machine.accept(id, &b"body"[..], more), expected);
            }
        }
        assert_eq!(machine.next(), model.readable.front().copied());
        assert_eq!(machine.any_has_room(), !model.with_room.is_empty());
        assert_eq!(machine.peers(), model.attached.len());
        for id in &model.attached {
            assert_eq!(machine.peer_at(id.index()), Some(*id));
        }
    }
}

fn rotate(queue: &mut VecDeque<PeerId>) {
    if !queue.is_empty() {
        queue.rotate_left(1);
    }
}
