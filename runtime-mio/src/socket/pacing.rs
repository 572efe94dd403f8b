//! When a message leaves: in the call that sends it, or together with others.
//!
//! A write costs 50 times what it costs to append a small message to one. So who
//! sends without a pause is served in bulk, and who is waited for at once:
//!
//! - A send after a pause of [`GAP`], or after a receive that found nothing, begins
//!   a burst: the calls that spend its [`CREDIT`] of writes write to everybody whom
//!   their message is for. Only what the application does is a pause: with many
//!   subscribers, the time goes by while others are written to.
//! - An answer, that is a send after a receive, waits for the next one while more
//!   has come from the peer that it goes to. One to a peer that nothing was sent to
//!   for [`AGE`] does not wait: what would it wait for?
//! - Whoever says that he sends many ([`together`](super::together)) begins no burst.
//! - What is deferred leaves when its link has [`BATCH`] bytes; when the first of it
//!   is [`AGE`] old, for every link that waits, since writing to all takes as long;
//!   before somebody waits; or by the I/O thread's hand when the caller goes away.

use std::time::Duration;

use ferromq_patterns::PeerId;

use super::core::Core;
use super::send::After;
use super::state::State;
use crate::clock::{Ticks, ticks};

/// Sends further apart than this are no burst: 1.5 to 2 times a write.
const GAP: Duration = Duration::from_nanos(3_000);
/// Writes that a burst starts with.
const CREDIT: u32 = 32;
/// Bytes that leave in one write.
const BATCH: usize = 64 << 10;
/// And when they are long messages: a write for each 64 KiB costs its sender
/// 53 us, for it wakes the receiver each time.
const BATCH_LONG: usize = 512 << 10;
/// Age at which they leave anyway, for each link that waits.
const AGE: Duration = Duration::from_micros(30);
/// And long messages.
const AGE_LONG: Duration = Duration::from_micros(200);
/// And at most, however many links there are, unless writing to all of them took
/// a quarter as long.
const AGE_MAX: Duration = Duration::from_millis(1);
/// A caller that only sends looks at its epoll this often: for subscriptions,
/// room, and peers that went.
const SERVICE: Duration = Duration::from_micros(500);

/// What decides it, for all links of a socket. Times in ticks.
pub(crate) struct Pace {
    gap: u64,
    age: u64,
    age_long: u64,
    age_max: u64,
    service: u64,
    /// When a sender last looked at the socket's epoll.
    serviced: Ticks,
    /// Somebody else has looked since.
    attended: bool,
    /// When the last send ended.
    ended: Ticks,
    /// Writes that the burst may still make.
    credit: u32,
    /// The send that is under way began with credit.
    prompt: bool,
    /// Batches under way: no pause begins a burst.
    batches: u32,
    /// The application has received since it last sent.
    answers: bool,
    /// Since when something is deferred.
    deferred_since: Ticks,
    /// What writing to all links that waited took the last time.
    took: u64,
    /// What the only peer had taken when a sender waited for it in vain.
    vain: Option<u64>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            gap: ticks(GAP),
            age: ticks(AGE),
            age_long: ticks(AGE_LONG),
            age_max: ticks(AGE_MAX),
            service: ticks(SERVICE),
            serviced: Ticks::default(),
            attended: false,
            ended: Ticks::default(),
            credit: 0,
            prompt: false,
            batches: 0,
            answers: false,
            deferred_since: Ticks::default(),
            took: 0,
            vain: None,
        }
    }

    /// A send begins.
    #[inline]
    pub(super) fn begins(&mut self, now: Ticks) {
        if now.since(self.ended) > self.gap {
            self.credit = CREDIT;
        }
        self.prompt = self.credit > 0;
        if std::mem::take(&mut self.attended) {
            self.serviced = now;
        }
    }

    /// A send has put its message where it goes.
    #[inline]
    pub(super) fn ended(&mut self, now: Ticks) {
        self.ended = now;
        self.answers = false;
    }

    /// The application gets a message.
    #[inline]
    pub(super) fn received(&mut self) {
        self.answers = true;
    }

    /// A sender waited for its only peer to keep pace: `Some` of what that had
    /// taken before and after.
    pub(super) fn waited_in_vain(&mut self, taken: Option<u64>) {
        self.vain = taken;
    }

    /// Whether the last wait was in vain, and the peer has taken nothing since.
    pub(super) fn is_waited_for_in_vain(&self, taken: u64) -> bool {
        self.vain == Some(taken)
    }

    /// A receive finds nothing, or a send had to wait: what leaves next is awaited.
    pub(super) fn begins_burst(&mut self) {
        if self.batches == 0 {
            self.credit = CREDIT;
            self.prompt = true;
        }
    }

    /// Many sends follow, which are to leave together.
    pub(super) fn begins_batch(&mut self) {
        self.batches += 1;
        self.credit = 0;
        // Nothing is such a pause: a send need not look at `batches`.
        self.gap = u64::MAX;
    }

    /// They were made.
    pub(super) fn ends_batch(&mut self) {
        self.batches = self.batches.saturating_sub(1);
        if self.batches == 0 {
            self.gap = ticks(GAP);
        }
    }

    #[inline]
    pub(super) fn wants_service(&self, now: Ticks) -> bool {
        now.since(self.serviced) > self.service
    }

    pub(super) fn serviced(&mut self, now: Ticks) {
        self.serviced = now;
    }

    /// The epoll's events were taken. When that was is near enough to when the
    /// next send begins: a reading of the clock less for each wait.
    #[inline]
    pub(super) fn attended(&mut self) {
        self.attended = true;
    }
}

