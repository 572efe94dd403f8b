//! One side of a switch, against a peer that says anything in any order, and a record of
//! what happened.

use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use ferromq_wire::{
    Features, Instant, Introduction, Switch, SwitchAction, SwitchError, SwitchOutcome,
    SwitchReason, SwitchSide, SwitchWay,
};

use super::Input;

const PATIENCE: u64 = 200;

/// What only we know, and where we are.
const OURS: Introduction = Introduction {
    host: [7; 16],
    fabric: [0xF7; 16],
    label: [0xA1; 16],
    secret: [0xA2; 32],
};

/// Target `switch`. Settings: side, checksums, and whether a fabric is a way; then what
/// happens, in steps.
pub(crate) fn fuzz_switch(data: &[u8]) {
    let mut input = Input(data.get(..4096).unwrap_or(data));
    let Some(settings) = input.byte() else {
        return;
    };
    let mut run = Run::new(settings);
    // The data ends the run, or the peer breaks a rule.
    while run.step(&mut input) == Some(true) {}
}

/// A word, as it is said to us or by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Introduction(Introduction),
    /// With the address on a fabric.
    Ready(Option<SocketAddr>),
    Go,
    /// With its number.
    Stay(u8),
}

struct Run {
    switch: Switch,
    side: SwitchSide,
    crc: bool,
    fabric: bool,
    now: u64,
    /// Words that the peer said, and that we said: written, not due.
    heard: Vec<Word>,
    said: Vec<Word>,
    theirs: Option<Introduction>,
    deadline: u64,
    bound: bool,
    connected: bool,
    /// The peer's secret was right; ours was given out.
    proven: bool,
    proofs: u32,
    actions: u32,
    /// What we decided, and cannot take back.
    decided: Option<Word>,
    outcome: SwitchOutcome,
}

impl Run {
    fn new(settings: u8) -> Self {
        let side = match settings & 1 {
            0 => SwitchSide::Accepted,
            _ => SwitchSide::Connected,
        };
        let crc = settings & 2 != 0;
        let fabric = settings & 4 != 0;
        let extra = u32::from(crc) | u32::from(fabric) << 3;
        let features = Features::from_bits(extra | Features::SWITCH.bits());
        let patience = Duration::from_nanos(PATIENCE);
        Self {
            switch: Switch::new(side, OURS, features, patience),
            side,
            crc,
            fabric,
            now: 0,
            heard: Vec::new(),
            said: Vec::new(),
            theirs: None,
            deadline: 0,
            bound: false,
            connected: false,
            proven: false,
            proofs: 0,
            actions: 0,
            decided: None,
            outcome: SwitchOutcome::Undecided,
        }
    }

    /// Whether there is more to come; `None` at the end of the data.
    fn step(&mut self, input: &mut Input<'_>) -> Option<bool> {
        let goes_on = match input.byte()? % 12 {
            0 => self.raw(input.bytes(255)?),
            1 => {
                let introduction = introduction(input.byte()?);
                self.hear(Word::Introduction(introduction), input.byte()?)
            }
            2 => {
                let cut = input.byte()?;
                let told = self.way() == Some(SwitchWay::Fabric);
                self.hear(Word::Ready(told.then(|| address(cut))), cut)
            }
            3 => self.hear(Word::Go, input.byte()?),
            4 => self.hear(Word::Stay(input.byte()?), 0),
            5 => self.write(),
            6 => self.act(),
            7 => self.tell(input.byte()?),
            8 => self.give_proof(),
            9 => self.take_proof(input.byte()?),
            10 => self.pass(input.byte()?),
            // An address where there is none to be told, or none where there is.
            11 if self.fabric && self.now % 2 == 1 => {
                let told = self.way() != Some(SwitchWay::Fabric);
                self.hear(Word::Ready(told.then(|| address(1))), 0)
            }
            _ => {
                self.switch.failed(SwitchReason::Broken);
                self.decide(Word::Stay(6));
                true
            }
        };
        if goes_on {
            self.look();
        }
        Some(goes_on)
    }

    /// What both have in common, once the peer has said who it is.
    fn way(&self) -> Option<SwitchWay> {
        let theirs = self.theirs?;
        match (theirs.host == OURS.host, theirs.fabric == OURS.fabric) {
            (true, _) => Some(SwitchWay::Machine),
            (_, true) if self.fabric => Some(SwitchWay::Fabric),
            _ => None,
        }
    }

