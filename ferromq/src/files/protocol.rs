//! The messages of the protocol, as `docs/FILES.md` lays them out.

use crate::{Frame, Message};

use super::refusal::{Refusal, RefusalCode};

/// The version of the protocol that is spoken here.
pub(crate) const VERSION: u8 = 1;
/// Longest chunk, in bytes.
pub(crate) const CHUNK: usize = 1 << 20;
/// Bytes that may be on their way, or wait to be written, for one file.
pub(crate) const WINDOW: u64 = 16 << 20;
/// Longest name of a source, in bytes.
const LONGEST_SOURCE: usize = 64;

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// What a sender says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A new connection: an empty frame, as ZeroMQ's PROBE_ROUTER sends.
    Probe,
    Offer(Offer),
    Proof {
        id: u64,
        length: u64,
        digest: Digest,
    },
    Chunk {
        id: u64,
        offset: u64,
        data: Frame,
    },
    End {
        id: u64,
        digest: Digest,
    },
    Abort {
        id: u64,
    },
}

/// A file that a sender has for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) id: u64,
    pub(crate) size: u64,
    /// Not yet checked.
    pub(crate) name: Vec<u8>,
    /// Tells files of the same name apart; empty where nothing is to be
    /// resumed.
    pub(crate) source: Vec<u8>,
    /// Where it came from, as an endpoint. Not sent.
    pub(crate) peer: String,
}

/// What a receiver says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Hello,
    Prove { id: u64, length: u64 },
    Accept { id: u64, grant: Grant },
    Ack { id: u64, offset: u64 },
    Wait { id: u64 },
    Done { id: u64, digest: Digest },
    Refused { id: u64, refusal: Refusal },
    Again { id: u64 },
}

/// From where on a file is to be sent, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) offset: u64,
    /// Bytes beyond the last acknowledged one that may be sent.
    pub(crate) window: u64,
    /// Longest chunk.
    pub(crate) chunk: u64,
}

/// A request that cannot be understood: whom the answer is for, where that can
/// be told, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) id: u64,
    pub(crate) refusal: Refusal,
}

impl Request {
    pub(crate) fn to_message(&self) -> Message {
        match self {
            Self::Probe => Message::from(Frame::default()),
            Self::Offer(offer) => [
                &b"OFFER"[..],
                &[VERSION],
                &offer.id.to_be_bytes(),
                &offer.size.to_be_bytes(),
                &offer.name,
                &offer.source,
            ]
            .into(),
            Self::Proof { id, length, digest } => [
                &b"PROOF"[..],
                &id.to_be_bytes(),
                &length.to_be_bytes(),
                digest,
            ]
            .into(),
            Self::Chunk { id, offset, data } => [
                Frame::from_static(b"CHUNK"),
                number(*id),
                number(*offset),
                data.clone(),
            ]
            .into(),
            Self::End { id, digest } => [&b"END"[..], &id.to_be_bytes(), digest].into(),
            Self::Abort { id } => [&b"ABORT"[..], &id.to_be_bytes()].into(),
        }
    }

    /// Reads a request; `frames` are without the sender's identity.
    pub(crate) fn parse(frames: &[Frame]) -> Result<Self, Malformed> {
        let bytes: Vec<&[u8]> = frames.iter().take(7).map(|frame| &**frame).collect();
        let parsed = match bytes[..] {
            [b""] => Some(Self::Probe),
            [b"OFFER", version, id, ..] if version != [VERSION] => {
                return Err(wrong_version(version, id));
            }
            [b"OFFER", _, id, size, name, source] if source.len() <= LONGEST_SOURCE => {
                let peer = frames[5].origin().map(|peer| peer.address().to_owned());
                offer(id, size, name, source, peer).map(Self::Offer)
            }
            [b"PROOF", id, length, digest] => proof(id, length, digest),
            [b"CHUNK", id, offset, _] => chunk(id, offset, &frames[3]),
            [b"END", id, digest] => end(id, digest),
            [b"ABORT", id] => to_number(id).map(|id| Self::Abort { id }),
            _ => None,
        };
        parsed.ok_or_else(|| malformed(&bytes))
    }
}