impl State {
    /// Decides whether what was appended leaves now.
    #[inline]
    pub(super) fn leave(&mut self, core: &Core, id: PeerId, now: Ticks) -> After {
        let Some(link) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
            .and_then(|pipe| pipe.link.as_deref_mut())
        else {
            return After::Settled;
        };
        if link.output.blocked {
            self.update_full(core, id);
            return After::Settled;
        }
        let pace = &mut self.pace;
        let prompt = match pace.answers {
            true => {
                let seldom = now.since(link.output.last_sent) > pace.age;
                (pace.prompt || seldom) && !link.holds_input()
            }
            false => pace.prompt,
        };
        link.output.last_sent = now;
        if prompt {
            pace.credit = pace.credit.saturating_sub(1);
            let result = link.output.flush(&mut *link.transport);
            pace.ended(Ticks::now());
            self.flushed(core, id, result);
            return After::Settled;
        }
        self.defer(core, id, now)
    }

    #[inline]
    fn defer(&mut self, core: &Core, id: PeerId, now: Ticks) -> After {
        let limit = core.settings.send_high_water_mark();
        let Some(link) = self
            .pipes
            .get_mut(id.index())
            .and_then(Option::as_deref_mut)
            .and_then(|pipe| pipe.link.as_deref_mut())
        else {
            return After::Settled;
        };
        let (pace, output) = (&mut self.pace, &mut link.output);
        core.flags.note_deferral(now);
        pace.ended(now);
        if !output.listed {
            output.listed = true;
            if self.deferred.is_empty() {
                pace.deferred_since = now;
            }
            self.deferred.push(id);
            core.flags.set_deferred(true);
            return After::Deferred;
        }
        let (batch, age) = match output.holds_long_messages() {
            false => (BATCH, pace.age),
            true => (BATCH_LONG, pace.age_long),
        };
        let age = age.saturating_mul(self.deferred.len() as u64);
        let most = pace.age_max.max(4 * pace.took);
        if now.since(pace.deferred_since) > age.min(most) {
            self.flush_aged(core, id);
        } else if output.bytes() >= batch || (limit > 0 && output.messages() >= limit) {
            let result = output.flush(&mut *link.transport);
            let now = Ticks::now();
            pace.ended(now);
            if self.deferred.len() == 1 {
                pace.deferred_since = now;
            }
            self.flushed(core, id, result);
        }
        After::Settled
    }

    /// Flushes every link that waits. This one stays on the list, for its stream
    /// goes on.
    fn flush_aged(&mut self, core: &Core, id: PeerId) {
        let began = Ticks::now();
        self.flush_listed(core);
        if let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_mut()) {
            link.output.listed = true;
            self.deferred.push(id);
        }
        let now = Ticks::now();
        self.pace.took = now.since(began);
        self.pace.ended(now);
        self.pace.deferred_since = now;
    }

    /// Flushes every link on the deferred list, and gives payloads back.
    pub(crate) fn flush_deferred(&mut self, core: &Core) {
        self.give_back(core);
        self.flush_listed(core);
        core.flags.set_deferred(false);
    }

    fn flush_listed(&mut self, core: &Core) {
        while let Some(id) = self.deferred.pop() {
            if let Some(link) = self.pipe(id).and_then(|pipe| pipe.link.as_mut()) {
                link.output.listed = false;
                self.flush(core, id);
                // The I/O thread sees that the caller is at it.
                core.flags.note_deferral(Ticks::now());
            }
        }
    }
}
