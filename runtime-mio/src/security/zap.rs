//! Requests and replies of 27/ZAP, version 1.0, as messages.
//!
//! ```text
//!  request   "" "1.0" id domain address identity mechanism credentials…
//!  reply     "" "1.0" id status text user-id metadata
//! ```
//! The empty frame is the delimiter of REQ and REP, which a DEALER writes and
//! reads itself.

use ferromq_wire::{Decision, Properties};

use super::{AuthenticationRequest, Claim, Verdict};
use crate::Message;

/// Where the handler of a context is bound (27/ZAP, by convention).
pub(crate) const ENDPOINT: &str = "inproc://zeromq.zap.01";

const VERSION: &[u8] = b"1.0";
/// Frames of a reply behind the delimiter, and with it.
const REPLY: usize = 7;

/// What is wrong with a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the reply of the ZAP handler has {frames} frames, not 7")]
    Frames { frames: usize },
    #[error("the reply of the ZAP handler does not begin with a delimiter")]
    Delimiter,
    #[error("the reply of the ZAP handler is not of version 1.0")]
    Version,
    #[error("the reply of the ZAP handler has a status other than 200, 300, 400 and 500")]
    Status,
    #[error("the user id of the ZAP handler is not text")]
    UserId,
    #[error("the metadata of the ZAP handler is malformed")]
    Metadata,
}

/// The request as a message, under this id.
pub(super) fn encode(request: &AuthenticationRequest, id: u64) -> Message {
    let id = id.to_string();
    let head: [&[u8]; 7] = [
        b"",
        VERSION,
        id.as_bytes(),
        request.domain.as_bytes(),
        request.address.as_bytes(),
        &request.identity,
        request.mechanism().as_bytes(),
    ];
    let mut message: Message = head.into_iter().collect();
    match &request.claim {
        Claim::Null => {}
        Claim::Plain { username, password } => {
            message.push_back(&username[..]);
            message.push_back(password.expose());
        }
        Claim::Curve { key } => message.push_back(&key.0[..]),
    }
    message
}

/// The id of a request that this is the reply to, as far as it can be told.
pub(super) fn id_of(reply: &Message) -> Option<u64> {
    std::str::from_utf8(reply.frame(2)?).ok()?.parse().ok()
}

/// The verdict in a reply.
pub(super) fn decode(reply: &Message) -> Result<Verdict, Malformed> {
    let frames = reply.len();
    let [delimiter, version, _, status, text, user_id, metadata] = reply.parts() else {
        return Err(Malformed::Frames {
            frames: frames.saturating_sub(1),
        });
    };
    const { assert!(REPLY == 7) };
    if !delimiter.is_empty() {
        return Err(Malformed::Delimiter);
    }
    if **version != *VERSION {
        return Err(Malformed::Version);
    }
    let decision = match &**status {
        b"200" => Decision::Allow,
        b"300" => Decision::TryLater,
        b"400" => Decision::Deny,
        b"500" => Decision::Fail,
        _ => return Err(Malformed::Status),
    };
    let user_id = std::str::from_utf8(user_id).map_err(|_| Malformed::UserId)?;
    let reason = text.escape_ascii().to_string();
    let mut verdict = Verdict::new(decision, reason, user_id.to_owned());
    let properties = Properties::parse(metadata).map_err(|_| Malformed::Metadata)?;
    for (name, value) in properties {
        verdict = verdict.property(String::from_utf8_lossy(name), value);
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(claim: Claim) -> AuthenticationRequest {
        AuthenticationRequest {
            domain: "plant".into(),
            address: "192.0.2.1".into(),
            identity: b"worker".to_vec(),
            claim,
        }
    }

    fn texts(message: &Message) -> Vec<&[u8]> {
        message.iter().map(|frame| &frame[..]).collect()
    }

    fn reply(parts: [&[u8]; 7]) -> Message {
        parts.into_iter().collect()
    }

    const GOOD: [&[u8]; 7] = [
        b"",
        b"1.0",
        b"17",
        b"200",
        b"OK",
        b"ann",
        b"\x01X\0\0\0\x01y",
    ];

    // D43
    #[test]
    fn a_request_has_the_frames_of_the_rfc() {
        let plain = Claim::Plain {
            username: b"ann".to_vec(),
            password: "secret".into(),
        };
        let head: [&[u8]; 6] = [b"", b"1.0", b"17", b"plant", b"192.0.2.1", b"worker"];
        let key = ferromq_wire::PublicKey([9; 32]);
        for (claim, tail) in [
            (Claim::Null, vec![&b"NULL"[..]]),
            (plain, vec![&b"PLAIN"[..], b"ann", b"secret"]),
            (Claim::Curve { key }, vec![&b"CURVE"[..], &[9; 32]]),
        ] {
            let message = encode(&request(claim), 17);
            assert_eq!(texts(&message), [&head[..], &tail].concat());
        }
    }

    #[test]
    fn a_good_reply_is_a_verdict() {
        let good = reply(GOOD);
        assert_eq!(id_of(&good), Some(17));
        let verdict = decode(&good).unwrap();
        assert_eq!((verdict.status(), &verdict.user_id[..]), (200, "ann"));
        assert_eq!(verdict.properties, [("X".into(), b"y".to_vec())]);
    }

    // D44
    #[test]
    fn whatever_else_comes_is_refused() {
        for (index, frame, error) in [
            (0, &b"x"[..], Malformed::Delimiter),
            (1, b"1.1", Malformed::Version),
            (1, b"", Malformed::Version),
            (3, b"", Malformed::Status),
            (3, b"201", Malformed::Status),
            (3, b"2000", Malformed::Status),
            (5, b"\xff", Malformed::UserId),
            (6, b"\x01X\0\0\0\x02y", Malformed::Metadata),
        ] {
            let mut parts = GOOD;
            parts[index] = frame;
            assert_eq!(decode(&reply(parts)).unwrap_err(), error, "{parts:?}");
        }
        for frames in [0, 1, 6, 8] {
            let message: Message = std::iter::repeat_n(&b""[..], frames).collect();
            let frames = frames.saturating_sub(1);
            assert_eq!(decode(&message).unwrap_err(), Malformed::Frames { frames });
            assert_eq!(id_of(&message), None);
        }
    }
}