impl Answer {
    pub(crate) fn to_message(&self) -> Message {
        let with_id = |command: &[u8], id: &u64| Message::from([command, &id.to_be_bytes()]);
        match self {
            Self::Hello => [&b"HELLO"[..], &[VERSION]].into(),
            Self::Prove { id, length } => numbers(b"PROVE", &[*id, *length]),
            Self::Accept { id, grant } => {
                let Grant {
                    offset,
                    window,
                    chunk,
                } = *grant;
                numbers(b"ACCEPT", &[*id, offset, window, chunk])
            }
            Self::Ack { id, offset } => numbers(b"ACK", &[*id, *offset]),
            Self::Wait { id } => with_id(b"WAIT", id),
            Self::Done { id, digest } => [&b"DONE"[..], &id.to_be_bytes(), digest].into(),
            Self::Refused { id, refusal } => [
                &b"REFUSED"[..],
                &id.to_be_bytes(),
                refusal.code.word().as_bytes(),
                refusal.cause.as_bytes(),
            ]
            .into(),
            Self::Again { id } => with_id(b"AGAIN", id),
        }
    }

    /// Reads an answer; `None` for anything else.
    pub(crate) fn parse(frames: &[Frame]) -> Option<Self> {
        let bytes: Vec<&[u8]> = frames.iter().take(6).map(|frame| &**frame).collect();
        match bytes[..] {
            // Later versions may say more after this.
            [b"HELLO", ..] => Some(Self::Hello),
            [b"PROVE", id, length] => Some(Self::Prove {
                id: to_number(id)?,
                length: to_number(length)?,
            }),
            [b"ACCEPT", id, offset, window, chunk] => Some(Self::Accept {
                id: to_number(id)?,
                grant: Grant {
                    offset: to_number(offset)?,
                    window: to_number(window)?,
                    chunk: to_number(chunk)?,
                },
            }),
            [b"ACK", id, offset] => Some(Self::Ack {
                id: to_number(id)?,
                offset: to_number(offset)?,
            }),
            [b"WAIT", id] => to_number(id).map(|id| Self::Wait { id }),
            [b"DONE", id, digest] => Some(Self::Done {
                id: to_number(id)?,
                digest: digest.try_into().ok()?,
            }),
            [b"REFUSED", id, word, cause] => Some(Self::Refused {
                id: to_number(id)?,
                refusal: Refusal::from_wire(word, cause),
            }),
            [b"AGAIN", id] => to_number(id).map(|id| Self::Again { id }),
            _ => None,
        }
    }

    /// The file that the answer is about.
    pub(crate) fn id(&self) -> Option<u64> {
        match *self {
            Self::Hello => None,
            Self::Prove { id, .. }
            | Self::Accept { id, .. }
            | Self::Ack { id, .. }
            | Self::Wait { id }
            | Self::Done { id, .. }
            | Self::Refused { id, .. }
            | Self::Again { id } => Some(id),
        }
    }
}

fn offer(
    id: &[u8],
    size: &[u8],
    name: &[u8],
    source: &[u8],
    peer: Option<String>,
) -> Option<Offer> {
    Some(Offer {
        id: to_number(id)?,
        size: to_number(size)?,
        name: name.to_vec(),
        source: source.to_vec(),
        peer: peer.unwrap_or_default(),
    })
}

fn proof(id: &[u8], length: &[u8], digest: &[u8]) -> Option<Request> {
    Some(Request::Proof {
        id: to_number(id)?,
        length: to_number(length)?,
        digest: digest.try_into().ok()?,
    })
}

fn chunk(id: &[u8], offset: &[u8], data: &Frame) -> Option<Request> {
    Some(Request::Chunk {
        id: to_number(id)?,
        offset: to_number(offset)?,
        data: data.clone(),
    })
}

fn end(id: &[u8], digest: &[u8]) -> Option<Request> {
    Some(Request::End {
        id: to_number(id)?,
        digest: digest.try_into().ok()?,
    })
}