    fn is_apart(&self) -> bool {
        self.theirs.is_some() && self.way().is_none()
    }

    /// Whether the two are on the way to each other.
    fn tries(&self) -> bool {
        self.theirs.is_some() && !self.is_apart() && !matches!(self.decided, Some(Word::Stay(_)))
    }

    fn decide(&mut self, word: Word) {
        if self.tries() && self.decided.is_none() {
            self.decided = Some(word);
        }
    }

    fn has_last_word(&self) -> bool {
        let is_last = |word: &Word| matches!(word, Word::Go | Word::Stay(_));
        self.is_apart() || self.heard.last().is_some_and(is_last)
    }

    /// Bytes that may be anything: a word among them counts as one.
    fn raw(&mut self, bytes: &[u8]) -> bool {
        let before = self.switch.clone();
        let taken = match self.switch.handle_input(bytes, at(self.now)) {
            Ok(taken) => taken,
            Err(_) => return false,
        };
        assert!(taken <= bytes.len());
        if taken == 0 {
            assert_eq!(format!("{before:?}"), format!("{:?}", self.switch));
            return true;
        }
        assert!(!self.has_last_word());
        match read(&bytes[..taken], self.crc, self.fabric) {
            Some(word) => self.heard(word),
            None => panic!("{bytes:?} was taken for a word"),
        }
        true
    }

    /// A word as it should be, in pieces and whole.
    fn hear(&mut self, word: Word, cut: u8) -> bool {
        let frame = self.frame(word);
        let cut = usize::from(cut) % frame.len();
        let traffic = self.has_last_word();
        assert_eq!(self.switch.handle_input(&frame[..cut], at(self.now)), Ok(0));
        let taken = self.switch.handle_input(&frame, at(self.now));
        if traffic {
            assert_eq!(taken, Ok(0));
            return true;
        }
        if !self.is_in_turn(word) {
            assert_eq!(taken, Err(SwitchError::OutOfTurn));
            return false;
        }
        assert_eq!(taken, Ok(frame.len()));
        self.heard(word);
        true
    }

    fn is_in_turn(&self, word: Word) -> bool {
        let is_ready = self.is_ready();
        match (word, self.side) {
            (Word::Introduction(_), _) => self.theirs.is_none(),
            _ if self.theirs.is_none() => false,
            (Word::Ready(at), side) => {
                let told = at.is_some() == (self.way() == Some(SwitchWay::Fabric));
                side == SwitchSide::Connected && !is_ready && told && !self.is_apart()
            }
            (Word::Go, SwitchSide::Accepted) => self.decided == Some(Word::Go),
            (Word::Go, SwitchSide::Connected) => is_ready,
            (Word::Stay(_), _) => true,
        }
    }

    /// Whether the peer has said that it waits.
    fn is_ready(&self) -> bool {
        let ready = |word: &Word| matches!(word, Word::Ready(_));
        self.heard.iter().any(ready)
    }

    fn heard(&mut self, word: Word) {
        assert!(self.is_in_turn(word), "{word:?}");
        self.heard.push(word);
        match word {
            Word::Introduction(theirs) => {
                self.theirs = Some(theirs);
                self.deadline = self.now + PATIENCE;
                if theirs.label == OURS.label || theirs.secret == OURS.secret {
                    self.decide(Word::Stay(4));
                }
            }
            Word::Ready(Some(at)) if is_nowhere(at) => self.decide(Word::Stay(1)),
            Word::Ready(_) => {}
            Word::Go => self.answer(),
            Word::Stay(reason) => self.decide(Word::Stay(if reason > 7 { 0 } else { reason })),
        }
    }

    /// Who connected has the last word, which needs all the others.
    fn answer(&mut self) {
        let asked = self.heard.contains(&Word::Go);
        if self.side == SwitchSide::Connected && self.proven && asked {
            self.decide(Word::Go);
        }
    }

    /// What is due is written.
    fn write(&mut self) -> bool {
        let mut out = [0; Switch::FRAME_MAX];
        loop {
            let len = self.switch.poll_output(&mut out);
            if len == 0 {
                return true;
            }
            let word = read(&out[..len], self.crc, self.fabric).expect("what we say is a word");
            match word {
                Word::Introduction(said) => {
                    assert_eq!((said, self.said.len()), (self.ours(), 0));
                }
                Word::Ready(at) => {
                    assert!(self.bound && self.tries() && self.said.len() == 1);
                    let told = self.way() == Some(SwitchWay::Fabric);
                    assert_eq!(at, told.then(|| address(7)));
                }
                last => assert_eq!(Some(last), self.decided),
            }
            assert!(!self.said.contains(&word), "{word:?} twice");
            self.said.push(word);
        }
    }

