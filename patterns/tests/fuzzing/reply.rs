//! REP, frame by frame, against a model that counts frames.

use super::input::Input;
use super::support::Ids;
use ferromq_patterns::{
    Accept, Array, Pattern, Peer, PeerId, Reason, Rep, RepError, RepState, Requester,
};
use std::collections::{BTreeMap, BTreeSet};

/// Target `reply`: what peers send to a REP, and when it answers.
pub(crate) fn fuzz_reply(data: &[u8]) {
    assert_eq!(check(Input::new(data)), None, "the data ends the run");
}

#[derive(Default)]
struct Model {
    /// Whether a peer's delimiter was there, so that the body follows.
    peers: BTreeMap<PeerId, bool>,
    with_room: BTreeSet<PeerId>,
    readable: BTreeSet<PeerId>,
    /// Whether a reply is due, and to whom if the asker is there.
    due: Option<Option<PeerId>>,
}

impl Model {
    fn forget_request(&mut self, id: PeerId) {
        if self.due == Some(Some(id)) {
            self.due = Some(None);
        }
    }

    /// 28/REQREP: the frames up to the empty one go back, the others are the
    /// request, of which there is at least one.
    fn accept(&mut self, id: PeerId, frame: &[u8], more: bool) -> Accept {
        let Some(in_body) = self.peers.get_mut(&id) else {
            return Accept::Refuse(Reason::UnknownPeer);
        };
        match (*in_body, more) {
            (true, _) => {
                *in_body = more;
                Accept::Deliver
            }
            (false, true) => {
                *in_body = frame.is_empty();
                Accept::Stage
            }
            (false, false) => Accept::Refuse(Reason::MalformedRequest),
        }
    }

    fn route(&mut self) -> Result<PeerId, RepError> {
        let asker = self.due.take().ok_or(RepError::NoRequest)?;
        let asker = asker.ok_or(RepError::PeerGone)?;
        match self.with_room.contains(&asker) {
            true => Ok(asker),
            false => Err(RepError::PeerFull),
        }
    }
}

fn check(mut input: Input<'_>) -> Option<()> {
    let mut rep = Rep::new(Array::<Peer<Requester>, 3>::new());
    let (mut model, mut ids) = (Model::default(), Ids::default());
    loop {
        let action = input.byte()?;
        let id = ids.pick(input.byte()?);
        let known = model.peers.contains_key(&id);
        match action % 10 {
            0 => match rep.peer_attached(b"") {
                Ok(id) => {
                    ids.add(id);
                    model.peers.insert(id, false);
                }
                Err(_) => assert_eq!(model.peers.len(), 3),
            },
            1 => {
                rep.peer_detached(id);
                model.forget_request(id);
                model.peers.remove(&id);
                model.with_room.remove(&id);
                model.readable.remove(&id);
            }
            2 => {
                rep.link_lost(id);
                model.forget_request(id);
                model.peers.entry(id).and_modify(|in_body| *in_body = false);
            }
            3 => {
                rep.peer_has_room(id);
                model.with_room.extend(known.then_some(id));
            }
            4 => {
                rep.peer_full(id);
                model.with_room.remove(&id);
            }
            5 => {
                rep.peer_readable(id);
                model.readable.extend(known.then_some(id));
            }
            6 => {
                rep.peer_drained(id);
                model.readable.remove(&id);
            }
            7 => assert_eq!(rep.route(), model.route()),
            8 => {
                rep.delivered(id);
                if known && model.due.is_none() {
                    model.due = Some(Some(id));
                }
            }
            _ => {
                let (frame, more) = (input.bytes(4)?, input.flag()?);
                let expected = model.accept(id, frame, more);
                assert_eq!(rep.accept(id, frame, more), expected);
            }
        }
        let state = model.due.map_or(RepState::Receiving, RepState::Replying);
        assert_eq!(rep.state(), state);
        assert_eq!(rep.peers(), model.peers.len());
        match rep.next() {
            Some(next) => assert!(model.due.is_none() && model.readable.contains(&next)),
            None => assert!(model.due.is_some() || model.readable.is_empty()),
        }
    }
}
