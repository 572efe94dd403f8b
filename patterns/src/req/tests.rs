use super::*;
use crate::storage::Array;
use std::format;
use std::vec;
use std::vec::Vec;

type Machine = Req<Array<Peer<Replier>, 4>>;

fn machine(correlation: Correlation, resend: Resend) -> (Machine, [PeerId; 2]) {
    let mut req = Req::new(Array::new(), correlation, resend, 7);
    let peers = [(); 2].map(|()| {
        let id = req.peer_attached(b"").unwrap();
        req.peer_has_room(id);
        id
    });
    (req, peers)
}

/// Feeds a message and says what the application gets, or why it does not.
fn feed(req: &mut Machine, id: PeerId, frames: &[&[u8]]) -> Result<Vec<Vec<u8>>, Reason> {
    let mut got = vec![];
    for (i, frame) in frames.iter().enumerate() {
        match req.accept(id, frame, i + 1 < frames.len()) {
            Accept::Deliver => got.push(frame.to_vec()),
            Accept::Consume => {}
            Accept::Refuse(reason) => return Err(reason),
            other => panic!("REQ never answers {other:?}"),
        }
    }
    Ok(got)
}

fn envelope(req: &Machine) -> Vec<Vec<u8>> {
    req.envelope().frames().map(<[u8]>::to_vec).collect()
}

// C53
#[test]
fn a_request_starts_with_an_empty_delimiter() {
    let (mut req, [a, _]) = machine(Correlation::Off, Resend::Strict);
    assert_eq!(req.route(), Ok(a));
    assert_eq!(envelope(&req), [b""]);
    assert!(req.envelope().is_delimiter());
}

#[test]
fn a_request_that_has_a_number_starts_with_more_than_the_delimiter() {
    let (mut req, [a, _]) = machine(Correlation::On, Resend::Strict);
    assert_eq!(req.route(), Ok(a));
    assert_eq!(envelope(&req).len(), 2);
    assert!(!req.envelope().is_delimiter());
}

// C54
#[test]
fn send_and_receive_alternate() {
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Strict);
    assert_eq!(req.check_receive(), Err(ReqError::NoRequest));
    req.peer_readable(a);
    assert_eq!(req.next(), None, "nothing to receive before a request");
    assert_eq!(req.route(), Ok(a));
    assert_eq!(req.route(), Err(ReqError::AwaitingReply));
    assert!(!req.may_send());
    assert_eq!(req.next(), Some(a));
    assert_eq!(
        feed(&mut req, a, &[b"", b"1", b"2"]),
        Ok(vec![b"1".to_vec(), b"2".to_vec()])
    );
    assert_eq!(
        req.route(),
        Err(ReqError::AwaitingReply),
        "accepted is not delivered"
    );
    req.delivered(a);
    assert_eq!(req.route(), Ok(b), "the next peer's turn");
}

#[test]
fn without_room_nothing_happens() {
    let (mut req, [a, b]) = machine(Correlation::On, Resend::Relaxed);
    assert_eq!(req.route(), Ok(a));
    let asked = envelope(&req);
    req.peer_full(a);
    req.peer_full(b);
    assert_eq!(
        (req.route(), req.may_send()),
        (Err(ReqError::NoPeer), false)
    );
    assert_eq!(
        (req.state(), envelope(&req)),
        (ReqState::Awaiting(a), asked)
    );
    assert_eq!(req.poll_abandoned(), None);
}

// C55
#[test]
fn only_the_asked_peer_may_reply() {
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Strict);
    assert_eq!(feed(&mut req, a, &[b"", b"early"]), Err(Reason::NotAsked));
    req.route().unwrap();
    assert_eq!(feed(&mut req, b, &[b"", b"x"]), Err(Reason::NotAsked));
    assert_eq!(
        feed(&mut req, a, &[b"x", b"y"]),
        Err(Reason::MalformedReply)
    );
    assert_eq!(feed(&mut req, a, &[b"x"]), Err(Reason::MalformedReply));
    assert_eq!(feed(&mut req, a, &[b""]), Err(Reason::MalformedReply));
    assert_eq!(
        req.state(),
        ReqState::Awaiting(a),
        "a bad reply does not end the wait"
    );
    assert_eq!(feed(&mut req, a, &[b"", b""]), Ok(vec![vec![]]));
    assert_eq!(feed(&mut req, a, &[b"", b"again"]), Err(Reason::NotAsked));
    assert_eq!(req.state(), ReqState::Answered(a));
}

