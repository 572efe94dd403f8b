//! The suite finds each fault that is planted in a transport, and says which
//! promise of the sockets it breaks.

use std::sync::Arc;
use std::time::Duration;

use ferromq_mio::conformance::{self, Over};
use ferromq_transport::conformance::{Settings, Subject, Violation};
use ferromq_transport::{Endpoint, Faults, Faulty, Transport};

use crate::planted::{Fault, Planted};
use crate::subjects::OverIpc;

/// What `check` says about sockets over this. Less patience: here the failures are what
/// is waited for.
fn noticed(subject: impl Subject, check: &str) -> Violation {
    let name = subject.name();
    let settings = Settings::from_env().patience(Duration::from_secs(2));
    let outcome = conformance::check(Over(subject), check, &settings);
    let violation = outcome.expect_err(&format!("{check} overlooks {name}"));
    assert_eq!(violation.check, check);
    let text = violation.to_string();
    assert!(text.contains(&name), "{text}");
    assert!(text.contains(&violation.seed.to_string()), "{text}");
    violation
}

/// One test a fault: the check that has to notice it, and a word of what it
/// has to say.
macro_rules! faults {
    ($($name:ident: $fault:ident is noticed by $check:ident: $word:literal;)*) => {
        $(#[test]
        fn $name() {
            let subject = Planted(OverIpc::paths(), Fault::$fault);
            let violation = noticed(subject, stringify!($check));
            assert!(violation.finding.contains($word), "{violation}");
        })*
    };
}

faults! {
    a_lost_byte: LosesAByte is noticed by messages_arrive_whole_and_in_order: "message";
    swapped_bytes: SwapsTwoBytes is noticed by large_messages_arrive_as_they_were: "other bytes";
    a_byte_kept_back: KeepsTheLastByteBack is noticed by messages_wait_for_a_connection: "timed out";
    a_mute_descriptor: NeverWakes is noticed by messages_arrive_whole_and_in_order: "timed out";
    emptiness_that_is_claimed: ClaimsToBeEmpty is noticed by a_reply_reaches_who_asked: "timed out";
    endless_buffers: TakesEverything is noticed by a_full_queue_would_block_and_loses_nothing: "message";
    a_listener_that_stays: NeverStopsListening is noticed by an_unbound_endpoint_can_be_bound_by_another: "in use";
    an_endpoint_bound_twice: BindsTwice is noticed by an_endpoint_in_use_is_an_error_that_names_it: "bound twice";
}

/// A transport whose links break now and then although nobody was warned.
struct Breaking(OverIpc);

impl Subject for Breaking {
    fn name(&self) -> String {
        "ipc (breaking)".into()
    }

    fn transport(&self) -> Arc<dyn Transport> {
        let faults = Faults::new(1).resetting_after(100_000..=200_000);
        Arc::new(Faulty::new(self.0.transport(), faults))
    }

    fn fresh_endpoint(&self) -> Endpoint {
        self.0.fresh_endpoint()
    }
}

#[test]
fn lost_messages() {
    let violation = noticed(
        Breaking(OverIpc::paths()),
        "messages_arrive_whole_and_in_order",
    );
    assert!(violation.finding.contains("instead of"), "{violation}");
}

#[test]
fn without_a_fault_there_is_nothing_to_notice() {
    let subject = Planted(OverIpc::paths(), Fault::None);
    let report = conformance::report(Over(subject), &Settings::from_env());
    assert!(report.is_conforming(), "{report}");
    assert_eq!(report.entries().len(), conformance::behaviours().count());
}
