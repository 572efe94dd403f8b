//! The suite that sockets run over any transport.
//!
//! The second of two levels: the first one, `ferromq_transport::conformance`,
//! holds links to their contract; this one sends messages through them, from
//! socket to socket, and looks whether all that sockets promise is still true:
//! order, whole messages, high-water marks, coming, going and coming back.
//!
//! Whoever has written a transport has a subject for the first level. The same
//! one serves here, and gives each check a `#[test]` of its name, and another
//! one in `with_faults`, where links cut, stall and break:
//!
//! ```
//! # struct Pigeons;
//! # impl ferromq_transport::conformance::Subject for Pigeons {
//! #     fn name(&self) -> String { unimplemented!() }
//! #     fn transport(&self) -> std::sync::Arc<dyn ferromq_transport::Transport> {
//! #         unimplemented!()
//! #     }
//! #     fn fresh_endpoint(&self) -> ferromq_transport::Endpoint { unimplemented!() }
//! # }
//! ferromq_mio::transport_conformance!(Pigeons);
//! # fn main() {}
//! ```
//!
//! What needs no transport, because the runtime serves it itself, implements
//! [`Subject`] with nothing but endpoints and uses
//! [`socket_conformance!`](crate::socket_conformance):
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use ferromq_mio::conformance::Subject;
//!
//! struct Inproc(AtomicU32);
//!
//! impl Subject for Inproc {
//!     fn name(&self) -> String {
//!         "inproc".into()
//!     }
//!
//!     fn fresh_endpoint(&self) -> String {
//!         format!("inproc://{}", self.0.fetch_add(1, Ordering::Relaxed))
//!     }
//! }
//!
//! ferromq_mio::socket_conformance!(Inproc(AtomicU32::new(0)));
//! # fn main() {}
//! ```
//!
//! Outside of tests, [`report`] runs everything and tells how it went. Both
//! sides of each check belong to one context. Linux only.

mod breaking;
mod endpoints;
mod letters;
mod order;
mod queues;
mod requests;
mod subject;
mod subscriptions;
mod trial;

use std::sync::Arc;

use ferromq_transport::Faults;
use ferromq_transport::conformance as links;
use ferromq_transport::conformance::{Behaviour, Finding, Report, Settings, Violation, supervise};

pub use subject::{Over, Subject};
use trial::Trial;

/// Every check of this level, as `__link_checks!` has those of the other one.
#[doc(hidden)]
#[macro_export]
macro_rules! __socket_checks {
    ($then:path, $($given:tt)*) => {
        $then! { [$($given)*]
            order messages_arrive_whole_and_in_order
                "messages of all sizes and numbers of parts arrive whole, once and in order",
            order messages_flow_from_the_bound_side_too
                "it makes no difference which side binds",
            order each_sender_keeps_its_order
                "messages of several senders mix only whole, and each sender's in order",
            order messages_are_shared_out_in_turn
                "PUSH gives its peers messages in turn",
            order pairs_talk_both_ways_at_once
                "a direction that is full does not hold up the other one",
            order many_connections_are_served
                "a socket hears each of many peers",
            order messages_wait_for_a_connection
                "what is sent before the peer is bound arrives once it is",
            order large_messages_arrive_as_they_were
                "messages of many megabytes arrive, between small ones",
            order readiness_misses_no_message
                "who receives until it would block is told of every later message",
            queues a_full_queue_would_block_and_loses_nothing
                "a sender whose queues are full is refused, and what was taken arrives",
            queues a_full_queue_holds_its_sender_until_there_is_room
                "a sender that waits for room goes on once there is some",
            queues a_full_subscriber_loses_messages_and_stops_nobody
                "a publisher drops for a full subscriber alone, and counts what it drops",
            queues what_was_sent_outlives_its_socket
                "what was sent before a socket was closed still arrives",
            endpoints an_endpoint_in_use_is_an_error_that_names_it
                "binding an endpoint that is in use is an error that names it",
            endpoints an_unbound_endpoint_can_be_bound_by_another
                "an endpoint that is unbound is free at once, and links that stand go on",
            endpoints traffic_survives_listeners_that_come_and_go
                "a connection comes back to a new listener, and messages stay whole and in order",
            endpoints a_disconnected_peer_gets_what_was_sent_and_no_more
                "a peer that is disconnected from gets what was sent before",
            endpoints a_peer_that_comes_back_keeps_its_name
                "a peer that comes back with its identity is reached by it",
            subscriptions subscribers_get_what_they_asked_for
                "subscribers get the messages of their topics, in order, and no others",
            subscriptions a_subscription_outlives_its_connection
                "a new publisher at an endpoint is told of the subscriptions again",
            subscriptions a_lost_subscriber_is_told_of
                "a publisher that may know is told when a subscriber goes",
            requests a_reply_reaches_who_asked
                "each reply goes to who asked",
            requests a_router_reaches_the_peer_it_names
                "a message with a peer's identity goes to this peer",
        }
    };
}

