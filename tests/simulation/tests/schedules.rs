//! The simulator itself: it repeats itself, it finds what is wrong, and it finds
//! nothing else.

use ferromq_simulation::{Plant, Promise, Scenario, Schedule, run};

fn schedule(scenario: Scenario, seed: u64, plant: Option<Plant>) -> Schedule {
    Schedule {
        scenario,
        seed,
        plant,
    }
}

/// Every scenario, its turn decided by the seed.
fn in_turn(seed: u64) -> Scenario {
    Scenario::ALL[(seed % Scenario::ALL.len() as u64) as usize]
}

#[test]
fn the_same_seed_makes_the_same_trace_and_another_one_another() {
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..240 {
        let schedule = schedule(in_turn(seed), seed, None);
        let (first, second) = (run(schedule, false), run(schedule, false));
        assert_eq!(first.trace_hash, second.trace_hash, "{schedule:?}");
        assert_eq!(first.events, second.events, "{schedule:?}");
        hashes.insert(first.trace_hash);
    }
    assert_eq!(hashes.len(), 240);
}

#[test]
fn no_schedule_breaks_a_promise() {
    for seed in 0..1_200 {
        let schedule = schedule(in_turn(seed), seed, None);
        let failure = run(schedule, false).failure;
        assert!(failure.is_none(), "{schedule:?}: {}", failure.unwrap());
    }
}

/// Schedules that once failed: a late reply that nobody read, after the peer that
/// was asked was gone; a network too slow for a handshake.
const ONCE_FAILED: &[(Scenario, u64)] = &[
    (Scenario::ReqRep, 5_000_421_196),
    (Scenario::PushPull, 5_000_906_988),
];

#[test]
fn schedules_that_once_failed_pass() {
    for (scenario, seed) in ONCE_FAILED {
        let schedule = schedule(*scenario, *seed, None);
        let failure = run(schedule, false).failure;
        assert!(failure.is_none(), "{schedule:?}: {}", failure.unwrap());
    }
}

/// Schedules within which a planted bug must be found to break what it breaks.
const SCHEDULES: u64 = 24_000;

fn is_found(plant: Plant) {
    let found = (0..SCHEDULES).any(|seed| {
        let scenario = plant.scenario().unwrap_or_else(|| in_turn(seed));
        let failure = run(schedule(scenario, seed, Some(plant)), false).failure;
        failure.is_some_and(|failure| failure.promise == plant.breaks())
    });
    assert!(found, "{plant:?} breaks nothing in {SCHEDULES} schedules");
}

#[test]
fn every_promise_has_a_plant_that_breaks_it() {
    for promise in Promise::ALL {
        let is_broken = Plant::ALL.iter().any(|plant| plant.breaks() == *promise);
        assert!(is_broken, "{promise:?}");
    }
}

macro_rules! plants {
    ($($name:ident => $plant:ident,)*) => {
        $(#[test]
        fn $name() {
            is_found(Plant::$plant);
        })*

        #[test]
        fn every_plant_has_its_test() {
            assert_eq!(Plant::ALL, [$(Plant::$plant),*]);
        }
    };
}

plants! {
    a_message_queued_twice_is_found => Duplicate,
    a_message_in_place_of_another_is_found => Repeat,
    a_frame_written_twice_is_found => DuplicateFrame,
    a_message_dropped_without_counting_is_found => DropSilently,
    two_messages_that_change_places_are_found => Swap,
    half_a_message_kept_over_a_reconnect_is_found => KeepPartial,
    a_written_message_sent_again_is_found => ResendWritten,
    a_cut_message_that_is_not_counted_is_found => CutUncounted,
    a_message_to_another_peer_is_found => Misroute,
    an_envelope_of_somebody_else_is_found => WrongEnvelope,
    an_abandoned_request_that_is_sent_is_found => KeepAbandoned,
    a_request_answered_over_the_next_link_is_found => KeepRequests,
    a_second_request_before_the_reply_is_found => SendTwice,
    a_push_that_prefers_a_peer_is_found => Prefer,
    a_pull_that_stays_with_a_peer_is_found => KeepTurn,
    a_skipped_subscriber_is_found => SkipSubscriber,
    a_publication_to_everybody_is_found => SendToAll,
    a_forgotten_cancellation_is_found => ForgetCancel,
    subscriptions_kept_of_a_lost_link_are_found => KeepSubscriptions,
    a_cancellation_shown_too_early_is_found => CancelFirst,
    a_peer_that_is_full_for_ever_is_found => ForgetRoom,
    a_queue_beyond_its_mark_is_found => IgnoreFull,
    a_silent_peer_that_is_kept_is_found => DeafHeart,
}
