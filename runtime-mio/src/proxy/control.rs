//! The words that steer a proxy from afar, as libzmq's `zmq_proxy_steerable`
//! has them.

use ferromq_wire::SocketType;

use super::handle::{Motion, Shared};
use super::station::Station;
use super::{ProxyError, ProxyStatistics};
use crate::{Frame, Message};

/// Words that are obeyed before messages have their turn.
const WORDS: usize = 16;

/// A message of one frame that says just this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Pause,
    Resume,
    Terminate,
    Statistics,
}

impl Word {
    fn of(message: &Message) -> Option<Self> {
        let [frame] = message.parts() else {
            return None;
        };
        match &frame[..] {
            b"PAUSE" => Some(Self::Pause),
            b"RESUME" => Some(Self::Resume),
            b"TERMINATE" => Some(Self::Terminate),
            b"STATISTICS" => Some(Self::Statistics),
            _ => None,
        }
    }
}

/// Obeys what has come. True: something had.
pub(super) fn obey(
    control: &Station,
    shared: &Shared,
    counted: &ProxyStatistics,
) -> Result<bool, ProxyError> {
    for obeyed in 0..WORDS {
        let Some(message) = control.take()? else {
            return Ok(obeyed > 0);
        };
        let word = Word::of(&message);
        match word {
            Some(Word::Pause) => shared.set_motion(Motion::Paused),
            Some(Word::Resume) => shared.set_motion(Motion::Running),
            Some(Word::Terminate) => shared.set_stop(),
            Some(Word::Statistics) | None => {}
        }
        if let Some(reply) = reply(control.socket().socket_type(), word, counted) {
            // Whoever asks and takes no replies goes without.
            control.put(&reply)?;
            control.flush()?;
        }
    }
    Ok(true)
}

/// What the asker gets: a requester something in any case, others what they
/// asked for.
fn reply(control: SocketType, word: Option<Word>, counted: &ProxyStatistics) -> Option<Message> {
    match (control, word) {
        (SocketType::Rep | SocketType::Pair, Some(Word::Statistics)) => {
            let counts = counted.counts();
            Some(
                counts
                    .map(|count| Frame::from(&count.to_ne_bytes()))
                    .into_iter()
                    .collect(),
            )
        }
        (SocketType::Rep, _) => Some(Message::from("")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_messages() {
        assert_eq!(Word::of(&"PAUSE".into()), Some(Word::Pause));
        for other in ["", "PAUS", "PAUSED", "pause", "KILL"] {
            assert_eq!(Word::of(&other.into()), None, "{other}");
        }
        assert_eq!(Word::of(&["PAUSE", ""].into()), None);
        assert_eq!(Word::of(&["", "PAUSE"].into()), None);
    }

    #[test]
    fn a_requester_gets_a_reply_to_everything() {
        let counted = ProxyStatistics::default();
        let lens = |message: Option<Message>| message.map(|message| message.len());
        for word in [None, Some(Word::Pause), Some(Word::Terminate)] {
            assert_eq!(lens(reply(SocketType::Rep, word, &counted)), Some(1));
            assert_eq!(lens(reply(SocketType::Pair, word, &counted)), None);
        }
        let asked = Some(Word::Statistics);
        assert_eq!(lens(reply(SocketType::Rep, asked, &counted)), Some(8));
        assert_eq!(lens(reply(SocketType::Pair, asked, &counted)), Some(8));
        assert_eq!(lens(reply(SocketType::Sub, asked, &counted)), None);
    }

    #[test]
    fn the_eight_numbers_have_libzmqs_order() {
        let mut counted = ProxyStatistics::default();
        counted.frontend.messages_received = 1;
        counted.frontend.bytes_received = 2;
        counted.frontend.messages_sent = 3;
        counted.frontend.bytes_sent = 4;
        counted.backend.messages_received = 5;
        counted.backend.bytes_received = 6;
        counted.backend.messages_sent = 7;
        counted.backend.bytes_sent = 8;
        let reply = reply(SocketType::Rep, Some(Word::Statistics), &counted).unwrap();
        let numbers: Vec<u64> = reply
            .iter()
            .map(|frame| u64::from_ne_bytes(frame[..].try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