/// The same for what needs links that can be broken.
#[doc(hidden)]
#[macro_export]
macro_rules! __breaking_checks {
    ($then:path, $($given:tt)*) => {
        $then! { [$($given)*]
            breaking a_broken_link_breaks_no_message
                "messages are whole and come at most once although links break",
            breaking a_subscription_outlives_broken_links
                "subscriptions hold although links break",
        }
    };
}

macro_rules! table {
    ([$name:ident] $($module:ident $check:ident $sentence:literal,)*) => {
        const $name: &[Check] = &[$(Check {
            behaviour: Behaviour { check: stringify!($check), sentence: $sentence },
            run: $module::$check,
        }),*];
    };
}

__socket_checks!(table, CHECKS);
__breaking_checks!(table, BREAKING);

struct Check {
    behaviour: Behaviour,
    run: fn(&Trial) -> Result<(), Finding>,
}

/// Makes each check of [`conformance`](crate::conformance) a `#[test]`. The
/// argument is an expression for a fresh
/// [`Subject`](crate::conformance::Subject), evaluated once a test.
#[macro_export]
macro_rules! socket_conformance {
    ($subject:expr) => {
        $crate::__socket_checks! { $crate::__socket_tests, $subject }
    };
}

/// Makes each check of [`conformance`](crate::conformance) a `#[test]` over a
/// transport, and another one over the same with faults, in the module
/// `with_faults`. The argument is an expression for a fresh subject of
/// `ferromq_transport::conformance`, evaluated once a test.
#[macro_export]
macro_rules! transport_conformance {
    ($subject:expr) => {
        $crate::socket_conformance!($crate::conformance::Over($subject));
        $crate::__breaking_checks! {
            $crate::__socket_tests, $crate::conformance::Over($subject)
        }

        /// The same over a transport that gets in the way.
        mod with_faults {
            use super::*;

            $crate::__socket_checks! { $crate::__faulty_socket_tests, $subject }
            $crate::__breaking_checks! { $crate::__faulty_socket_tests, $subject }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __socket_tests {
    ([$subject:expr] $($module:ident $check:ident $sentence:literal,)*) => {
        $(#[doc = $sentence]
        #[test]
        fn $check() {
            $crate::conformance::assert_kept($subject, stringify!($check));
        })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __faulty_socket_tests {
    ([$subject:expr] $($module:ident $check:ident $sentence:literal,)*) => {
        $(#[doc = $sentence]
        #[test]
        fn $check() {
            $crate::conformance::assert_kept_with_faults($subject, stringify!($check));
        })*
    };
}

/// What the suite checks, in its order; the last ones over links that break, and
/// so only where there are any.
pub fn behaviours() -> impl Iterator<Item = Behaviour> {
    all().map(|check| check.behaviour)
}

fn all() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().chain(BREAKING)
}

/// Runs one check.
///
/// # Errors
/// The promise that is not kept, or that there is no check of this name.
pub fn check(subject: impl Subject, name: &str, settings: &Settings) -> Result<(), Violation> {
    let subject: Arc<dyn Subject> = Arc::new(subject);
    match all().find(|check| check.behaviour.check == name) {
        Some(check) => run(&subject, check, settings),
        None => supervise(
            Behaviour {
                check: "check",
                sentence: "a check is asked for by its name",
            },
            &subject.name(),
            settings,
            {
                let finding = Finding::new(format!("there is no check called {name}"));
                || Err(finding)
            },
        ),
    }
}

/// Runs every check, and tells how it went.
pub fn report(subject: impl Subject, settings: &Settings) -> Report {
    let breaks = subject.faulty_context(Faults::new(settings.seed)).is_some();
    let subject: Arc<dyn Subject> = Arc::new(subject);
    let mut report = Report::default();
    for check in CHECKS.iter().chain(BREAKING.iter().filter(|_| breaks)) {
        report.note(check.behaviour, run(&subject, check, settings));
    }
    report
}

fn run(subject: &Arc<dyn Subject>, check: &Check, settings: &Settings) -> Result<(), Violation> {
    let (subject, own, run) = (subject.clone(), settings.clone(), check.run);
    let name = subject.name();
    supervise(check.behaviour, &name, settings, move || {
        run(&Trial::new(subject, &own)?)
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

/// The same over a transport with faults, which the seed determines.
///
/// # Panics
/// When the promise is not kept.
pub fn assert_kept_with_faults(subject: impl links::Subject, name: &str) {
    let settings = Settings::from_env();
    let awkward = subject::awkward(subject, settings.seed);
    if let Err(violation) = check(awkward, name, &settings) {
        panic!("{violation}");
    }
}