fn wrong_version(version: &[u8], id: &[u8]) -> Malformed {
    let theirs = version.iter().take(4).map(u8::to_string);
    let theirs = theirs.collect::<Vec<_>>().join(".");
    let cause = format!("the offer is of version {theirs}, and version {VERSION} is spoken here");
    Malformed {
        id: to_number(id).unwrap_or(0),
        refusal: Refusal::new(RefusalCode::Version, cause),
    }
}

fn malformed(frames: &[&[u8]]) -> Malformed {
    let (command, id) = match frames {
        [b"OFFER", _, id, ..] => ("OFFER", Some(*id)),
        [b"PROOF", id, ..] => ("PROOF", Some(*id)),
        [b"CHUNK", id, ..] => ("CHUNK", Some(*id)),
        [b"END", id, ..] => ("END", Some(*id)),
        [b"ABORT", id, ..] => ("ABORT", Some(*id)),
        _ => ("", None),
    };
    let cause = match command {
        "" => "a message is none of the file protocol".to_owned(),
        command => format!("this is no {command} as the protocol has it"),
    };
    Malformed {
        id: id.and_then(to_number).unwrap_or(0),
        refusal: Refusal::new(RefusalCode::Malformed, cause),
    }
}

fn numbers(command: &'static [u8], numbers: &[u64]) -> Message {
    let mut message = Message::from(Frame::from_static(command));
    message.extend(numbers.iter().map(|&value| number(value)));
    message
}

fn number(value: u64) -> Frame {
    Frame::from(&value.to_be_bytes())
}

fn to_number(frame: &[u8]) -> Option<u64> {
    frame.try_into().map(u64::from_be_bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_back() {
        for request in [
            Request::Probe,
            Request::Offer(Offer {
                id: 1,
                size: 1 << 40,
                name: b"\xff".to_vec(),
                source: vec![],
                peer: String::new(),
            }),
            Request::Proof {
                id: 2,
                length: 3,
                digest: [4; 32],
            },
            Request::Chunk {
                id: 5,
                offset: u64::MAX,
                data: Frame::from("data"),
            },
            Request::End {
                id: 6,
                digest: [7; 32],
            },
            Request::Abort { id: 8 },
        ] {
            assert_eq!(Request::parse(request.to_message().parts()), Ok(request));
        }
    }

    #[test]
    fn every_answer_is_read_back() {
        let grant = Grant {
            offset: 1,
            window: 2,
            chunk: 3,
        };
        for answer in [
            Answer::Hello,
            Answer::Prove { id: 1, length: 2 },
            Answer::Accept { id: 1, grant },
            Answer::Ack { id: 1, offset: 2 },
            Answer::Wait { id: 1 },
            Answer::Done {
                id: 1,
                digest: [2; 32],
            },
            Answer::Refused {
                id: 1,
                refusal: Refusal::new(RefusalCode::Exists, "why"),
            },
            Answer::Again { id: 1 },
        ] {
            assert_eq!(Answer::parse(answer.to_message().parts()), Some(answer));
        }
    }

    #[test]
    fn what_is_malformed_is_told_with_the_id_where_there_is_one() {
        let seven = 7_u64.to_be_bytes();
        let refused = |frames: &[&[u8]]| {
            let message: Message = frames.iter().copied().collect();
            let malformed = Request::parse(message.parts()).unwrap_err();
            (malformed.id, malformed.refusal.code)
        };
        assert_eq!(refused(&[]), (0, RefusalCode::Malformed));
        assert_eq!(refused(&[b"", b""]), (0, RefusalCode::Malformed));
        assert_eq!(refused(&[b"END", &seven]), (7, RefusalCode::Malformed));
        assert_eq!(refused(&[b"ABORT", b"7"]), (0, RefusalCode::Malformed));
        let long = [&b"CHUNK"[..], &seven, &seven, b"", b""];
        assert_eq!(refused(&long), (7, RefusalCode::Malformed));
        let source = [0; LONGEST_SOURCE + 1];
        let offer = [&b"OFFER"[..], &[VERSION], &seven, &seven, b"a", &source];
        assert_eq!(refused(&offer), (7, RefusalCode::Malformed));
        let newer = [&b"OFFER"[..], &[2], &seven, b"something else"];
        assert_eq!(refused(&newer), (7, RefusalCode::Version));
    }
}