    fn act(&mut self) -> bool {
        if let Some(action) = self.switch.poll_action() {
            assert!(self.tries());
            self.actions += 1;
            assert_eq!(self.actions, 1);
            match self.side {
                SwitchSide::Accepted => assert_eq!(action, SwitchAction::Bind),
                SwitchSide::Connected => {
                    assert_eq!(action, SwitchAction::Connect);
                    assert!(self.is_ready());
                }
            }
        }
        true
    }

    /// What became of an action; also when nobody asked for it.
    fn tell(&mut self, what: u8) -> bool {
        if what & 1 == 0 {
            self.switch.bound();
            self.switch.bound_at(address(7));
            self.bound |= self.side == SwitchSide::Accepted && self.tries();
        } else {
            self.switch.connected();
            let meets = self.is_ready() && !self.proven;
            self.connected |= meets && self.tries();
        }
        true
    }

    fn give_proof(&mut self) -> bool {
        if let Some(proof) = self.switch.poll_proof() {
            assert!(self.tries());
            assert_eq!(Some(proof), self.theirs.map(|theirs| theirs.secret));
            match self.side {
                SwitchSide::Accepted => assert!(self.proven),
                SwitchSide::Connected => assert!(self.connected),
            }
            self.proofs += 1;
        }
        self.switch.proof_written();
        if self.side == SwitchSide::Accepted && self.proven {
            self.decide(Word::Go);
        }
        true
    }

    fn take_proof(&mut self, wrong: u8) -> bool {
        let mut proof = OURS.secret;
        if let Some(byte) = proof.get_mut(usize::from(wrong)) {
            *byte ^= 1;
        }
        self.switch.handle_proof(&proof);
        let meets = match self.side {
            SwitchSide::Accepted => self.bound,
            SwitchSide::Connected => self.is_ready(),
        };
        if meets && self.tries() && !self.proven {
            match proof == OURS.secret {
                true => self.proven = true,
                false => self.decide(Word::Stay(4)),
            }
            self.answer();
        }
        true
    }

    fn pass(&mut self, time: u8) -> bool {
        self.now += u64::from(time);
        self.switch.handle_timeout(at(self.now));
        if self.now >= self.deadline {
            self.decide(Word::Stay(5));
        }
        true
    }

    /// What can be seen of it at any time.
    fn look(&mut self) {
        let undecided = self.tries() && self.decided.is_none();
        let deadline = undecided.then(|| at(self.deadline));
        assert_eq!(self.switch.poll_timeout(), deadline);
        assert_eq!(self.switch.is_heard_out(), self.has_last_word());
        assert_eq!(self.switch.way(), self.way());
        let place = self.way() == Some(SwitchWay::Machine);
        assert_eq!(self.switch.place().is_some(), place);
        assert!(!self.switch.address().is_some_and(is_nowhere));
        let outcome = self.switch.outcome();
        if self.outcome != SwitchOutcome::Undecided {
            assert_eq!(outcome, self.outcome, "is final");
        }
        self.outcome = outcome;
        let goes = self.said.contains(&Word::Go) && self.heard.contains(&Word::Go);
        assert_eq!(outcome == SwitchOutcome::Go, goes && self.proven);
        assert_eq!(
            outcome == SwitchOutcome::Apart,
            self.is_apart() && !self.said.is_empty()
        );
    }

    /// What we say of ourselves: nothing of a fabric where that is no way.
    fn ours(&self) -> Introduction {
        Introduction {
            fabric: if self.fabric { OURS.fabric } else { [0; 16] },
            ..OURS
        }
    }

