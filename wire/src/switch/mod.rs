//! SWITCH: two peers on one machine, or on one fabric, agree, at the end of their
//! handshake, to go on over a shorter path (docs/PROTOCOL.md, Extensions).

mod layout;
mod reason;
mod terms;

use core::net::SocketAddr;
use core::time::Duration;

use self::layout::{FRAME_MAX, Word, has_fabric};
pub use self::reason::{SwitchError, SwitchReason};
pub use self::terms::{
    Introduction, SWITCH_PROOF, SwitchAction, SwitchOutcome, SwitchSide, SwitchWay,
};
use crate::{Features, Instant};

/// One side of the agreement.
///
/// ```text
///   connected                                     accepted
///     XFERRO ────────────────────────────────────▶
///            ◀──────────────────────────────────── XFERRO    nothing shared: done
///            ◀───────────────────────── SWITCH ready         waits at the place
///     proof  ═══════════ short path ═════════════▶ checks it
///     checks ◀═══════════════════════════════════  proof
///            ◀──────────────────────────── SWITCH go         cannot go back
///     SWITCH go ─────────────────────────────────▶           decided
/// ```
///
/// In place of each of its words of SWITCH a side may say that it stays; who hears
/// that says the same, if it has not said its last word. The side that connected
/// decides: the other one says *go* first and then waits for its answer, however
/// long the handshake lasts, for it cannot know what the peer has decided. So both
/// end on the same path, or the connection ends. The last word of each side is the
/// last frame before its traffic.
///
/// Like all of this crate it moves no bytes and knows no clock. A caller writes
/// what [`poll_output`](Self::poll_output) gives, does what
/// [`poll_action`](Self::poll_action) says, gives what comes in to
/// [`handle_input`](Self::handle_input), and comes back at
/// [`poll_timeout`](Self::poll_timeout), until [`outcome`](Self::outcome) is
/// something else than `Undecided` and all output is written.
#[derive(Clone, Debug)]
pub struct Switch {
    side: SwitchSide,
    features: Features,
    ours: Introduction,
    theirs: Option<Introduction>,
    phase: Phase,
    /// What both have in common, once that is known.
    way: Option<SwitchWay>,
    /// Where the listener waits, on a fabric.
    at: Option<SocketAddr>,
    /// Our last word, and the peer's.
    verdict: Option<Verdict>,
    peer: Option<Verdict>,
    /// Words of ours that are to be written, in this order.
    introduction_due: bool,
    ready_due: bool,
    verdict_due: bool,
    action: Option<SwitchAction>,
    proof_due: bool,
    patience: Duration,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The peer has not said who it is.
    Introducing,
    /// With nothing in common.
    Apart,
    /// The place is being made: by us, or by the peer.
    Preparing,
    /// It stands, and both come together there.
    Meeting,
    /// The peer has proved to be the same.
    Proven,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Go,
    Stay(SwitchReason),
}

impl Switch {
    /// Bytes of the largest frame that [`poll_output`](Self::poll_output) writes.
    pub const FRAME_MAX: usize = FRAME_MAX;
    /// Bytes in the name of a [place](Self::place).
    pub const PLACE_LEN: usize = 64;

    /// Begins, once the handshake is complete and both have offered
    /// [`Features::SWITCH`]. `features` are those that are on, `patience` is how
    /// long it may take from the moment when both are known to share something.
    #[must_use]
    pub fn new(
        side: SwitchSide,
        ours: Introduction,
        features: Features,
        patience: Duration,
    ) -> Self {
        Self {
            side,
            features,
            ours,
            theirs: None,
            phase: Phase::Introducing,
            way: None,
            at: None,
            verdict: None,
            peer: None,
            introduction_due: true,
            ready_due: false,
            verdict_due: false,
            action: None,
            proof_due: false,
            patience,
            deadline: None,
        }
    }

