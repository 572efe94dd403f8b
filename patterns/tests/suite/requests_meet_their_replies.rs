//! REQ and REP, frame by frame, against models that see whole messages.

use ferromq_patterns::{
    Accept, Array, Correlation, Pattern, Peer, PeerId, Rep, RepError, Replier, Req, ReqError,
    ReqState, Requester, Resend, Storage,
};
use proptest::prelude::*;

use crate::support::{Chunks, Ids};

const PEERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Event {
    Attached,
    Detached(u8),
    LinkLost(u8),
    HasRoom(u8),
    Full(u8),
    Route,
    /// A peer begins a message of one of some shapes, or goes on with it.
    Frame(u8, Shape),
    Delivered(u8),
}

/// What a message looks like, if the peer is not in the middle of one.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// What a good peer sends, with so many parts of the body.
    Good(u8),
    /// A correct delimiter, but another request's id.
    OtherId,
    NoDelimiter,
    NoBody,
    /// So many frames before the delimiter.
    Hops(u8),
}

fn event() -> impl Strategy<Value = Event> {
    let shape = prop_oneof![
        6 => (1..4u8).prop_map(Shape::Good),
        1 => Just(Shape::OtherId),
        1 => Just(Shape::NoDelimiter),
        1 => Just(Shape::NoBody),
        2 => (0..40u8).prop_map(Shape::Hops),
    ];
    prop_oneof![
        2 => Just(Event::Attached),
        1 => any::<u8>().prop_map(Event::Detached),
        1 => any::<u8>().prop_map(Event::LinkLost),
        3 => any::<u8>().prop_map(Event::HasRoom),
        1 => any::<u8>().prop_map(Event::Full),
        4 => Just(Event::Route),
        20 => (any::<u8>(), shape).prop_map(|(i, shape)| Event::Frame(i, shape)),
        3 => any::<u8>().prop_map(Event::Delivered),
    ]
}

/// A message that a peer is in the middle of.
#[derive(Clone, Debug)]
struct InFlight {
    peer: PeerId,
    frames: Vec<Vec<u8>>,
    sent: usize,
    /// The machine's requests when it began.
    began: u64,
    /// What the machine let through so far; `None` once it refused.
    staged: Vec<Vec<u8>>,
    passed: Option<Vec<Vec<u8>>>,
}

/// Messages in flight; each peer has one at most.
#[derive(Default)]
struct Wires(Vec<InFlight>);

impl Wires {
    fn cut(&mut self, id: PeerId) {
        self.0.retain(|message| message.peer != id);
    }

    /// Feeds the peer's next frame. Gives the message once its last frame was fed.
    fn feed<M: Pattern>(&mut self, machine: &mut M, new: InFlight) -> Option<InFlight> {
        let at = match self.0.iter().position(|message| message.peer == new.peer) {
            Some(at) => at,
            None => {
                self.0.push(new);
                self.0.len() - 1
            }
        };
        let message = &mut self.0[at];
        let frame = message.frames[message.sent].clone();
        message.sent += 1;
        let more = message.sent < message.frames.len();
        if let Some(passed) = &mut message.passed {
            match machine.accept(message.peer, &frame[..], more) {
                Accept::Deliver => passed.push(frame),
                Accept::Stage => message.staged.push(frame),
                Accept::Consume => {}
                Accept::Refuse(_) => message.passed = None,
                other => panic!("no answer for a request: {other:?}"),
            }
        }
        (!more).then(|| self.0.remove(at))
    }
}

fn frames(shape: Shape, id: Option<&[u8]>) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = id.map(<[u8]>::to_vec).into_iter().collect();
    match shape {
        Shape::Good(parts) => {
            frames.push(vec![]);
            frames.extend((0..parts).map(|i| vec![i; usize::from(i)]));
        }
        Shape::OtherId => frames = vec![b"else".to_vec(), vec![], b"body".to_vec()],
        Shape::NoDelimiter => frames.extend([b"body".to_vec(), b"body".to_vec()]),
        Shape::NoBody => frames.push(vec![]),
        Shape::Hops(hops) => {
            frames = (0..hops).map(|i| vec![i + 1]).collect();
            frames.extend([vec![], b"body".to_vec(), vec![]]);
        }
    }
    frames
}

