//! REQ, frame by frame: what it lets through is one whole reply a request, of the
//! peer that was asked, to the request that was asked last.

use super::input::Input;
use super::support::Ids;
use ferromq_patterns::{
    Accept, Array, Correlation, Pattern, Peer, PeerId, Replier, Req, ReqError, ReqState, Resend,
};
use std::collections::{BTreeMap, BTreeSet};

type Machine = Req<Array<Peer<Replier>, 3>>;

/// Target `request`: what peers send to a REQ, and when. Settings: correlation and
/// resending.
pub(crate) fn fuzz_request(data: &[u8]) {
    let mut input = Input::new(data);
    let Some(settings) = input.byte() else { return };
    let correlation = match settings & 1 {
        0 => Correlation::Off,
        _ => Correlation::On,
    };
    let resend = match settings & 2 {
        0 => Resend::Strict,
        _ => Resend::Relaxed,
    };
    let bench = Bench {
        req: Req::new(Array::new(), correlation, resend, 1),
        ids: Ids::default(),
        correlation,
        resend,
        peers: BTreeMap::new(),
        with_room: BTreeSet::new(),
        requests: 0,
        answered: false,
    };
    assert_eq!(bench.run(input), None, "the data ends the run");
}

/// The frames of a message that the machine has not refused so far.
#[derive(Default)]
struct Message {
    frames: Vec<Vec<u8>>,
    /// The requests there were when it began.
    began: u32,
}

struct Bench {
    req: Machine,
    ids: Ids,
    correlation: Correlation,
    resend: Resend,
    peers: BTreeMap<PeerId, Message>,
    with_room: BTreeSet<PeerId>,
    requests: u32,
    /// Whether the last request has its whole reply.
    answered: bool,
}

impl Bench {
    fn run(mut self, mut input: Input<'_>) -> Option<()> {
        loop {
            let action = input.byte()?;
            let id = self.ids.pick(input.byte()?);
            match action % 11 {
                0 => match self.req.peer_attached(b"") {
                    Ok(id) => {
                        self.ids.add(id);
                        self.peers.insert(id, Message::default());
                    }
                    Err(_) => assert_eq!(self.peers.len(), 3),
                },
                1 => self.detach(id),
                2 => {
                    self.req.link_lost(id);
                    self.peers.entry(id).and_modify(|it| it.frames.clear());
                }
                3 => {
                    self.req.peer_has_room(id);
                    let known = self.peers.contains_key(&id);
                    self.with_room.extend(known.then_some(id));
                }
                4 => {
                    self.req.peer_full(id);
                    self.with_room.remove(&id);
                }
                5 => self.req.peer_readable(id),
                6 => self.req.peer_drained(id),
                7 => self.route(),
                8 => self.deliver(id),
                _ => {
                    let frame = self.frame(&mut input)?;
                    let more = input.flag()?;
                    self.accept(id, frame, more);
                }
            }
            let may = self.may_route() && !self.with_room.is_empty();
            assert_eq!(self.req.may_send(), may);
            assert_eq!(self.req.peers(), self.peers.len());
            let next = self.req.next();
            assert!(next.is_none_or(|next| self.peers.contains_key(&next)));
            assert!(next.is_none() || self.req.check_receive().is_ok());
        }
    }

    /// A frame that often is what the machine waits for.
    fn frame(&self, input: &mut Input<'_>) -> Option<Vec<u8>> {
        Some(match input.byte()? % 4 {
            0 => Vec::new(),
            1 => self.requests.to_be_bytes().to_vec(),
            2 => self.requests.wrapping_sub(1).to_be_bytes().to_vec(),
            _ => input.bytes(6)?.to_vec(),
        })
    }

    fn may_route(&self) -> bool {
        let idle = matches!(self.req.state(), ReqState::Ready | ReqState::Orphaned);
        idle || self.resend == Resend::Relaxed
    }

    fn route(&mut self) {
        let (may, before) = (self.may_route(), self.req.state());
        match self.req.route() {
            Ok(peer) => {
                assert!(may && self.with_room.contains(&peer));
                assert_eq!(self.req.state(), ReqState::Awaiting(peer));
                (self.requests, self.answered) = (self.requests + 1, false);
                let envelope = self.req.envelope();
                let frames: Vec<_> = envelope.frames().collect();
                let id = self.requests.to_be_bytes();
                match self.correlation {
                    Correlation::On => assert_eq!(frames, [&id[..], b""]),
                    Correlation::Off => assert_eq!(frames, [b""]),
                }
            }
            Err(ReqError::AwaitingReply) => assert!(!may),
            Err(error) => {
                assert_eq!(error, ReqError::NoPeer);
                assert!(may && self.with_room.is_empty());
                assert_eq!(self.req.state(), before, "nothing has changed");
            }
        }
        let abandoned = self.req.poll_abandoned();
        assert!(abandoned.is_none_or(|id| self.peers.contains_key(&id)));
        assert_eq!(self.req.poll_abandoned(), None, "told once");
    }

    fn detach(&mut self, id: PeerId) {
        let asked = matches!(self.req.state(),
            ReqState::Awaiting(peer) | ReqState::Answered(peer) if peer == id);
        let before = self.req.state();
        self.req.peer_detached(id);
        self.peers.remove(&id);
        self.with_room.remove(&id);
        let expected = if asked { ReqState::Orphaned } else { before };
        assert_eq!(self.req.state(), expected);
    }

    fn deliver(&mut self, id: PeerId) {
        let before = self.req.state();
        self.req.delivered(id);
        let answered = before == ReqState::Answered(id);
        let expected = if answered { ReqState::Ready } else { before };
        assert_eq!(self.req.state(), expected);
    }

    fn accept(&mut self, id: PeerId, frame: Vec<u8>, more: bool) {
        let before = self.req.state();
        let accept = self.req.accept(id, frame.as_slice(), more);
        let Some(message) = self.peers.get_mut(&id) else {
            return assert!(matches!(accept, Accept::Refuse(_)));
        };
        if message.frames.is_empty() {
            message.began = self.requests;
        }
        match accept {
            Accept::Refuse(_) => {
                message.frames.clear();
                return assert_eq!(self.req.state(), before);
            }
            Accept::Consume => assert!(more, "there is no reply without a body"),
            Accept::Deliver => {
                assert_eq!(before, ReqState::Awaiting(id), "only who was asked replies");
                assert_eq!(message.began, self.requests, "a late reply");
                let id = self.requests.to_be_bytes().to_vec();
                match self.correlation {
                    Correlation::On => assert_eq!(message.frames[..2], [id, vec![]]),
                    Correlation::Off => assert_eq!(message.frames[0], b""),
                }
            }
            other => panic!("no answer for a reply: {other:?}"),
        }
        message.frames.push(frame);
        if !more {
            message.frames.clear();
            assert!(!self.answered, "a second reply");
            self.answered = true;
            assert_eq!(self.req.state(), ReqState::Answered(id));
        }
    }
}