    /// Takes one frame from what the peer sent, and says how long it was: 0 while
    /// it is incomplete, and once the peer has said its last word, for what follows
    /// is traffic. O(1).
    ///
    /// # Errors
    /// The peer broke the rules: the connection is over.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) -> Result<usize, SwitchError> {
        if self.is_heard_out() {
            return Ok(0);
        }
        let Some((word, len)) = Word::decode(input, self.features)? else {
            return Ok(0);
        };
        match (word, self.phase) {
            (Word::Introduction(theirs), Phase::Introducing) => self.introduced(theirs, now),
            (Word::Introduction(_), _) | (_, Phase::Introducing) => {
                return Err(SwitchError::OutOfTurn);
            }
            (Word::Ready(at), _) => self.peer_ready(at)?,
            (Word::Go, _) => self.peer_goes()?,
            (Word::Stay(reason), _) => {
                self.peer = Some(Verdict::Stay(reason));
                self.stay(reason);
            }
        }
        Ok(len)
    }

    /// Writes the next frame that is due to the start of `out` and says how long
    /// it is; 0 when there is none. Under a mechanism that seals frames, the caller
    /// seals it like any other.
    pub fn poll_output(&mut self, out: &mut [u8; FRAME_MAX]) -> usize {
        let word = if core::mem::take(&mut self.introduction_due) {
            Word::Introduction(self.ours)
        } else if core::mem::take(&mut self.ready_due) {
            Word::Ready(self.at)
        } else if core::mem::take(&mut self.verdict_due) {
            match self.verdict {
                Some(Verdict::Stay(reason)) => Word::Stay(reason),
                Some(Verdict::Go) => Word::Go,
                None => return 0,
            }
        } else {
            return 0;
        };
        word.encode(self.features, out)
    }

    /// What to do next, told once. Nothing that was begun matters any more once
    /// [`is_over`](Self::is_over).
    pub fn poll_action(&mut self) -> Option<SwitchAction> {
        self.action.take().filter(|_| !self.is_over())
    }

    /// What to write first on the short path, told once: when it stands from the
    /// side that connected, in answer to the peer's proof from the other one. Tell
    /// [`proof_written`](Self::proof_written) then.
    pub fn poll_proof(&mut self) -> Option<[u8; SWITCH_PROOF]> {
        let due = core::mem::take(&mut self.proof_due) && !self.is_over();
        self.theirs.filter(|_| due).map(|theirs| theirs.secret)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). None once our last
    /// word is said: from then on only the peer can end the wait, or the
    /// handshake's own deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.filter(|_| self.verdict.is_none())
    }

    /// It is `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|deadline| now >= deadline) {
            self.stay(SwitchReason::TimedOut);
        }
    }

    /// The place stands, and we wait there: on a machine.
    pub fn bound(&mut self) {
        if self.way == Some(SwitchWay::Machine) {
            self.waits();
        }
    }

    /// The place stands, and we wait there: on a fabric, at this address.
    pub fn bound_at(&mut self, at: SocketAddr) {
        if self.way == Some(SwitchWay::Fabric) && self.waits() {
            self.at = Some(at);
        }
    }

    /// The short path stands.
    pub fn connected(&mut self) {
        let meets = self.phase == Phase::Meeting && !self.is_over();
        self.proof_due |= meets && self.side == SwitchSide::Connected;
    }

    /// These were the peer's first bytes on the short path. Constant time.
    pub fn handle_proof(&mut self, proof: &[u8; SWITCH_PROOF]) {
        if self.phase != Phase::Meeting || self.is_over() {
            return;
        }
        if !is_equal(proof, &self.ours.secret) {
            return self.stay(SwitchReason::WrongProof);
        }
        self.phase = Phase::Proven;
        match self.side {
            SwitchSide::Accepted => self.proof_due = true,
            SwitchSide::Connected => self.decide(),
        }
    }

    /// Our proof is on its way to the peer. Counts once.
    pub fn proof_written(&mut self) {
        let decides = self.side == SwitchSide::Accepted && self.verdict.is_none();
        if decides && self.phase == Phase::Proven {
            self.verdict = Some(Verdict::Go);
            self.verdict_due = true;
        }
    }

    /// We could not do our part. Does nothing once our last word is said.
    pub fn failed(&mut self, reason: SwitchReason) {
        self.stay(reason);
    }

    /// What both have in common. None until the peer has introduced itself, and
    /// where there is nothing.
    #[must_use]
    pub fn way(&self) -> Option<SwitchWay> {
        self.way
    }

    /// Where on a fabric both meet: what the peer has told, or we. It is the peer's
    /// word: neither unspecified nor multicast, and else any address.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.at
    }

    /// Where both meet on a machine: 64 letters and digits, of both sides' labels.
    /// None unless they share one.
    #[must_use]
    pub fn place(&self) -> Option<[u8; Self::PLACE_LEN]> {
        let shares = self.way == Some(SwitchWay::Machine);
        let theirs = self.theirs.filter(|_| shares)?;
        let (first, second) = match self.side {
            SwitchSide::Accepted => (&self.ours, &theirs),
            SwitchSide::Connected => (&theirs, &self.ours),
        };
        let mut name = [b'0'; Self::PLACE_LEN];
        let bytes = first.label.iter().chain(&second.label);
        for (digits, byte) in name.chunks_exact_mut(2).zip(bytes) {
            digits.copy_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
        }
        Some(name)
    }

    /// Whether our part at the place is over: we stay where we are.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Apart || matches!(self.verdict, Some(Verdict::Stay(_)))
    }

    /// Whether the peer has introduced itself as one that others on this host, or on
    /// this fabric, can meet.
    #[must_use]
    pub fn is_peer_at(&self, ground: [u8; 16]) -> bool {
        self.theirs
            .is_some_and(|theirs| theirs.host == ground || theirs.fabric == ground)
    }

    /// Whether the peer has no more words to say: what it sends is traffic.
    #[must_use]
    pub fn is_heard_out(&self) -> bool {
        self.phase == Phase::Apart || self.peer.is_some()
    }

    /// What came of it, once everything that was due has been given out.
    #[must_use]
    pub fn outcome(&self) -> SwitchOutcome {
        if self.introduction_due || self.ready_due || self.verdict_due {
            return SwitchOutcome::Undecided;
        }
        match (self.phase, self.verdict, self.peer) {
            (Phase::Apart, ..) => SwitchOutcome::Apart,
            (_, Some(Verdict::Go), Some(Verdict::Go)) => SwitchOutcome::Go,
            (_, Some(Verdict::Stay(reason)), Some(_))
            | (_, Some(Verdict::Go), Some(Verdict::Stay(reason))) => SwitchOutcome::Stay(reason),
            (_, None, _) | (_, _, None) => SwitchOutcome::Undecided,
        }
    }

    /// We wait at the place, if that is our part and its time.
    fn waits(&mut self) -> bool {
        let waits =
            self.side == SwitchSide::Accepted && self.phase == Phase::Preparing && !self.is_over();
        if waits {
            self.phase = Phase::Meeting;
            self.ready_due = true;
        }
        waits
    }

    fn introduced(&mut self, theirs: Introduction, now: Instant) {
        self.theirs = Some(theirs);
        let shares = |ours: [u8; 16], theirs| ours == theirs && ours != [0; 16];
        self.way = if shares(self.ours.host, theirs.host) {
            // Nothing is shorter.
            Some(SwitchWay::Machine)
        } else if has_fabric(self.features) && shares(self.ours.fabric, theirs.fabric) {
            Some(SwitchWay::Fabric)
        } else {
            self.phase = Phase::Apart;
            return;
        };
        self.phase = Phase::Preparing;
        self.deadline = Some(now.saturating_add(self.patience));
        // Who says what we say has only listened to us.
        if self.ours.label == theirs.label || is_equal(&self.ours.secret, &theirs.secret) {
            self.stay(SwitchReason::WrongProof);
        } else if self.side == SwitchSide::Accepted {
            self.action = Some(SwitchAction::Bind);
        }
    }

    fn peer_ready(&mut self, at: Option<SocketAddr>) -> Result<(), SwitchError> {
        let in_turn = self.side == SwitchSide::Connected && self.phase == Phase::Preparing;
        let told = at.is_some() == (self.way == Some(SwitchWay::Fabric));
        if !in_turn || !told {
            return Err(SwitchError::OutOfTurn);
        }
        self.phase = Phase::Meeting;
        if at.is_some_and(is_nowhere) {
            self.stay(SwitchReason::NoPlace);
            return Ok(());
        }
        self.at = at;
        self.action = Some(SwitchAction::Connect);
        Ok(())
    }

    fn peer_goes(&mut self) -> Result<(), SwitchError> {
        let in_turn = match self.side {
            // It answers ours.
            SwitchSide::Accepted => self.verdict == Some(Verdict::Go),
            SwitchSide::Connected => matches!(self.phase, Phase::Meeting | Phase::Proven),
        };
        if !in_turn {
            return Err(SwitchError::OutOfTurn);
        }
        self.peer = Some(Verdict::Go);
        self.decide();
        Ok(())
    }

    /// Who connected says the last word once it has all that it needs.
    fn decide(&mut self) {
        let willing = self.phase == Phase::Proven && self.peer == Some(Verdict::Go);
        if self.side == SwitchSide::Connected && willing && self.verdict.is_none() {
            self.verdict = Some(Verdict::Go);
            self.verdict_due = true;
        }
    }

    fn stay(&mut self, reason: SwitchReason) {
        let tried = !matches!(self.phase, Phase::Introducing | Phase::Apart);
        if tried && self.verdict.is_none() {
            self.verdict = Some(Verdict::Stay(reason));
            self.verdict_due = true;
            // A place that nobody will come to is not told.
            self.ready_due = false;
        }
    }
}

/// Compares in a time that does not tell where the two differ.
fn is_equal(a: &[u8; SWITCH_PROOF], b: &[u8; SWITCH_PROOF]) -> bool {
    let differing = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    core::hint::black_box(differing) == 0
}

/// Whether nobody can wait at this address.
fn is_nowhere(at: SocketAddr) -> bool {
    at.port() == 0 || at.ip().is_unspecified() || at.ip().is_multicast()
}

fn hex(digit: u8) -> u8 {
    match digit {
        0..=9 => b'0'.saturating_add(digit),
        _ => b'a'.saturating_add(digit).saturating_sub(10),
    }
}

#[cfg(test)]
mod tests;