fn check_req<S: Storage<Peer<Replier>>>(
    storage: S,
    (correlation, resend): (Correlation, Resend),
    events: &[Event],
) {
    let mut req = Req::new(storage, correlation, resend, 1);
    let mut ids = Ids::default();
    let (mut attached, mut with_room): (Vec<PeerId>, Vec<PeerId>) = (vec![], vec![]);
    let mut wires = Wires::default();
    // The model: how many requests there were, who was asked last, and how far it is.
    let (mut requests, mut state) = (0, ReqState::Ready);
    for &event in events {
        match event {
            Event::Attached => match req.peer_attached(b"") {
                Ok(id) => {
                    ids.add(id);
                    attached.push(id);
                }
                Err(_) => assert_eq!(attached.len(), PEERS),
            },
            Event::Detached(i) => {
                let id = ids.pick(i);
                req.peer_detached(id);
                attached.retain(|other| *other != id);
                with_room.retain(|other| *other != id);
                wires.cut(id);
                if [ReqState::Awaiting(id), ReqState::Answered(id)].contains(&state) {
                    state = ReqState::Orphaned;
                }
            }
            Event::LinkLost(i) => {
                req.link_lost(ids.pick(i));
                wires.cut(ids.pick(i));
            }
            Event::HasRoom(i) => {
                req.peer_has_room(ids.pick(i));
                if attached.contains(&ids.pick(i)) && !with_room.contains(&ids.pick(i)) {
                    with_room.push(ids.pick(i));
                }
            }
            Event::Full(i) => {
                req.peer_full(ids.pick(i));
                with_room.retain(|other| *other != ids.pick(i));
            }
            Event::Route => {
                let busy = matches!(state, ReqState::Awaiting(_) | ReqState::Answered(_));
                let expected = match with_room.first() {
                    _ if busy && resend == Resend::Strict => Err(ReqError::AwaitingReply),
                    None => Err(ReqError::NoPeer),
                    Some(first) => Ok(*first),
                };
                assert_eq!(req.may_send(), expected.is_ok());
                assert_eq!(req.route(), expected);
                let Ok(asked) = expected else { continue };
                let abandoned = match state {
                    ReqState::Awaiting(id) | ReqState::Answered(id) => Some(id),
                    _ => None,
                };
                assert_eq!(req.poll_abandoned(), abandoned);
                with_room.rotate_left(1);
                requests += 1;
                state = ReqState::Awaiting(asked);
            }
            Event::Frame(i, shape) => {
                let peer = ids.pick(i);
                if !attached.contains(&peer) {
                    assert!(matches!(req.accept(peer, b"", true), Accept::Refuse(_)));
                    continue;
                }
                let prefix: Vec<_> = req.envelope().frames().map(<[u8]>::to_vec).collect();
                let id = if prefix.len() == 2 {
                    Some(&prefix[0][..])
                } else {
                    None
                };
                let frames = frames(shape, id);
                let new = InFlight {
                    peer,
                    frames,
                    sent: 0,
                    began: requests,
                    staged: vec![],
                    passed: Some(vec![]),
                };
                // It counts from its first frame on, and only if a reply was due then.
                let due = state == ReqState::Awaiting(peer);
                let new = InFlight {
                    began: if due { requests } else { 0 },
                    ..new
                };
                let Some(done) = wires.feed(&mut req, new) else {
                    continue;
                };
                let timely = due && done.began == requests && requests > 0;
                let good = timely && done.frames.len() > prefix.len();
                let good = good && done.frames.starts_with(&prefix);
                let body = good.then(|| done.frames[prefix.len()..].to_vec());
                assert_eq!(done.passed, body, "{:?}", done.frames);
                assert_eq!(done.staged, Vec::<Vec<u8>>::new());
                if good {
                    state = ReqState::Answered(peer);
                }
            }
            Event::Delivered(i) => {
                req.delivered(ids.pick(i));
                if state == ReqState::Answered(ids.pick(i)) {
                    state = ReqState::Ready;
                }
            }
        }
        assert_eq!(req.state(), state, "after {event:?}");
    }
}

