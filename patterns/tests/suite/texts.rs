//! What errors say: people search for these words.

use std::fmt::Display;

use ferromq_patterns::{
    AttachError, Full, GroupError, MAX_TOPIC_LEN, NotSubscribed, PeerId, Reason, RepError, Seed,
    SubscribeError,
};

fn said(texts: &[(&dyn Display, &str)]) {
    for (error, text) in texts {
        assert_eq!(error.to_string(), *text);
    }
}

#[test]
fn what_refuses_a_message_is_told() {
    said(&[
        (&Reason::SendOnly, "the socket only sends"),
        (&Reason::UnknownPeer, "the peer is unknown"),
        (&Reason::NotAsked, "no reply is due from this peer"),
        (&Reason::NotCorrelated, "the reply is to another request"),
        (
            &Reason::MalformedReply,
            "the reply has no delimiter with a body after it",
        ),
        (
            &Reason::MalformedRequest,
            "the request has no delimiter with a body after it",
        ),
        (&Reason::NotSubscribed, "no subscription matches"),
        (&Reason::UpstreamData, "upstream data is no subscription"),
        (
            &Reason::WrongParts,
            "the message has another number of frames than this type takes",
        ),
    ]);
}

#[test]
fn what_refuses_a_peer_is_told_with_its_numbers() {
    let holder = PeerId::from_bits(7 << 32 | 3);
    said(&[
        (&Full, "storage is full"),
        (&AttachError::from(Full), "peer storage is full"),
        (&AttachError::SecondPeer, "the pair already has its 1 peer"),
        (
            &AttachError::DuplicateIdentity { holder },
            "identity is in use by peer 3",
        ),
        (
            &AttachError::IdentityTooLong { len: 256 },
            "identity of 256 bytes exceeds the limit of 255",
        ),
        (
            &AttachError::ReservedIdentity,
            "identity starts with byte 0",
        ),
    ]);
}

#[test]
fn what_refuses_a_call_is_told_with_its_numbers() {
    let len = MAX_TOPIC_LEN + 1;
    let long = format!("topic of {len} bytes exceeds the limit of {MAX_TOPIC_LEN}");
    let group = GroupError::TooLong { len: 256 };
    said(&[
        (
            &RepError::NoRequest,
            "no request was received, so no reply is due",
        ),
        (&RepError::PeerGone, "the peer that asked is gone"),
        (
            &RepError::PeerFull,
            "the peer that asked has no room for the reply",
        ),
        (
            &RepError::AwaitingReply,
            "the last request was not answered yet",
        ),
        (&group, "group of 256 bytes exceeds the limit of 255"),
        (
            &GroupError::ZeroByte { at: 4 },
            "byte 4 of the group is zero",
        ),
        (&SubscribeError::TopicLen { len }, &long),
        (&SubscribeError::from(Full), "subscription storage is full"),
        (
            &SubscribeError::from(group),
            "group of 256 bytes exceeds the limit of 255",
        ),
        (&SubscribeError::Joined, "the group is joined already"),
        (&NotSubscribed, "the topic is not subscribed to"),
    ]);
}

#[test]
fn ids_show_slot_and_generation_and_seeds_show_nothing() {
    let id = PeerId::from_bits(7 << 32 | 3);
    assert_eq!(format!("{id:?}"), "PeerId(3.7)");
    assert_eq!(format!("{:?}", Seed::new(1, 2)), "Seed(..)");
}
