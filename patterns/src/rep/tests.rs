use super::*;
use crate::storage::Array;
use std::format;
use std::vec;
use std::vec::Vec;

type Machine = Rep<Array<Peer<Requester>, 4>>;

fn machine() -> (Machine, [PeerId; 2]) {
    let mut rep = Rep::new(Array::new());
    let peers = [(); 2].map(|()| {
        let id = rep.peer_attached(b"").unwrap();
        rep.peer_has_room(id);
        id
    });
    (rep, peers)
}

/// Feeds a request and gives its envelope and body, or why it was refused.
type Request = (Vec<Vec<u8>>, Vec<Vec<u8>>);
fn feed(rep: &mut Machine, id: PeerId, frames: &[&[u8]]) -> Result<Request, Reason> {
    let (mut envelope, mut body) = (vec![], vec![]);
    for (i, frame) in frames.iter().enumerate() {
        match rep.accept(id, frame, i + 1 < frames.len()) {
            Accept::Stage => envelope.push(frame.to_vec()),
            Accept::Deliver => body.push(frame.to_vec()),
            Accept::Refuse(reason) => return Err(reason),
            other => panic!("REP never answers {other:?}"),
        }
    }
    Ok((envelope, body))
}

// C58
#[test]
fn the_envelope_is_everything_up_to_and_with_the_delimiter() {
    let (mut rep, [a, _]) = machine();
    for hops in 0..20u8 {
        let hops: Vec<[u8; 1]> = (0..hops).map(|i| [i]).collect();
        let mut frames: Vec<&[u8]> = hops.iter().map(|hop| &hop[..]).collect();
        frames.push(b"");
        let envelope: Vec<_> = frames.iter().map(|frame| frame.to_vec()).collect();
        frames.extend([&b"body"[..], b"", b"end"]);
        let body = vec![b"body".to_vec(), vec![], b"end".to_vec()];
        assert_eq!(feed(&mut rep, a, &frames), Ok((envelope, body)));
    }
}

// C59
#[test]
fn a_request_without_delimiter_is_refused_and_the_next_one_is_read() {
    let (mut rep, [a, _]) = machine();
    for bad in [&[&b"x"[..]][..], &[b"x", b"y"], &[b""], &[b"x", b""]] {
        assert_eq!(feed(&mut rep, a, bad), Err(Reason::MalformedRequest));
        assert_eq!(rep.state(), RepState::Receiving);
    }
    assert_eq!(
        feed(&mut rep, a, &[b"", b"x"]),
        Ok((vec![vec![]], vec![b"x".to_vec()]))
    );
}

// C60
#[test]
fn a_requester_that_is_gone_or_deaf_does_not_stop_the_others() {
    let (mut rep, [a, b]) = machine();
    rep.peer_readable(b);
    rep.delivered(a);
    rep.peer_detached(a);
    assert_eq!(rep.route(), Err(RepError::PeerGone));
    assert_eq!(rep.next(), Some(b));
    rep.delivered(b);
    rep.peer_full(b);
    assert_eq!(rep.route(), Err(RepError::PeerFull));
    assert_eq!(rep.next(), Some(b));
}

#[test]
fn one_request_at_a_time() {
    let (mut rep, [a, b]) = machine();
    rep.peer_readable(a);
    rep.peer_readable(b);
    assert_eq!(rep.next(), Some(a));
    rep.delivered(a);
    assert_eq!(
        (rep.next(), rep.check_receive()),
        (None, Err(RepError::AwaitingReply))
    );
    assert_eq!(rep.route(), Ok(a));
    assert_eq!(rep.route(), Err(RepError::NoRequest));
    assert_eq!(rep.next(), Some(b), "fair");
}

#[test]
fn a_lost_link_forgets_the_half_read_request() {
    let (mut rep, [a, _]) = machine();
    assert_eq!(rep.accept(a, b"", true), Accept::Stage);
    rep.link_lost(a);
    assert_eq!(
        rep.accept(a, b"x", false),
        Accept::Refuse(Reason::MalformedRequest)
    );
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Route,
    Delivered,
    OtherDelivered,
    StaleDelivered,
    LinkLost,
    OtherLinkLost,
    Detached,
    OtherDetached,
}

const EVENTS: [Event; 8] = [
    Event::Route,
    Event::Delivered,
    Event::OtherDelivered,
    Event::StaleDelivered,
    Event::LinkLost,
    Event::OtherLinkLost,
    Event::Detached,
    Event::OtherDetached,
];

/// The whole table of 28/REQREP's REP; `a` asked, if anybody did.
fn expected(state: RepState, event: Event, a: PeerId, b: PeerId) -> RepState {
    use RepState::{Receiving, Replying};
    match (state, event) {
        (Replying(_), Event::Route) => Receiving,
        (Receiving, Event::Delivered) => Replying(Some(a)),
        (Receiving, Event::OtherDelivered) => Replying(Some(b)),
        (Replying(Some(_)), Event::LinkLost | Event::Detached) => Replying(None),
        (state, _) => state,
    }
}

#[test]
fn every_event_in_every_state() {
    for state in 0..3 {
        for event in EVENTS {
            let (mut rep, [a, b]) = machine();
            let stale = rep.peer_attached(b"").unwrap();
            rep.peer_detached(stale);
            if state > 0 {
                rep.delivered(a);
            }
            if state > 1 {
                rep.link_lost(a);
            }
            let before = rep.state();
            match event {
                Event::Route => {
                    let routed = [Err(RepError::NoRequest), Ok(a), Err(RepError::PeerGone)];
                    assert_eq!(rep.route(), routed[state]);
                }
                Event::Delivered => rep.delivered(a),
                Event::OtherDelivered => rep.delivered(b),
                Event::StaleDelivered => rep.delivered(stale),
                Event::LinkLost => rep.link_lost(a),
                Event::OtherLinkLost => rep.link_lost(b),
                Event::Detached => rep.peer_detached(a),
                Event::OtherDetached => rep.peer_detached(b),
            }
            assert_eq!(
                rep.state(),
                expected(before, event, a, b),
                "{before:?}, {event:?}"
            );
            let receives = rep.state() == RepState::Receiving;
            assert_eq!(rep.check_receive().is_ok(), receives);
        }
    }
}

/// At every place of a request, to accept both frames at once is to accept each;
/// or nothing has changed.
#[test]
fn a_delimited_request_is_accepted_as_its_frames_are() {
    let seen: [&[&[u8]]; 4] = [&[], &[b"hop"], &[b""], &[b"hop", b"", b"part"]];
    for (begun, expected) in seen.into_iter().zip([true, true, false, false]) {
        let made = || {
            let (mut rep, [a, _]) = machine();
            for frame in begun {
                let _ = rep.accept(a, *frame, true);
            }
            (rep, a)
        };
        let ((mut at_once, a), (mut by_frame, _)) = (made(), made());
        assert_eq!(at_once.accept_delimited(a), expected, "{begun:?}");
        if expected {
            let request = (vec![vec![]], vec![b"x".to_vec()]);
            assert_eq!(feed(&mut by_frame, a, &[b"", b"x"]), Ok(request));
        }
        assert_eq!(format!("{at_once:?}"), format!("{by_frame:?}"));
    }
    let (mut rep, [a, _]) = machine();
    rep.peer_detached(a);
    assert!(!rep.accept_delimited(a), "a stale id is nobody's");
}
