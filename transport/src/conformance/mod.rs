//! The suite that a transport runs against itself.
//!
//! It holds links, listeners and connections to the contract that [`Link`],
//! [`Listener`] and [`Connecting`] state, in the way in which an event loop uses
//! them: descriptors are registered once, edge-triggered, and slept on until an
//! event comes. The author of a transport writes a [`Subject`] and has one test
//! a check:
//!
//! ```
//! use std::sync::Arc;
//! use ferromq_transport::conformance::Subject;
//! use ferromq_transport::{Endpoint, Transport};
//!
//! struct Pigeons;
//!
//! impl Subject for Pigeons {
//!     fn name(&self) -> String {
//!         "pigeon".into()
//!     }
//!
//!     fn transport(&self) -> Arc<dyn Transport> {
//!         // Arc::new(Pigeon)
//!         # unimplemented!()
//!     }
//!
//!     fn fresh_endpoint(&self) -> Endpoint {
//!         // "pigeon://loft-7".parse()
//!         # unimplemented!()
//!     }
//! }
//!
//! ferromq_transport::link_conformance!(Pigeons);
//! # fn main() {}
//! ```
//!
//! [`link_conformance!`](crate::link_conformance) gives each check a `#[test]` of
//! its name, and another one in the module `with_faults`, where
//! [`Faulty`](crate::Faulty) gets in between. A failing test names the
//! behaviour, the transport, and the seed that repeats it. Outside of tests,
//! [`report`] runs everything and tells how the transport fared.
//!
//! This is the first of two levels. The second one runs whole sockets over the
//! transport: `ferromq_mio::conformance`.
//!
//! # Limits
//! Linux only. What the suite does not check: options (their effect is the
//! transport's own), names that need a resolver, peers in other processes, and
//! the optional [`Memory`](crate::Memory).
//!
//! [`Link`]: crate::Link
//! [`Listener`]: crate::Listener
//! [`Connecting`]: crate::Connecting

mod end;
mod endpoints;
mod ends;
mod peers;
mod readiness;
mod stream;
mod subject;
mod trial;
mod verdict;

use std::sync::Arc;

pub use subject::{Faulting, Subject, Vouching};
pub use verdict::{
    Behaviour, Finding, Report, SEED_VARIABLE, Settings, Violation, ensure, supervise,
};

use crate::faulty::Faults;
use trial::Trial;

/// Every check of this level: where it is, its name, and what it promises.
/// Hands them to the macro `$then`, after `$given`.
#[doc(hidden)]
#[macro_export]
macro_rules! __link_checks {
    ($then:path, $($given:tt)*) => {
        $then! { [$($given)*]
            stream bytes_arrive_whole_and_in_order
                "bytes arrive once, whole and in order, whatever the sizes of the calls",
            stream both_directions_move_at_once
                "a direction that is full does not hold up the other one",
            stream a_single_byte_leaves_at_once
                "a byte that was written arrives although nothing follows it",
            stream many_links_stay_apart
                "links that are open at once do not mix",
            readiness an_empty_link_would_block
                "reading an empty link answers WouldBlock, at once",
            readiness input_wakes_a_reader_that_found_none
                "after a read answered WouldBlock, input makes the descriptor readable",
            readiness who_waits_after_a_short_read_misses_nothing
                "after a short read, more input and the end make the descriptor readable",
            readiness who_stops_polling_misses_nothing
                "after polling, what has come and what comes is told of",
            readiness a_stopped_reader_stops_its_writer
                "a writer whose reader stops gets WouldBlock, and what it wrote is kept",
            readiness room_wakes_a_writer_that_found_none
                "after a write answered WouldBlock, room makes the descriptor writable",
            readiness a_low_water_mark_delays_and_loses_nothing
                "a low-water mark for reading is a hint that loses neither bytes nor the end",
            readiness a_direct_wait_ends_with_input_or_its_time
                "a direct wait ends when there is input or its time is over",
            readiness nothing_is_unsent_once_all_is_read
                "no byte counts as unsent once the peer has read everything",
            ends the_end_comes_after_the_last_byte
                "the end of the stream comes after all bytes, and nothing after the end",
            ends the_end_wakes_a_sleeping_reader
                "a reader that sleeps is woken by the end of its link",
            ends the_end_wakes_a_blocked_writer
                "a writer that waits for room is woken by the end of its link, and told",
            ends writing_to_a_lost_peer_fails
                "writing to a peer that is gone is an error, and stays one",
            ends shutdown_ends_both_sides
                "shutdown ends both directions on both sides, after what was written before",
            ends a_shutdown_with_input_unread_is_no_hang
                "a peer that goes with input unread leaves an end or an error, never a hang",
            endpoints it_claims_its_schemes
                "a transport serves endpoints of its schemes and refuses others",
            endpoints an_endpoint_can_be_written_down
                "a listener's endpoint survives being written down and read again",
            endpoints a_taken_endpoint_is_refused_by_name
                "binding an endpoint that is in use fails with AddressInUse and names it",
            endpoints a_wildcard_becomes_a_real_endpoint
                "a wildcard is bound as a real endpoint of its own, and cannot be connected to",
            endpoints nobody_there_is_a_typed_refusal
                "connecting to an endpoint where nobody listens fails, saying so and naming it",
            endpoints every_waiting_connection_is_announced
                "after accept answered None, the next connection makes the listener readable",
            endpoints a_burst_of_connections_is_taken_one_by_one
                "connections that wait at once are all taken, one a call",
            endpoints a_connection_given_up_hurts_nobody
                "a connection that is given up leaves the listener as it was",
            endpoints links_outlive_their_listener
                "a listener that is dropped refuses newcomers and leaves its links alone",
            endpoints a_closed_endpoint_can_be_bound_again
                "an endpoint whose listener was dropped can be bound again at once",
            endpoints nothing_is_left_behind
                "when everything is closed, nothing is left of it",
            endpoints descriptors_are_told_apart
                "each link has a descriptor of its own, which can be waited for in two places",
            peers peers_have_addresses
                "a link knows its peer's address; a connected one calls it by the listener's",
            peers the_kernel_vouches_for_local_peers
                "credentials are the kernel's word, or there are none",
        }
    };
}