// C56
#[test]
fn a_correlated_reply_carries_the_requests_id() {
    let (mut req, [a, _]) = machine(Correlation::On, Resend::Strict);
    req.route().unwrap();
    let id = 7u32.to_be_bytes();
    assert_eq!(envelope(&req), [id.to_vec(), vec![]]);
    for wrong in [
        &[&b""[..], b"x"][..],
        &[b"\0\0\0\x08", b"", b"x"],
        &[b"\0\0\0\x07\0", b"", b"x"],
        &[&id],
    ] {
        assert_eq!(feed(&mut req, a, wrong), Err(Reason::NotCorrelated));
    }
    assert_eq!(feed(&mut req, a, &[&id, b"x"]), Err(Reason::MalformedReply));
    assert_eq!(feed(&mut req, a, &[&id, b""]), Err(Reason::MalformedReply));
    assert_eq!(feed(&mut req, a, &[&id, b"", &id]), Ok(vec![id.to_vec()]));
    req.delivered(a);
    req.route().unwrap();
    assert_eq!(envelope(&req)[0], 8u32.to_be_bytes());
}

// C57
#[test]
fn a_relaxed_resend_goes_to_the_next_peer_and_late_replies_are_refused() {
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Relaxed);
    assert_eq!((req.route(), req.poll_abandoned()), (Ok(a), None));
    assert_eq!((req.route(), req.poll_abandoned()), (Ok(b), Some(a)));
    assert_eq!(req.poll_abandoned(), None, "said once");
    assert_eq!(feed(&mut req, a, &[b"", b"late"]), Err(Reason::NotAsked));
    assert_eq!(feed(&mut req, b, &[b"", b"x"]), Ok(vec![b"x".to_vec()]));
    // Not received yet, and given up.
    assert_eq!((req.route(), req.poll_abandoned()), (Ok(a), Some(b)));
}

// C57
#[test]
fn the_rest_of_a_half_read_late_reply_is_no_reply_to_the_next_request() {
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Relaxed);
    req.peer_full(b);
    req.route().unwrap();
    assert_eq!(req.accept(a, b"", true), Accept::Consume);
    assert_eq!(req.accept(a, b"half", true), Accept::Deliver);
    assert_eq!(req.route(), Ok(a), "asked again");
    assert_eq!(req.accept(a, b"", true), Accept::Refuse(Reason::NotAsked));
    assert_eq!(feed(&mut req, a, &[b"", b"new"]), Ok(vec![b"new".to_vec()]));
}

#[test]
fn a_lost_link_forgets_a_half_read_reply() {
    let (mut req, [a, _]) = machine(Correlation::Off, Resend::Strict);
    req.route().unwrap();
    assert_eq!(req.accept(a, b"", true), Accept::Consume);
    req.link_lost(a);
    assert_eq!(
        req.accept(a, b"x", false),
        Accept::Refuse(Reason::MalformedReply)
    );
    assert_eq!(feed(&mut req, a, &[b"", b"x"]), Ok(vec![b"x".to_vec()]));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Route,
    Reply,
    StrangersReply,
    Delivered,
    StrangerDelivered,
    LinkLost,
    StrangersLinkLost,
    Detached,
    StrangerDetached,
    DetachedAgain,
}

const EVENTS: [Event; 10] = [
    Event::Route,
    Event::Reply,
    Event::StrangersReply,
    Event::Delivered,
    Event::StrangerDelivered,
    Event::LinkLost,
    Event::StrangersLinkLost,
    Event::Detached,
    Event::StrangerDetached,
    Event::DetachedAgain,
];

/// The whole table of 28/REQREP's REQ: what each event does in each state. The
/// asked peer is `a`; the next in turn is `b`.
fn expected(state: ReqState, event: Event, resend: Resend, a: PeerId, b: PeerId) -> ReqState {
    use ReqState::{Answered, Awaiting, Orphaned, Ready};
    match (state, event) {
        (Ready | Orphaned, Event::Route) => Awaiting(b),
        (Awaiting(_) | Answered(_), Event::Route) if resend == Resend::Relaxed => Awaiting(b),
        (Awaiting(_), Event::Reply) => Answered(a),
        (Answered(_), Event::Delivered) => Ready,
        (Awaiting(_) | Answered(_), Event::Detached) => Orphaned,
        (state, _) => state,
    }
}

#[test]
fn every_event_in_every_state() {
    for resend in [Resend::Strict, Resend::Relaxed] {
        for state in 0..4 {
            for event in EVENTS {
                let (mut req, [a, b]) = machine(Correlation::Off, resend);
                let before = bring_to(&mut req, state, a, b);
                apply(&mut req, event, a, b);
                let after = expected(before, event, resend, a, b);
                assert_eq!(req.state(), after, "{before:?}, {event:?}, {resend:?}");
                let receives = matches!(after, ReqState::Awaiting(_) | ReqState::Answered(_));
                assert_eq!(req.check_receive().is_ok(), receives);
            }
        }
    }
}

