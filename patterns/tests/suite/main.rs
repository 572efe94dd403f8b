//! The machines from outside, against naive models. One binary: what tests it
//! thousands of times, with a mistake planted each time, links once each time.

mod fuzz_corpus;
#[path = "../fuzzing/mod.rs"]
mod fuzzing;
mod identities_route_to_their_peer;
mod messages_go_around_fairly;
mod publications_reach_their_subscribers;
mod requests_meet_their_replies;
mod subscriptions_go_upstream_once;
mod texts;
#[path = "../support/topics.rs"]
mod topics;

use fuzzing::support;
