//! The conformance suite finds each fault that is planted in a transport, and
//! says which promise it breaks.

#[path = "common/planted.rs"]
mod planted;
#[path = "common/subjects.rs"]
mod subjects;

use std::time::Duration;

use ferromq_transport::conformance::{self, Settings, Violation};
use planted::{Fault, Planted};
use subjects::{OverIpc, OverTcp};

/// Less patience: here the failures are what is waited for. And more than a busy machine
/// keeps anything waiting, or another failure is found before.
fn settings() -> Settings {
    Settings::from_env().patience(Duration::from_secs(2))
}

/// What `check` says about a transport with this fault.
fn noticed(fault: Fault, check: &str) -> Violation {
    let settings = match fault {
        Fault::Blocks => settings().limit(Duration::from_secs(5)),
        _ => settings(),
    };
    let outcome = conformance::check(Planted(OverIpc::paths(), fault), check, &settings);
    let violation = outcome.expect_err(&format!("{check} overlooks {fault:?}"));
    let text = violation.to_string();
    assert_eq!(violation.check, check);
    assert!(text.contains(&format!("{fault:?}")), "{text}");
    assert!(text.contains(&violation.seed.to_string()), "{text}");
    violation
}

/// One test a fault: the check that has to notice it, and a word of what it
/// has to say.
macro_rules! faults {
    ($($name:ident: $fault:ident is noticed by $check:ident: $word:literal;)*) => {
        $(#[test]
        fn $name() {
            let violation = noticed(Fault::$fault, stringify!($check));
            assert!(violation.finding.contains($word), "{violation}");
        })*
    };
}

faults! {
    a_lost_byte: LosesAByte is noticed by bytes_arrive_whole_and_in_order: "of the stream";
    swapped_bytes: SwapsTwoBytes is noticed by bytes_arrive_whole_and_in_order: "of the stream";
    a_byte_kept_back: KeepsTheLastByteBack is noticed by a_single_byte_leaves_at_once: "input";
    bytes_after_the_end: DeliversAfterTheEnd is noticed by the_end_comes_after_the_last_byte: "after the end";
    a_mute_descriptor: NeverWakes is noticed by input_wakes_a_reader_that_found_none: "no event told of input";
    a_mute_descriptor_for_writers: NeverWakes is noticed by room_wakes_a_writer_that_found_none: "no event told of";
    a_mute_end: NeverWakes is noticed by the_end_wakes_a_sleeping_reader: "no event told of input";
    emptiness_that_is_claimed: ClaimsToBeEmpty is noticed by input_wakes_a_reader_that_found_none: "no event told of input";
    fullness_that_is_claimed: ClaimsToBeFull is noticed by room_wakes_a_writer_that_found_none: "no event told of room";
    short_reads_without_an_event: CutsReadsWithoutWaking is noticed by who_waits_after_a_short_read_misses_nothing: "no event told of input";
    input_forgotten_when_polling_ends: ForgetsWhatCameMeanwhile is noticed by who_stops_polling_misses_nothing: "no event told of input";
    a_call_that_blocks: Blocks is noticed by an_empty_link_would_block: "hangs";
    endless_buffers: TakesEverything is noticed by a_stopped_reader_stops_its_writer: "none was read";
    writes_of_nothing: AnswersZero is noticed by a_stopped_reader_stops_its_writer: "answered 0";
    interruptions: SaysInterrupted is noticed by an_empty_link_would_block: "Interrupted";
    a_shutdown_of_nothing: IgnoresShutdown is noticed by shutdown_ends_both_sides: "no event told of input";
    an_endless_debt: ForgetsToCountDown is noticed by nothing_is_unsent_once_all_is_read: "unsent";
    overlooked_connections: OverlooksConnections is noticed by every_waiting_connection_is_announced: "no event told of a connection";
    a_listener_that_stays: NeverStopsListening is noticed by a_closed_endpoint_can_be_bound_again: "in use";
    a_file_that_stays: NeverStopsListening is noticed by nothing_is_left_behind: "it left";
    an_endpoint_bound_twice: BindsTwice is noticed by a_taken_endpoint_is_refused_by_name: "bound twice";
    an_error_about_something_else: BlamesAnotherEndpoint is noticed by a_taken_endpoint_is_refused_by_name: "is about";
    denied_peers: DeniesPeers is noticed by the_kernel_vouches_for_local_peers: "no credentials";
}

#[test]
fn without_a_fault_there_is_nothing_to_notice() {
    let subject = Planted(OverTcp::new(), Fault::None);
    let report = conformance::report(subject, &Settings::from_env());
    assert!(report.is_conforming(), "{report}");
    assert_eq!(report.entries().len(), conformance::behaviours().count());
}

#[test]
fn a_seed_repeats_what_was_found() {
    let find = || noticed(Fault::LosesAByte, "bytes_arrive_whole_and_in_order").finding;
    let seed = |seed| {
        let settings = settings().seed(seed);
        let planted = Planted(OverIpc::paths(), Fault::LosesAByte);
        let check = "bytes_arrive_whole_and_in_order";
        conformance::check(planted, check, &settings)
            .unwrap_err()
            .finding
    };
    assert_eq!(seed(1), seed(1));
    assert!(find().contains("byte"));
}

#[test]
fn a_check_that_does_not_exist_is_no_success() {
    let outcome = conformance::check(OverTcp::new(), "it_is_perfect", &settings());
    assert!(outcome.is_err());
}