macro_rules! table {
    ([] $($module:ident $check:ident $sentence:literal,)*) => {
        const CHECKS: &[Check] = &[$(Check {
            behaviour: Behaviour { check: stringify!($check), sentence: $sentence },
            run: $module::$check,
        }),*];
    };
}

__link_checks!(table,);

struct Check {
    behaviour: Behaviour,
    run: fn(&Trial) -> Result<(), Finding>,
}

/// Makes each check of [`conformance`](crate::conformance) a `#[test]`, and
/// another one in the module `with_faults`. The argument is an expression for a
/// fresh [`Subject`](crate::conformance::Subject), evaluated once a test.
#[macro_export]
macro_rules! link_conformance {
    ($subject:expr) => {
        $crate::__link_checks! { $crate::__link_tests, $subject }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __link_tests {
    ([$subject:expr] $($module:ident $check:ident $sentence:literal,)*) => {
        $(#[doc = $sentence]
        #[test]
        fn $check() {
            $crate::conformance::assert_kept($subject, stringify!($check));
        })*

        /// The same over a transport that gets in the way.
        mod with_faults {
            use super::*;

            $(#[doc = $sentence]
            #[test]
            fn $check() {
                $crate::conformance::assert_kept_with_faults($subject, stringify!($check));
            })*
        }
    };
}

/// What the suite checks, in its order.
pub fn behaviours() -> impl Iterator<Item = Behaviour> {
    CHECKS.iter().map(|check| check.behaviour)
}

/// Runs one check.
///
/// # Errors
/// The promise that is not kept, or that there is no check of this name.
pub fn check(subject: impl Subject, name: &str, settings: &Settings) -> Result<(), Violation> {
    let subject: Arc<dyn Subject> = Arc::new(subject);
    match CHECKS.iter().find(|check| check.behaviour.check == name) {
        Some(check) => run(&subject, check, settings),
        None => Err(Violation {
            check: "check",
            behaviour: "a check is asked for by its name",
            transport: subject.name(),
            seed: settings.seed,
            finding: format!("there is no check called {name}"),
        }),
    }
}

/// Runs every check, and tells how the transport fared.
pub fn report(subject: impl Subject, settings: &Settings) -> Report {
    let subject: Arc<dyn Subject> = Arc::new(subject);
    let mut report = Report::default();
    for check in CHECKS {
        report.note(check.behaviour, run(&subject, check, settings));
    }
    report
}

fn run(subject: &Arc<dyn Subject>, check: &Check, settings: &Settings) -> Result<(), Violation> {
    let (subject, own, run) = (subject.clone(), settings.clone(), check.run);
    let name = subject.name();
    supervise(check.behaviour, &name, settings, move || {
        run(&Trial::new(subject, &own))
    })
}

/// Runs one check as a test: with the settings of the environment.
///
/// # Panics
/// When the promise is not kept.
pub fn assert_kept(subject: impl Subject, name: &str) {
    if let Err(violation) = check(subject, name, &Settings::from_env()) {
        panic!("{violation}");
    }
}

/// The same with faults in between, which the seed determines.
///
/// # Panics
/// When the promise is not kept.
pub fn assert_kept_with_faults(subject: impl Subject, name: &str) {
    let settings = Settings::from_env();
    let subject = Faulting::new(subject, Faults::new(settings.seed));
    if let Err(violation) = check(subject, name, &settings) {
        panic!("{violation}");
    }
}