/// Brings the machine into a state in which `b` is next in turn.
fn bring_to(req: &mut Machine, state: usize, a: PeerId, b: PeerId) -> ReqState {
    req.route().unwrap();
    if state == 3 {
        req.peer_detached(a);
        return req.state();
    }
    if state != 1 {
        feed(req, a, &[b"", b"x"]).unwrap();
    }
    if state == 0 {
        req.delivered(a);
    }
    let states = [
        ReqState::Ready,
        ReqState::Awaiting(a),
        ReqState::Answered(a),
    ];
    assert_eq!(req.state(), states[state]);
    assert_ne!(a, b);
    req.state()
}

fn apply(req: &mut Machine, event: Event, a: PeerId, b: PeerId) {
    match event {
        Event::Route => {
            let _ = req.route();
        }
        Event::Reply => {
            let _ = feed(req, a, &[b"", b"y"]);
        }
        Event::StrangersReply => {
            let reason = feed(req, b, &[b"", b"y"]).unwrap_err();
            assert_eq!(reason, Reason::NotAsked);
        }
        Event::Delivered => req.delivered(a),
        Event::StrangerDelivered => req.delivered(b),
        Event::LinkLost => req.link_lost(a),
        Event::StrangersLinkLost => req.link_lost(b),
        Event::Detached => req.peer_detached(a),
        Event::StrangerDetached => req.peer_detached(b),
        Event::DetachedAgain => {
            let gone = req.peer_attached(b"").unwrap();
            req.peer_detached(gone);
            req.peer_detached(gone);
            let reason = feed(req, gone, &[b"", b"y"]).unwrap_err();
            assert_eq!(reason, Reason::UnknownPeer);
        }
    }
}

#[test]
fn changed_options_hold_from_the_next_request_on() {
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Strict);
    assert_eq!(req.route(), Ok(a));
    req.set_options(Correlation::On, Resend::Relaxed);
    assert_eq!(req.route(), Ok(b), "relaxed now");
    assert_eq!(envelope(&req).len(), 2, "with a request's number now");
    req.set_options(Correlation::Off, Resend::Strict);
    assert_eq!(req.route(), Err(ReqError::AwaitingReply));
}

#[test]
fn only_the_peer_that_is_gone_is_forgotten_as_abandoned() {
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Relaxed);
    assert_eq!(req.route(), Ok(a));
    assert_eq!(req.route(), Ok(b), "a is abandoned");
    req.peer_detached(b);
    assert_eq!(req.poll_abandoned(), Some(a));
    let (mut req, [a, b]) = machine(Correlation::Off, Resend::Relaxed);
    assert_eq!((req.route(), req.route()), (Ok(a), Ok(b)));
    req.peer_detached(a);
    assert_eq!(req.poll_abandoned(), None);
}

#[test]
fn errors_say_what_is_missing() {
    use std::string::ToString;
    let said = [
        (
            ReqError::AwaitingReply,
            "the reply to the last request was not received yet",
        ),
        (ReqError::NoPeer, "no peer has room for the request"),
        (
            ReqError::NoRequest,
            "no request was sent, so no reply is due",
        ),
        (ReqError::PeerGone, "the peer that was asked is gone"),
    ];
    for (error, text) in said {
        assert_eq!(error.to_string(), text);
    }
}

/// What befalls a machine, by number.
fn befall(req: &mut Machine, what: usize, [a, b]: [PeerId; 2]) {
    match what {
        0 => drop(req.route()),
        1 => drop(req.accept(a, &b""[..], true)),
        2 => drop(req.accept(a, &b"x"[..], false)),
        3 => drop(req.accept(b, &b""[..], true)),
        4 => req.delivered(a),
        5 => req.link_lost(a),
        _ => req.peer_detached(b),
    }
}

/// In every state, to accept both frames at once is to accept each; or nothing
/// has changed.
#[test]
fn a_delimited_reply_is_accepted_as_its_frames_are() {
    let mut accepted = [0; 2];
    for correlation in [Correlation::Off, Correlation::On] {
        for resend in [Resend::Strict, Resend::Relaxed] {
            for script in 0..7_usize.pow(4) {
                let made = || {
                    let (mut req, peers) = machine(correlation, resend);
                    for step in 0..4 {
                        befall(&mut req, script / 7_usize.pow(step) % 7, peers);
                    }
                    (req, peers)
                };
                for asked in made().1 {
                    let (mut at_once, _) = made();
                    let (mut by_frame, _) = made();
                    let taken = at_once.accept_delimited(asked);
                    accepted[usize::from(taken)] += 1;
                    if taken {
                        let got = feed(&mut by_frame, asked, &[b"", b"x"]);
                        assert_eq!(got, Ok(vec![b"x".to_vec()]));
                    }
                    assert_eq!(format!("{at_once:?}"), format!("{by_frame:?}"));
                }
            }
        }
    }
    assert!(accepted.iter().all(|&count| count > 500), "{accepted:?}");
}