fn check_rep<S: Storage<Peer<Requester>>>(storage: S, events: &[Event]) {
    let mut rep = Rep::new(storage);
    let mut ids = Ids::default();
    let (mut attached, mut with_room): (Vec<PeerId>, Vec<PeerId>) = (vec![], vec![]);
    let mut wires = Wires::default();
    // The model: `None` while receiving, else who is to be answered if still there.
    let mut due: Option<Option<PeerId>> = None;
    for &event in events {
        match event {
            Event::Attached => match rep.peer_attached(b"") {
                Ok(id) => {
                    ids.add(id);
                    attached.push(id);
                    rep.peer_readable(id);
                }
                Err(_) => assert_eq!(attached.len(), PEERS),
            },
            Event::Detached(i) | Event::LinkLost(i) => {
                let id = ids.pick(i);
                if matches!(event, Event::Detached(_)) {
                    rep.peer_detached(id);
                    attached.retain(|other| *other != id);
                    with_room.retain(|other| *other != id);
                } else {
                    rep.link_lost(id);
                }
                wires.cut(id);
                if due == Some(Some(id)) {
                    due = Some(None);
                }
            }
            Event::HasRoom(i) => {
                rep.peer_has_room(ids.pick(i));
                if attached.contains(&ids.pick(i)) {
                    with_room.push(ids.pick(i));
                }
            }
            Event::Full(i) => {
                rep.peer_full(ids.pick(i));
                with_room.retain(|other| *other != ids.pick(i));
            }
            Event::Route => {
                let expected = match due.take() {
                    None => Err(RepError::NoRequest),
                    Some(None) => Err(RepError::PeerGone),
                    Some(Some(id)) if with_room.contains(&id) => Ok(id),
                    Some(Some(_)) => Err(RepError::PeerFull),
                };
                assert_eq!(rep.route(), expected);
            }
            Event::Frame(i, shape) => {
                let peer = ids.pick(i);
                if !attached.contains(&peer) {
                    assert!(matches!(rep.accept(peer, b"", true), Accept::Refuse(_)));
                    continue;
                }
                let new = InFlight {
                    peer,
                    frames: frames(shape, None),
                    sent: 0,
                    began: 0,
                    staged: vec![],
                    passed: Some(vec![]),
                };
                let Some(done) = wires.feed(&mut rep, new) else {
                    continue;
                };
                let delimiter = done.frames.iter().position(Vec::is_empty);
                match delimiter.filter(|at| at + 1 < done.frames.len()) {
                    None => assert_eq!(done.passed, None, "{:?}", done.frames),
                    Some(at) => {
                        assert_eq!(done.staged, done.frames[..=at]);
                        assert_eq!(done.passed.as_deref(), Some(&done.frames[at + 1..]));
                    }
                }
            }
            Event::Delivered(i) => {
                rep.delivered(ids.pick(i));
                if due.is_none() && attached.contains(&ids.pick(i)) {
                    due = Some(Some(ids.pick(i)));
                }
            }
        }
        assert_eq!(rep.check_receive().is_ok(), due.is_none());
        assert_eq!(rep.next().is_some(), due.is_none() && !attached.is_empty());
    }
}

fn options() -> impl Strategy<Value = (Correlation, Resend)> {
    let correlation = prop_oneof![Just(Correlation::Off), Just(Correlation::On)];
    (
        correlation,
        prop_oneof![Just(Resend::Strict), Just(Resend::Relaxed)],
    )
}

proptest! {
    // C53 to C57
    #[test]
    fn req_takes_only_the_reply_to_its_request(
        options in options(),
        events in prop::collection::vec(event(), 0..300),
    ) {
        check_req(Array::<Peer<Replier>, PEERS>::new(), options, &events);
        check_req(heapless::Vec::<Peer<Replier>, PEERS>::new(), options, &events);
        check_req(Chunks::with_limit(PEERS), options, &events);
    }

    // C58 to C60
    #[test]
    fn rep_answers_who_asked(events in prop::collection::vec(event(), 0..300)) {
        check_rep(Array::<Peer<Requester>, PEERS>::new(), &events);
        check_rep(heapless::Vec::<Peer<Requester>, PEERS>::new(), &events);
        check_rep(Chunks::with_limit(PEERS), &events);
    }
}