    fn frame(&self, word: Word) -> Vec<u8> {
        let (name, data) = match word {
            Word::Introduction(Introduction {
                host,
                fabric,
                label,
                secret,
            }) => {
                let head = [0, 1, 0, 0, 0, 0, 0, if self.fabric { 12 } else { 4 }];
                let fabric = &fabric[..if self.fabric { 16 } else { 0 }];
                let data = [&head[..], &host, &label, &secret, fabric].concat();
                (b"\x06XFERRO", data)
            }
            Word::Ready(None) => (b"\x06SWITCH", vec![1, 0, 0, 0, 0, 0, 0, 0]),
            Word::Ready(Some(at)) => {
                let [high, low] = at.port().to_be_bytes();
                let address = match at {
                    SocketAddr::V4(at) => at.ip().to_ipv6_mapped(),
                    SocketAddr::V6(at) => *at.ip(),
                };
                let head = [1, 0, high, low, 0, 0, 0, 0];
                (b"\x06SWITCH", [&head[..], &address.octets()].concat())
            }
            Word::Go => (b"\x06SWITCH", vec![2, 0, 0, 0, 0, 0, 0, 0]),
            Word::Stay(reason) => (b"\x06SWITCH", vec![3, reason, 0, 0, 0, 0, 0, 0]),
        };
        let len = (name.len() + data.len()) as u8;
        let mut frame = [&[4, len], &name[..], &data].concat();
        if self.crc {
            let trailer = crc(&frame).to_le_bytes();
            frame.extend_from_slice(&trailer);
        }
        frame
    }
}

/// One whose bits say what is as with us, or zero.
fn introduction(bits: u8) -> Introduction {
    Introduction {
        host: match bits & 12 {
            4 => [0; 16],
            8 => [8; 16],
            _ => OURS.host,
        },
        fabric: [if bits & 16 == 0 { 0xF7 } else { 0 }; 16],
        label: [if bits & 1 == 0 { 0xC1 } else { 0xA1 }; 16],
        secret: [if bits & 2 == 0 { 0xC2 } else { 0xA2 }; 32],
    }
}

/// An address, of either kind, or one where nobody can wait.
fn address(number: u8) -> SocketAddr {
    let ip = match number % 8 {
        0 => Ipv6Addr::UNSPECIFIED.into(),
        1 => Ipv6Addr::LOCALHOST.into(),
        _ => [10, 2, 0, number].into(),
    };
    SocketAddr::new(ip, if number % 16 == 5 { 0 } else { 40_000 })
}

fn is_nowhere(at: SocketAddr) -> bool {
    at.port() == 0 || at.ip().is_unspecified() || at.ip().is_multicast()
}

/// The word that is in a frame (docs/PROTOCOL.md, SWITCH).
fn read(frame: &[u8], crc: bool, fabric: bool) -> Option<Word> {
    let frame = match crc {
        true => {
            let (frame, trailer) = frame.split_last_chunk()?;
            (self::crc(frame).to_le_bytes() == *trailer).then_some(frame)?
        }
        false => frame,
    };
    let (&flags, rest) = frame.split_first()?;
    let body = match (flags, rest) {
        (4, [len, body @ ..]) => (usize::from(*len) == body.len()).then_some(body)?,
        (6, rest) => {
            let (len, body) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*len) == body.len() as u64).then_some(body)?
        }
        _ => return None,
    };
    if let Some(data) = body.strip_prefix(b"\x06XFERRO") {
        let (head, data) = data.split_first_chunk::<8>()?;
        let (host, data) = data.split_first_chunk()?;
        let (label, data) = data.split_first_chunk()?;
        let (secret, said) = data.split_first_chunk()?;
        let purpose = if fabric { 12 } else { 4 };
        let is_ours = head[..2] == [0, 1] && head[4..] == [0, 0, 0, purpose];
        let said: [u8; 16] = match (fabric, said) {
            (false, []) => [0; 16],
            (false, _) => return None,
            (true, said) => said.try_into().ok()?,
        };
        return is_ours.then_some(Word::Introduction(Introduction {
            host: *host,
            fabric: said,
            label: *label,
            secret: *secret,
        }));
    }
    match *body.strip_prefix(b"\x06SWITCH")? {
        [1, _, high, low, _, _, _, _, ref address @ ..] if fabric && address.len() == 16 => {
            let address = Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?);
            let port = u16::from_be_bytes([high, low]);
            Some(Word::Ready(Some(SocketAddr::new(
                address.to_canonical(),
                port,
            ))))
        }
        [1, _, _, _, _, _, _, _] => Some(Word::Ready(None)),
        [2, _, _, _, _, _, _, _] => Some(Word::Go),
        [3, reason, _, _, _, _, _, _] => Some(Word::Stay(reason)),
        _ => None,
    }
}

/// CRC-32, a bit at a time.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}
